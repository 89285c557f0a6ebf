// RowOrder: the order in which leaves are shown.
//
// Files, paths and the library have keys in byte order, in which layer 10 comes before layer 2. The
// natural order is for people: if all keys of a container consist of digits, its children are in
// numeric order. All other children stay in byte order.
//
// Threads: pure functions; thread-safe.
#ifndef LEAFSTORE_TOOLS_SOURCE_ROW_ORDER_H_
#define LEAFSTORE_TOOLS_SOURCE_ROW_ORDER_H_

#include <cstdint>
#include <vector>

#include "leafstore/tools/source/source.h"
#include "leafstore/treedef/treedef.h"

namespace leafstore::tools {

enum class RowOrder : uint8_t { kNatural, kBytes };

// Returns all nodes in preorder, with siblings in this order. The nodes of a subtree are
// contiguous, as in byte order. O(nodes * log children).
std::vector<NodeId> NodesInOrder(const TreeDef& def, RowOrder order);

// Returns the rank of each place of an item. Paths that do not form a tree keep their order.
// O(nodes * log children).
std::vector<uint32_t> RanksOfPlaces(const SourceItem& item, RowOrder order);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_SOURCE_ROW_ORDER_H_
