// RowOrder: the order in which leaves are shown.
//
// The tree has its keys in byte order, in which layer 10 comes before layer 2; files, paths and the
// library keep that order. The natural order is for people: where all keys of a container are
// digits, its children are in the order of their numbers. It changes nothing else.
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

// Returns all nodes in preorder, with siblings in this order. The nodes of a subtree are a range,
// as in byte order. O(nodes * log children).
std::vector<NodeId> NodesInOrder(const TreeDef& def, RowOrder order);

// Returns the rank of each place of an item. Paths that do not form a tree keep their order.
// O(nodes * log children).
std::vector<uint32_t> RanksOfPlaces(const SourceItem& item, RowOrder order);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_SOURCE_ROW_ORDER_H_
