// Derived data of a structure: made when it is first needed, and kept with it.
//
// Threads: each part is made once, by the first call; others wait for it.
#ifndef LEAFSTORE_TREEDEF_INTERNAL_TREEDEF_DERIVED_H_
#define LEAFSTORE_TREEDEF_INTERNAL_TREEDEF_DERIVED_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"

#include "leafstore/core/internal/lazy.h"
#include "leafstore/treedef/internal/path_table.h"
#include "leafstore/treedef/internal/treedef_rep.h"
#include "leafstore/treedef/treedef.h"

namespace leafstore::internal {

// The children of each node by position: one array for all nodes, and the begin of each node in it.
// Nodes whose children have no children are omitted: their children are the next nodes
// (HasAdjacentChildren).
struct ChildLists {
  std::vector<uint32_t> begins;
  std::vector<NodeId> children;
};

// Returns whether the children of `node` have consecutive ids.
inline bool HasAdjacentChildren(const TreeDefColumns& columns, NodeId node) {
  return columns.ends[node] - node - 1 == columns.child_counts[node];
}

struct TreeDefRep::Derived {
  Lazy<ChildLists> child_lists;
  Lazy<absl::StatusOr<PathTable>> paths;
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_TREEDEF_INTERNAL_TREEDEF_DERIVED_H_
