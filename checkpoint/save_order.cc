#include "leafstore/checkpoint/save_order.h"

#include <algorithm>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"

namespace leafstore {

absl::StatusOr<SaveOrder> SaveOrder::Create(const Layout& layout, const ParamStore& store) {
  if (store.layout() == layout) return SaveOrder(store.slots(), {});
  std::vector<std::pair<Slot, uint32_t>> found;
  std::string wrong;
  for (uint32_t place = 0; place < store.size(); ++place) {
    const std::string path = store.PathText(place);
    if (const std::optional<Slot> slot = layout.Find(path)) {
      found.emplace_back(*slot, place);
    } else {
      absl::StrAppend(&wrong, wrong.empty() ? "" : ", ", "'", path, "' (not in the structure)");
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
  return SaveOrder(SlotSet::Create(layout.size(), std::move(slots)), std::move(places));
}

}  // namespace leafstore
