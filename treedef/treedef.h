// TreeDef: the structure of a model without its leaves.
//
//   Flattened flat = Flatten(model).value();            // store/flatten.h
//   TreeDef def = flat.def;
//   def.leaf_count();                                  // leaves have indices below this
//   def.PathText(def.node_of_leaf(0)).value();         // ".layers[0]['w']"
//   NodeId node = def.Find(".layers[0]").value();
//   for (NodeId child = def.first_child(node); child != def.end(node); child = def.end(child)) ...
//
// Nodes are numbered in preorder: the root is 0, and a subtree is the range [node, end(node)). The
// children of a dict or struct are sorted by key (bytes or integer), so the order of fields in the
// source does not matter. Leaves are numbered in the order of their nodes; the leaves below a node
// are the range [leaf_begin(node), leaf_begin(end(node))).
//
// Kinds. A leaf has one value; none has neither value nor children. Containers are dict (string or
// int64 keys, never both), list, tuple, struct (with a type name if its author declared one) and
// custom (a user's own container: a type name, and children by position). An alias is a further
// occurrence of a tied node: the first occurrence in preorder owns the node, and alias_target()
// returns it. An alias has no leaves of its own, and never points to an ancestor or another alias.
//
// Identity. A TreeDef is immutable, cheap to copy, and interned: while one is alive, making an
// equal one returns the same object. So equality compares two pointers, and everything derived from
// a TreeDef (paths, an index) is computed once. hash() is XXH3-64 over canonical bytes
// (docs/format.md), the same on every machine and in every version.
//
// A TreeDef that was moved from may only be assigned to or destroyed.
//
// Depth. Nothing here recurses, so a million levels are fine. Path text is made on demand.
//
// Threads: immutable; all calls are thread-safe.
#ifndef LEAFSTORE_TREEDEF_TREEDEF_H_
#define LEAFSTORE_TREEDEF_TREEDEF_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "leafstore/core/key.h"
#include "leafstore/core/path.h"
#include "leafstore/treedef/internal/treedef_rep.h"
#include "leafstore/treedef/node.h"

namespace leafstore {

class TreeDef;

namespace internal {

class TreeDefInterner;
// Returns the data of `def`. Valid while `def` or a copy of it lives.
const TreeDefRep& RepOf(const TreeDef& def);

}  // namespace internal

class TreeDef {
 public:
  // Creates the structure of none: one node, no leaves.
  TreeDef();

  uint32_t node_count() const { return static_cast<uint32_t>(columns().kinds.size()); }
  uint32_t leaf_count() const { return static_cast<uint32_t>(columns().leaf_nodes.size()); }

  // These describe `node`, which must be below node_count(). All O(1).
  NodeKind kind(NodeId node) const { return columns().kinds[node]; }
  // Returns its key in its parent; for the root Index(0), which is part of no path. Valid while
  // this TreeDef or a copy of it lives.
  KeyRef key(NodeId node) const;
  // Returns kNoNode for the root.
  NodeId parent(NodeId node) const { return columns().parents[node]; }
  // Returns one past its last descendant, which is also its next sibling if it has one.
  NodeId end(NodeId node) const { return columns().ends[node]; }
  uint32_t child_count(NodeId node) const { return columns().child_counts[node]; }
  // Returns end(node) if it has no children.
  NodeId first_child(NodeId node) const { return node + 1; }
  // Returns the number of leaves before it; `node` may also be node_count().
  uint32_t leaf_begin(NodeId node) const { return columns().leaf_begins[node]; }
  // Returns the type name of a struct or custom; empty for others and if it has none.
  absl::string_view type_name(NodeId node) const;
  // Returns the node that an alias points to.
  NodeId alias_target(NodeId node) const { return columns().aux[node]; }
  // Returns whether the keys of this dict are int64 (false for a dict without children).
  bool has_int_keys(NodeId node) const {
    return kind(node) == NodeKind::kDict && columns().aux[node] != 0;
  }

  // Returns the node of the leaf with this index. O(1).
  NodeId node_of_leaf(uint32_t leaf) const { return columns().leaf_nodes[leaf]; }

