// The data of a TreeDef. Only for treedef/; other code uses TreeDef.
#ifndef LEAFSTORE_TREEDEF_INTERNAL_TREEDEF_REP_H_
#define LEAFSTORE_TREEDEF_INTERNAL_TREEDEF_REP_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/string_view.h"

#include "leafstore/core/key.h"
#include "leafstore/treedef/node.h"

namespace leafstore::internal {

class PathTable;

// A tag: its node, and the id of its text.
struct TreeDefTag {
  NodeId node;
  uint32_t string;
  friend bool operator==(const TreeDefTag& a, const TreeDefTag& b) = default;
};

// One entry per node unless stated otherwise; nodes in preorder.
struct TreeDefColumns {
  std::vector<NodeKind> kinds;
  // The key of the node: a string id, an index into `ints`, or a position, depending on the kind
  // and aux of its parent.
  std::vector<uint32_t> keys;
  std::vector<uint32_t> parents;
  std::vector<uint32_t> ends;
  std::vector<uint32_t> child_counts;
  // For a struct or custom: the string id of its type name, or kNoString. For an alias: the owner.
  // For a dict: 1 if its keys are ints. Otherwise 0.
  std::vector<uint32_t> aux;
  // The count of leaves before the node; one entry more, the count of all leaves.
  std::vector<uint32_t> leaf_begins;
  // The node of each leaf.
  std::vector<uint32_t> leaf_nodes;
  // Sorted by node, then by the tag's text.
  std::vector<TreeDefTag> tags;
  // Nodes that are aliases, in preorder.
  std::vector<uint32_t> alias_nodes;
  // Int keys of dicts, in preorder.
  std::vector<int64_t> ints;
  // Unique strings in order of first use, concatenated, and their offsets; one entry more.
  std::string strings;
  std::vector<uint32_t> string_begins;
};

// The children of each node by position: one array for all nodes, and the begin of each node in it.
// Nodes whose children have no children are omitted: their children are the next nodes
// (HasAdjacentChildren).
struct ChildLists {
  std::vector<uint32_t> begins;
  std::vector<NodeId> children;
};

// The columns and derived data that all TreeDefs of one structure share.
struct TreeDefRep {
  TreeDefColumns columns;
  uint64_t hash = 0;

  // Made on first use and kept (path_table.h).
  struct Derived;
  const std::unique_ptr<Derived> derived;
  // The path table of `derived`, once it is made. A lookup reads only this.
  mutable std::atomic<const PathTable*> path_table = nullptr;

  TreeDefRep();
  ~TreeDefRep();
  TreeDefRep(const TreeDefRep&) = delete;
  TreeDefRep& operator=(const TreeDefRep&) = delete;
};

// Calls `fn` with each column.
template <typename Columns, typename Fn>
void ForEachColumn(Columns& c, const Fn& fn) {
  std::apply([&fn](auto&... columns) { (fn(columns), ...); },
             std::tie(c.kinds, c.keys, c.parents, c.ends, c.child_counts, c.aux, c.leaf_begins,
                      c.leaf_nodes, c.tags, c.alias_nodes, c.ints, c.strings, c.string_begins));
}

inline absl::string_view StringOf(const TreeDefColumns& columns, uint32_t id) {
  const uint32_t begin = columns.string_begins[id];
  return absl::string_view(columns.strings.data() + begin, columns.string_begins[id + 1] - begin);
}

// Returns whether the children of `node` have consecutive ids.
inline bool HasAdjacentChildren(const TreeDefColumns& columns, NodeId node) {
  return columns.ends[node] - node - 1 == columns.child_counts[node];
}

// Returns the kind of the keys of a node's children; kIndex for one that is neither a struct nor a
// dict.
inline KeyKind KindOfKeys(const TreeDefColumns& columns, NodeId node) {
  if (columns.kinds[node] == NodeKind::kStruct) return KeyKind::kAttribute;
  const bool has_items = columns.kinds[node] == NodeKind::kDict && columns.aux[node] == 0;
  return has_items ? KeyKind::kItem : KeyKind::kIndex;
}

inline KeyRef KeyOf(const TreeDefColumns& columns, NodeId node) {
  if (node == kRootNode) return KeyRef::Index(0);
  const NodeId parent = columns.parents[node];
  const uint32_t stored = columns.keys[node];
  const KeyKind kind = KindOfKeys(columns, parent);
  if (kind != KeyKind::kIndex) return {kind, StringOf(columns, stored), 0};
  return KeyRef::Index(HasKeys(columns.kinds[parent]) ? columns.ints[stored] : stored);
}

}  // namespace leafstore::internal

#endif  // LEAFSTORE_TREEDEF_INTERNAL_TREEDEF_REP_H_
