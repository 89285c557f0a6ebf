// The columns of a TreeDef. Only for treedef/; other code uses TreeDef.
#ifndef LEAFSTORE_TREEDEF_INTERNAL_TREEDEF_COLUMNS_H_
#define LEAFSTORE_TREEDEF_INTERNAL_TREEDEF_COLUMNS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

#include "leafstore/core/key.h"
#include "leafstore/treedef/node.h"

namespace leafstore::internal {

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

inline absl::string_view StringOf(const TreeDefColumns& columns, uint32_t id) {
  const uint32_t begin = columns.string_begins[id];
  return absl::string_view(columns.strings.data() + begin, columns.string_begins[id + 1] - begin);
}

// Returns the key of a child of `parent` that is stored as `stored` (TreeDefColumns::keys).
inline KeyRef KeyUnder(const TreeDefColumns& columns, NodeId parent, uint32_t stored) {
  switch (columns.kinds[parent]) {
    case NodeKind::kStruct:
      return KeyRef::Attribute(StringOf(columns, stored));
    case NodeKind::kDict:
      if (columns.aux[parent] != 0) return KeyRef::Index(columns.ints[stored]);
      return KeyRef::Item(StringOf(columns, stored));
    default:
      return KeyRef::Index(stored);
  }
}

inline KeyRef KeyOf(const TreeDefColumns& columns, NodeId node) {
  if (node == kRootNode) return KeyRef::Index(0);
  return KeyUnder(columns, columns.parents[node], columns.keys[node]);
}

}  // namespace leafstore::internal

#endif  // LEAFSTORE_TREEDEF_INTERNAL_TREEDEF_COLUMNS_H_
