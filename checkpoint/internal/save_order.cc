#include "leafstore/checkpoint/internal/save_order.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/store/internal/fit_reporter.h"

namespace leafstore {

absl::StatusOr<SaveOrder> SaveOrder::Create(const Layout& layout, const ParamStore& store) {
  if (store.layout() == layout) return SaveOrder(store.slots(), {});
  const Alignment where = Align(store, layout);
  internal::FitReporter reporter;
  reporter.AddUnexpected(store, where);
  reporter.AddCollisions(store, layout, where);
  LEAFSTORE_RETURN_IF_ERROR(
      reporter.report().ToStatus("the store does not fit the structure that is saved"));
  const std::vector<uint32_t> place_of_slot = where.Sources();
  std::vector<Slot> slots;
  std::vector<uint32_t> places;
  for (Slot slot = 0; slot < layout.size(); ++slot) {
    if (place_of_slot[slot] == kNoPlace) continue;
    slots.push_back(slot);
    places.push_back(place_of_slot[slot]);
  }
  return SaveOrder(internal::SlotSetAccess::Make(layout.size(), std::move(slots)),
                   std::move(places));
}

}  // namespace leafstore
