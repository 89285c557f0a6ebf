// TreeDefBuilder: makes a TreeDef from its nodes, told in preorder.
//
//   TreeDefBuilder builder;
//   builder.Open(NodeKind::kStruct, "Linear");
//   builder.SetKey(KeyRef::Attribute("bias"));   builder.Leaf();
//   builder.SetKey(KeyRef::Attribute("weight")); builder.Leaf();
//   builder.Close();
//   TreeDef def = std::move(builder).Build().value();
//
// This is the one place where a structure is validated, whether it comes from a user's model or
// from a file: keys are UTF-8, of the kind their container takes, and strictly growing; an alias
// points to a node that is complete and no alias; there is one root and every container is closed.
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

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "leafstore/core/key.h"
#include "leafstore/treedef/treedef.h"

namespace leafstore {

namespace internal {
class StringTable;
}  // namespace internal

class TreeDefBuilder {
 public:
  // How large a structure may become. Those who read files of unknown origin may ask for less.
  struct Limits {
    uint32_t nodes = 0xfffffffe;
    uint32_t string_bytes = 0xfffffffe;
    uint32_t tags = 0xfffffffe;
  };

  TreeDefBuilder();
  explicit TreeDefBuilder(const Limits& limits);
  ~TreeDefBuilder();
  TreeDefBuilder(TreeDefBuilder&&) noexcept;
  TreeDefBuilder& operator=(TreeDefBuilder&&) noexcept;

  // The key of the next node. Copied.
  void SetKey(const KeyRef& key);
  // The same by the number of a string that was told before (TreeDef::string), for those who have
  // numbered strings: nothing is hashed or copied. An attribute or item. error InvalidArgument:
  // there is no such string yet.
  void SetKey(KeyKind kind, uint32_t string);
  // How many different strings were told: keys, type names and tags of complete nodes.
  uint32_t string_count() const {
    return static_cast<uint32_t>(rep_->columns.string_begins.size() - 1);
  }

  // Makes room. For those who have as many nodes and strings before them; asks for memory at once.
  void Reserve(uint32_t nodes, uint32_t strings, uint32_t string_bytes);

  // Begin a container (struct and custom may have a type name, a custom must); the nodes up to
  // Close are in it.
  void Open(NodeKind container, absl::string_view type_name = {});
  void Close();

  void Leaf();
  void None();
  // The node `target` again. error InvalidArgument: it does not exist, is not complete (a cycle),
  // or is an alias itself.
  void Alias(NodeId target);

  // A tag of the node made last. Empty or non-UTF-8 tags are errors; twice the same is one.
  void Tag(absl::string_view tag);

  // The number the next node will get.
  NodeId next_node() const { return node_count_; }
  const absl::Status& status() const { return status_; }
  // Its path, under the key that was set, for messages.
  std::string NextPathForMessage() const;

  // error: the first one met; InvalidArgument: no root, or a container still open;
  // ResourceExhausted: over the limits (2^32 - 2 nodes, bytes of strings, and tags, unless fewer
  // were asked for). O(1) beyond hashing.
  absl::StatusOr<TreeDef> Build() &&;

 private:
  // Adds a node of `kind` under the open container with the key that was set; false after an error.
  bool Add(NodeKind kind);
  // The key of the next node as the columns keep it; false after an error.
  bool StoreKey(uint32_t* stored);
  bool StorePosition(uint32_t* stored);
  bool StoreAttribute(uint32_t* stored);
  bool StoreItem(uint32_t* stored);
  bool StoreInt(uint32_t* stored);
  // Whether the key comes after that of the child before it.
  bool CheckGrows();
  bool CompareWithLast();
  // The string's number; false after an error, naming `what` the string is and `node`.
  bool StoreString(absl::string_view text, absl::string_view what, NodeId node, uint32_t* id);
  bool StoreKeyString(absl::string_view what, uint32_t* id);
  // Gives the tags of the node made last to it.
  bool StoreTags();
  // Makes the columns of nodes longer, for `nodes` of them.
  void ResizeColumns(size_t nodes);

  // Keep the error "at <path>: <what>", of the next node or of the container that is open.
  bool FailAtNext(absl::string_view what);
  bool FailAt(NodeId node, absl::string_view what);
  bool Fail(absl::Status status);
  // The key that was set. Valid until a string is added.
  KeyRef NextKey() const;
  // "attribute .a", "no key": the key that was set.
  std::string KeyFound() const;

  internal::TreeDefColumns& columns() { return rep_->columns; }

  Limits limits_;
  std::unique_ptr<internal::TreeDefRep> rep_;  // its columns of nodes are longer until Build
  NodeId node_count_ = 0;
  std::unique_ptr<internal::StringTable> strings_;
  std::vector<NodeId> open_;
  NodeId last_child_ = kNoNode;  // of the innermost open container
  KeyRef key_;                   // without its name, which is key_name_, or
  std::string key_name_;
  uint32_t key_string_ = TreeDef::kNoString;  // the string of this number
  bool has_key_ = false;
  // Of each string, one that was found to come before it as a key, or kNoString. Models say the same
  // names in the same order, over and over.
  std::vector<uint32_t> before_;
  std::vector<std::string> tags_;  // of the node made last
  absl::Status status_;
};

}  // namespace leafstore

#endif  // LEAFSTORE_TREEDEF_TREEDEF_BUILDER_H_
