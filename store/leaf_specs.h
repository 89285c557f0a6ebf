// LeafSpecs: some slots of a Layout and, if known, the specs of the leaves there.
//
//   Align(params, layout);               // a ParamStore converts to it, and a Layout: all slots
//   const auto spec = [&](uint32_t place) { return item.leaves.spec(place); };
//   Grouping::Compile(LeafSpecs(item.layout, item.slots, spec), filters);   // of a file, not read
//
// It refers to the store or function that it is made from; use it only as a function argument.
#ifndef LEAFSTORE_STORE_LEAF_SPECS_H_
#define LEAFSTORE_STORE_LEAF_SPECS_H_

#include <cstdint>
#include <optional>
#include <utility>

#include "absl/functional/function_ref.h"

#include "leafstore/core/leaf_spec.h"
#include "leafstore/store/layout.h"
#include "leafstore/store/param_store.h"
#include "leafstore/store/slot_set.h"

namespace leafstore {

class LeafSpecs {
 public:
  using SpecAt = absl::FunctionRef<LeafSpec(uint32_t place)>;

  LeafSpecs(const ParamStore& store)  // NOLINT: implicit
      : layout_(store.layout()), slots_(store.slots()), store_(&store) {}
  LeafSpecs(const Layout& layout)  // NOLINT: implicit
      : layout_(layout), slots_(SlotSet::All(layout.size())) {}
  // `spec` returns the spec of the leaf at a place of `slots`. Without it, do not call spec().
  LeafSpecs(Layout layout, SlotSet slots, std::optional<SpecAt> spec = std::nullopt)
      : layout_(std::move(layout)), slots_(std::move(slots)), spec_(spec) {}

  const Layout& layout() const { return layout_; }
  const SlotSet& slots() const { return slots_; }
  uint32_t size() const { return slots_.size(); }
  Slot slot(uint32_t place) const { return slots_.SlotAt(place); }
  LeafSpec spec(uint32_t place) const {
    return store_ != nullptr ? store_->leaf(place).spec() : (*spec_)(place);
  }
  // The store of the leaves; null if only their specs are known.
  const ParamStore* store() const { return store_; }

 private:
  Layout layout_;
  SlotSet slots_;
  const ParamStore* store_ = nullptr;
  std::optional<SpecAt> spec_;
};

}  // namespace leafstore

#endif  // LEAFSTORE_STORE_LEAF_SPECS_H_
