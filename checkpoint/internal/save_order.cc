#include "leafstore/checkpoint/internal/save_order.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"

#include "leafstore/store/internal/slot_match.h"

namespace leafstore::internal {

absl::StatusOr<SaveOrder> SaveOrder::Create(const Layout& layout, const ParamStore& store) {
  if (store.layout() == layout) return SaveOrder(store.slots(), {});
  const std::vector<Slot> slots_there = SlotsIn(layout, store);
  std::vector<std::pair<Slot, uint32_t>> found;
  std::string wrong;
  for (uint32_t place = 0; place < store.size(); ++place) {
    if (slots_there[place] != kNoSlot) {
      found.emplace_back(slots_there[place], place);
    } else {
      absl::StrAppend(&wrong, wrong.empty() ? "" : ", ", "'", store.PathText(place),
                      "' (not in the structure)");
    }
  }
  std::sort(found.begin(), found.end());
  std::vector<Slot> slots;
  std::vector<uint32_t> places;
  for (const auto& [slot, place] : found) {
    if (!slots.empty() && slots.back() == slot) {
      absl::StrAppend(&wrong, wrong.empty() ? "" : ", ", "'", store.PathText(place),
                      "' (the same leaf as '", store.PathText(places.back()), "')");
    }
    slots.push_back(slot);
    places.push_back(place);
  }
  if (!wrong.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected leaves of the structure that is saved, found ", wrong));
  }
  return SaveOrder(SlotSet::FromSorted(layout.size(), std::move(slots)), std::move(places));
}

}  // namespace leafstore::internal
