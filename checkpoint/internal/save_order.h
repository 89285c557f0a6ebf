// SaveOrder: in which order, and under which slots of a Layout, the leaves of a store are saved.
//
// A store of the Layout itself is saved as it stands. One of another Layout (made by hand, or read
// from a format without structure) meets it by path, and its leaves are put into the Layout's
// order.
#ifndef LEAFSTORE_CHECKPOINT_INTERNAL_SAVE_ORDER_H_
#define LEAFSTORE_CHECKPOINT_INTERNAL_SAVE_ORDER_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

#include "leafstore/store/layout.h"
#include "leafstore/store/param_store.h"
#include "leafstore/store/slot_set.h"

namespace leafstore::internal {

class SaveOrder {
 public:
  // error InvalidArgument: the store has paths that are not in `layout`, or two that are one leaf
  // there; all are named. O(leaves).
  static absl::StatusOr<SaveOrder> Create(const Layout& layout, const ParamStore& store);

  // The slots of `layout` that are saved.
  const SlotSet& slots() const { return slots_; }
  // The place in the store of the leaf that is saved `number`th.
  uint32_t PlaceIn(uint32_t number) const { return places_.empty() ? number : places_[number]; }

 private:
  SaveOrder(SlotSet slots, std::vector<uint32_t> places)
      : slots_(std::move(slots)), places_(std::move(places)) {}

  SlotSet slots_;
  std::vector<uint32_t> places_;  // empty: each its own
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_CHECKPOINT_INTERNAL_SAVE_ORDER_H_
