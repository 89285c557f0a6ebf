// TreeDefBuilder: makes a TreeDef from calls that describe its nodes in preorder.
//
//   TreeDefBuilder builder;
//   builder.Open(NodeKind::kStruct, "Linear");
//   builder.SetKey(KeyRef::Attribute("bias"));   builder.Leaf();
//   builder.SetKey(KeyRef::Attribute("weight")); builder.Leaf();
//   builder.Close();
//   TreeDef def = std::move(builder).Build().value();
//
// This is the one place where a structure is validated, whether it comes from a user's model or
// from a file. Keys are UTF-8, of the kind that their container accepts, and strictly ascending. An
// alias points to a node that is complete and is not an alias. A structure has one root, and every
// container is closed.
//
// Errors. The first error is kept and Build returns it, with the path of the node; calls after it
// do nothing. It is InvalidArgument unless stated otherwise. Nothing aborts.
//
// Order. Call SetKey before each child of a dict or struct; the key of a child of a list, tuple or
// custom node is its position, and is not set. Tag a node before the next one is added.
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
  // Limits on the size of a structure. Readers of untrusted files may set lower ones.
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

  // Sets the key of the next node. The key is copied.
  void SetKey(const KeyRef& key);
  // Like SetKey above, with the id of a string that was used before (TreeDef::string): nothing is
  // hashed or copied. `kind` must be kAttribute or kItem. error InvalidArgument: no such string
  // exists.
  void SetKey(KeyKind kind, uint32_t string);
  // Returns the number of different strings: keys, type names and tags of complete nodes.
  uint32_t string_count() const {
    return static_cast<uint32_t>(rep_->columns.string_begins.size() - 1);
  }

  // Reserves memory for these numbers of nodes, strings and bytes of strings.
  void Reserve(uint32_t nodes, uint32_t strings, uint32_t string_bytes);

  // Begins a container; the nodes up to Close are its children. A struct may have a type name, a
  // custom must.
  void Open(NodeKind container, absl::string_view type_name = {});
  void Close();

  void Leaf();
  void None();
  // Adds an alias of `target`. error InvalidArgument: that node does not exist, is not complete (a
  // cycle), or is an alias itself.
  void Alias(NodeId target);

  // Tags the node added last. An empty or non-UTF-8 tag is an error; a repeated tag counts once.
  void Tag(absl::string_view tag);

  // Returns the id of the next node.
  NodeId next_node() const { return node_count_; }
  const absl::Status& status() const { return status_; }
  // Returns the path of the next node, under the key that was set, for messages.
  std::string NextPathForMessage() const;

  // Returns the TreeDef, or the first error. error InvalidArgument: no root, or a container is
  // still open. error ResourceExhausted: over the limits. O(bytes), for the hash.
  absl::StatusOr<TreeDef> Build() &&;

 private:
  // Adds a node of `kind` under the open container with the key that was set; false after an error.
  bool Add(NodeKind kind);
  // Stores the key of the next node as the columns hold it; false after an error.
  bool StoreKey(uint32_t* stored);
  bool CheckRootKey();
  // Returns whether the next child of `parent` may have the key that was set, or no key.
  bool KeyFits(NodeId parent) const;
  // Describes the keys that the next child of `parent` may have.
  std::string ExpectedKey(NodeId parent) const;
  // Checks that the key is greater than that of the previous child. Compares no text if these two
  // keys were compared before.
  bool CheckAscending();
  bool CompareWithLast();
  // Finds or adds the id of a string; false after an error, which names `what` the string is and
  // `node`.
  bool StoreString(absl::string_view text, absl::string_view what, NodeId node, uint32_t* id);
  // Stores the tags of the node added last.
  bool StoreTags();
  // Extends the columns to `nodes` nodes.
  void ResizeColumns(size_t nodes);

  // Keeps the error "at <path>: <what>" about the next node or about `node`; returns false.
  bool FailAtNext(absl::string_view what);
  bool FailAt(NodeId node, absl::string_view what);
  // Likewise, if KeyFits is false.
  bool FailKey(NodeId parent);
  bool FailOverLimit(NodeId node, uint32_t limit, absl::string_view what);
  bool Fail(absl::Status status);
  // Returns the key that was set. Valid until a string is added.
  KeyRef NextKey() const;
  // Returns "attribute .a" or "no key": the key that was set.
  std::string KeyFound() const;

  internal::TreeDefColumns& columns() { return rep_->columns; }

  Limits limits_;
  std::unique_ptr<internal::TreeDefRep> rep_;  // its columns of nodes are longer until Build
  NodeId node_count_ = 0;
  std::unique_ptr<internal::StringTable> strings_;
  std::vector<NodeId> open_;
  NodeId last_child_ = kNoNode;  // of the innermost open container
  KeyRef key_;                   // without its name, which is key_name_ unless key_string_ is set
  std::string key_name_;
  uint32_t key_string_ = TreeDef::kNoString;  // if set, the name is the string with this id
  bool has_key_ = false;
  // For each string, one that is known to be less, or kNoString: models repeat the same names in
  // the same order.
  std::vector<uint32_t> before_;
  std::vector<std::string> tags_;  // of the node added last
  absl::Status status_;
};

}  // namespace leafstore

#endif  // LEAFSTORE_TREEDEF_TREEDEF_BUILDER_H_