  // Returns whether any node is an alias, or has a tag. O(1).
  bool has_aliases() const { return !columns().alias_nodes.empty(); }
  bool has_tags() const { return !columns().tags.empty(); }
  // Returns whether `node` itself has `tag`. O(log tagged nodes).
  bool has_tag(NodeId node, absl::string_view tag) const;
  // Returns the tags of `node`, sorted.
  std::vector<absl::string_view> tags(NodeId node) const;
  // Returns the path of a node. O(depth).
  Path PathOf(NodeId node) const;
  // Returns its canonical or dotted text. error ResourceExhausted: longer than Path::kMaxTextSize.
  // O(length of the text).
  absl::StatusOr<std::string> PathText(NodeId node) const;
  absl::StatusOr<std::string> Dotted(NodeId node) const;
  // Returns the canonical text for messages: "(root)" for the root, without its middle if it is
  // long (without its beginning for a node more than 4,096 keys deep). Never fails. O(1).
  std::string PathForMessage(NodeId node) const;

  // Returns the node at `path`. An alias on the way is followed to its owner; the node found is
  // never below an alias, but may be one. Searches the sorted keys: O(depth * log children). error
  // NotFound: no such node; the message names the deepest node that exists, with suggestions.
  // For text, also the errors of Path::Parse.
  absl::StatusOr<NodeId> Find(const Path& path) const;
  absl::StatusOr<NodeId> Find(absl::string_view path_text) const;
  // Returns the node whose dotted form is `dotted`. Follows aliases as Find does.
  // error InvalidArgument: two nodes have that form; the message names both by their canonical
  // text. error NotFound: no node has it; the message names the deepest node that exists, with
  // suggestions. error ResourceExhausted: longer than Path::kMaxTextSize. O(length * log children)
  // unless the text is ambiguous.
  absl::StatusOr<NodeId> FindDotted(absl::string_view dotted) const;
  // Returns the nodes whose dotted form is `dotted`, but at most two of them. Cheaper than
  // FindDotted, as it makes no error message.
  std::vector<NodeId> NodesOfDotted(absl::string_view dotted) const;
  // Returns the child of `node` by `key`, or kNoNode. Does not follow aliases. O(log children).
  NodeId FindChild(NodeId node, const KeyRef& key) const;
  // Like FindChild, but a missing child is error NotFound, with suggestions.
  absl::StatusOr<NodeId> GetChild(NodeId node, const KeyRef& key) const;
  // Returns the node itself, or the node that it points to if it is an alias.
  NodeId Resolve(NodeId node) const {
    return kind(node) == NodeKind::kAlias ? alias_target(node) : node;
  }

  // Returns the structure below `node` as an independent TreeDef, and the index that each of its
  // leaves has here. If the owner of an alias is outside, the first such alias inside becomes
  // the owner of a copy of its structure, with the tags of both. No node is copied twice, so the
  // cut never has more nodes than this TreeDef. O(nodes of the cut).
  struct Cut;
  Cut Subtree(NodeId node) const;

  uint64_t hash() const { return rep_->hash; }
  friend bool operator==(const TreeDef& a, const TreeDef& b) { return a.rep_ == b.rep_; }
  template <typename H>
  friend H AbslHashValue(H h, const TreeDef& def) {
    return H::combine(std::move(h), def.hash());
  }

  // The strings of keys, type names and tags: unique, in order of first use in preorder; within one
  // node first its key, then its type name, then its tags, sorted. For codecs.
  static constexpr uint32_t kNoString = 0xffffffff;
  uint32_t string_count() const;
  absl::string_view string(uint32_t id) const;
  // Returns the id of the key's string for a child of a struct or of a dict with string keys;
  // kNoString for other nodes.
  uint32_t key_string(NodeId node) const;
  // Returns the id of the type name; kNoString for a node without one.
  uint32_t type_name_string(NodeId node) const;

  // Returns the memory of this structure in bytes, with its strings, but without the indices that
  // lookups have built.
  size_t memory_bytes() const;

 private:
  friend class internal::TreeDefInterner;
  friend const internal::TreeDefRep& internal::RepOf(const TreeDef& def);
  explicit TreeDef(std::shared_ptr<const internal::TreeDefRep> rep) : rep_(std::move(rep)) {}

  const internal::TreeDefColumns& columns() const { return rep_->columns; }

  std::shared_ptr<const internal::TreeDefRep> rep_;
};

struct TreeDef::Cut {
  TreeDef def;
  std::vector<uint32_t> leaves;
};

namespace internal {
inline const TreeDefRep& RepOf(const TreeDef& def) { return *def.rep_; }
}  // namespace internal

}  // namespace leafstore

#endif  // LEAFSTORE_TREEDEF_TREEDEF_H_
