// TreeDefBuilder: makes a TreeDef from its nodes, told in preorder.
//
//   TreeDefBuilder builder;
//   builder.Open(NodeKind::kStruct, "Linear");
//   builder.SetKey(KeyRef::Attribute("bias"));   builder.Leaf();
//   builder.SetKey(KeyRef::Attribute("weight")); builder.Leaf();
//   builder.Close();
//   TreeDef def = std::move(builder).Build().value();
//
// This is the one place where a structure is validated, whether it comes from a user's model or from
// a file: keys are UTF-8, of the kind their container takes, and strictly growing; an alias points
// to a node that is complete and no alias; there is one root and every container is closed.
//
// Errors. The first error is kept and Build returns it, naming the path of the node; calls after it
// do nothing. InvalidArgument unless said otherwise. Nothing is aborted on.
//
// Order. SetKey before each child of a dict or struct; children of lists, tuples and customs have
// their position for a key and need none. A node may be tagged at any time after it was added.
#ifndef LEAFSTORE_TREEDEF_TREEDEF_BUILDER_H_
#define LEAFSTORE_TREEDEF_TREEDEF_BUILDER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "leafstore/core/key.h"
#include "leafstore/treedef/treedef.h"

namespace leafstore {

class TreeDefBuilder {
 public:
  TreeDefBuilder();
  ~TreeDefBuilder();
  TreeDefBuilder(TreeDefBuilder&&) noexcept;
  TreeDefBuilder& operator=(TreeDefBuilder&&) noexcept;

  // The key of the next node.
  void SetKey(const KeyRef& key);

  // Begin a container (struct and custom may have a type name); the nodes up to Close are in it.
  void Open(NodeKind container, absl::string_view type_name = {});
  void Close();

  void Leaf();
  void None();
  // The node `target` again. error InvalidArgument: it does not exist, is not complete (a cycle), or
  // is an alias itself.
  void Alias(NodeId target);

  // A tag of a node that was added before, at any time. (So the strings of tags get their ids at
  // Build, after those of all keys and type names: by node, then by tag.)
  // error InvalidArgument: empty, not UTF-8, or no such node. Twice the same is one.
  void Tag(NodeId node, absl::string_view tag);

  // The number the next node will get.
  NodeId next_node() const;
  const absl::Status& status() const { return status_; }
  // The path that the next node would have with this key, for messages.
  std::string NextPath(const KeyRef& key) const;

  // error: the first one met; InvalidArgument: no root, or a container still open;
  // ResourceExhausted: more than 2^32 - 2 nodes, or 2^32 - 2 bytes of strings. O(1) beyond hashing.
  absl::StatusOr<TreeDef> Build() &&;

 private:
  struct OpenContainer {
    NodeId node;
    NodeKind kind;
    uint32_t children;
    NodeId last_child;
  };

  // Adds a node of `kind` under the open container with the key that was set; false after an error.
  bool Add(NodeKind kind);
  bool AddKey(const OpenContainer& container);
  uint32_t StringId(absl::string_view text);
  void Fail(absl::string_view what);

  std::unique_ptr<internal::TreeDefRep> rep_;
  std::vector<OpenContainer> open_;
  absl::flat_hash_map<std::string, uint32_t> string_ids_;
  KeyRef key_;
  std::string key_name_;
  bool has_key_ = false;
  absl::Status status_;
};

}  // namespace leafstore

#endif  // LEAFSTORE_TREEDEF_TREEDEF_BUILDER_H_
