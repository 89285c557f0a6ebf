// SlotsIn: where slots of one Layout are in another, for all that meets by path. For the library alone.
#ifndef LEAFSTORE_STORE_INTERNAL_SLOT_MATCH_H_
#define LEAFSTORE_STORE_INTERNAL_SLOT_MATCH_H_

#include <vector>

#include "leafstore/store/layout.h"
#include "leafstore/store/param_store.h"
#include "leafstore/store/slot_set.h"

namespace leafstore::internal {

// By place in `slots`, which are those of `from`, the slot in `layout` of the same path (through
// its aliases, too), or kNoSlot.
//
// Of equal Layouts: as it stands. Otherwise the two trees are walked side by side, from the root to
// the leaves asked for: O(nodes above them * log children), without a text. Where one of the two is
// no tree, by text: O(length) a leaf.
std::vector<Slot> SlotsIn(const Layout& layout, const Layout& from, const SlotSet& slots);
// The same for the leaves of a store.
inline std::vector<Slot> SlotsIn(const Layout& layout, const ParamStore& store) {
  return SlotsIn(layout, store.layout(), store.slots());
}

}  // namespace leafstore::internal

#endif  // LEAFSTORE_STORE_INTERNAL_SLOT_MATCH_H_
