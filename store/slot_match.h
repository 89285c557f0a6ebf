// SlotsIn: where the leaves of one store are in another Layout. For store/ and
// checkpoint/ alone.
#ifndef LEAFSTORE_STORE_SLOT_MATCH_H_
#define LEAFSTORE_STORE_SLOT_MATCH_H_

#include <vector>

#include "leafstore/store/layout.h"
#include "leafstore/store/param_store.h"
#include "leafstore/store/slot_set.h"

namespace leafstore::internal {

// By place in `store`, the slot in `layout` of the same path (through its aliases, too), or kNoSlot.
//
// Of equal Layouts: as it stands. Otherwise the two trees are walked side by side, from the root to
// the leaves of `store`: O(nodes above them * log children), without a text. Where one of the two is
// no tree, by text: O(length) a leaf.
std::vector<Slot> SlotsIn(const Layout& layout, const ParamStore& store);

}  // namespace leafstore::internal

#endif  // LEAFSTORE_STORE_SLOT_MATCH_H_
