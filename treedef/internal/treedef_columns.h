// The columns that a TreeDef is made of. For treedef/ alone; others ask the TreeDef.
#ifndef LEAFSTORE_TREEDEF_INTERNAL_TREEDEF_COLUMNS_H_
#define LEAFSTORE_TREEDEF_INTERNAL_TREEDEF_COLUMNS_H_

#include <cstdint>
#include <string>
#include <vector>

namespace leafstore {

enum class NodeKind : uint8_t;
class PathTable;

// A tag: its node, and the id of its text in the TreeDef.
struct TreeDefTag {
  uint32_t node;
  uint32_t string;
  friend bool operator==(const TreeDefTag& a, const TreeDefTag& b) = default;
};

namespace internal {

// One entry a node unless said otherwise; nodes in preorder.
struct TreeDefColumns {
  std::vector<NodeKind> kinds;
  // What leads to the node: a string's id, an index into `ints`, or a position, as its parent's
  // kind and aux say.
  std::vector<uint32_t> keys;
  std::vector<uint32_t> parents;
  std::vector<uint32_t> ends;
  std::vector<uint32_t> child_counts;
  // Of a struct or custom: its type name's string id or kNoString. Of an alias: the owner. Of a
  // dict: 1 where its keys are ints. Else 0.
  std::vector<uint32_t> aux;
  // Leaves before the node; one entry more, the number of leaves.
  std::vector<uint32_t> leaf_begins;
  // Of each leaf, its node.
  std::vector<uint32_t> leaf_nodes;
  // Sorted by node, then by the tag's text.
  std::vector<TreeDefTag> tags;
  // Nodes that are aliases, in preorder.
  std::vector<uint32_t> alias_nodes;
  // Int keys of dicts, in preorder.
  std::vector<int64_t> ints;
  // Unique strings in order of first use, one after another, and where each begins; one entry more.
  std::string strings;
  std::vector<uint32_t> string_begins;
};

}  // namespace internal
}  // namespace leafstore

#endif  // LEAFSTORE_TREEDEF_INTERNAL_TREEDEF_COLUMNS_H_
