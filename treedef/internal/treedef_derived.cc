#include "leafstore/treedef/internal/treedef_derived.h"

namespace leafstore::internal {

ChildLists ChildLists::Make(const TreeDefColumns& columns) {
  const uint32_t nodes = static_cast<uint32_t>(columns.kinds.size());
  ChildLists lists;
  lists.begins.resize(nodes);
  uint32_t listed = 0;
  for (NodeId node = 0; node < nodes; ++node) {
    lists.begins[node] = listed;
    if (!HasAdjacentChildren(columns, node)) listed += columns.child_counts[node];
  }
  lists.children.resize(listed);
  for (NodeId node = 1; node < nodes; ++node) {
    const NodeId parent = columns.parents[node];
    if (HasAdjacentChildren(columns, parent)) continue;
    // Children of structs and dicts do not store their position: count it in `begins`.
    lists.children[lists.begins[parent]++] = node;
  }
  for (NodeId node = 0; node < nodes; ++node) {
    if (!HasAdjacentChildren(columns, node)) lists.begins[node] -= columns.child_counts[node];
  }
  return lists;
}

Children::Children(const TreeDefRep& rep, NodeId node)
    : first_(node + 1), size_(rep.columns.child_counts[node]) {
  if (HasAdjacentChildren(rep.columns, node)) return;
  const ChildLists& lists =
      rep.derived->child_lists.Get([&rep] { return ChildLists::Make(rep.columns); });
  listed_ = lists.children.data() + lists.begins[node];
}

}  // namespace leafstore::internal
