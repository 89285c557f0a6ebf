// LeafSpecs: the leaves that filters are evaluated on, as paths and specs.
//
//   Grouping::Compile(params, filters);             // a ParamStore is one
//   Grouping::Compile(
//       LeafSpecs(item.layout, item.slots, [&](uint32_t place) { return item.leaves.spec(place); }),
//       filters);                                        // the leaves of a file, none of them read
//
// It holds references to its arguments; use it only as a function argument.
#ifndef LEAFSTORE_SELECT_LEAF_SPECS_H_
#define LEAFSTORE_SELECT_LEAF_SPECS_H_

#include <cstdint>
#include <optional>

#include "absl/functional/function_ref.h"

#include "leafstore/core/leaf.h"
#include "leafstore/core/leaf_spec.h"
#include "leafstore/store/layout.h"
#include "leafstore/store/param_store.h"
#include "leafstore/store/slot_set.h"

namespace leafstore {

class LeafSpecs {
 public:
  LeafSpecs(const ParamStore& store)  // NOLINT: implicit, since a store has the specs of its leaves
      : layout_(store.layout()), slots_(store.slots()), store_(&store) {}
  // `spec` returns the spec of the leaf at a place of `slots`.
  LeafSpecs(const Layout& layout, const SlotSet& slots,
            absl::FunctionRef<LeafSpec(uint32_t place)> spec)
      : layout_(layout), slots_(slots), spec_(spec) {}

  const Layout& layout() const { return layout_; }
  // The slots of the layout that are present.
  const SlotSet& slots() const { return slots_; }
  uint32_t size() const { return slots_.size(); }
  LeafSpec spec(uint32_t place) const {
    return store_ != nullptr ? store_->leaf(place).spec() : (*spec_)(place);
  }
  // The store of the leaves; null if only their specs are known.
  const ParamStore* store() const { return store_; }

 private:
  const Layout& layout_;
  const SlotSet& slots_;
  const ParamStore* store_ = nullptr;
  std::optional<absl::FunctionRef<LeafSpec(uint32_t place)>> spec_;
};

}  // namespace leafstore

#endif  // LEAFSTORE_SELECT_LEAF_SPECS_H_
