// ParamStoreAccess and GatherLeaves: what split, merge, update and pack need of a ParamStore.
#ifndef LEAFSTORE_STORE_INTERNAL_PARAM_STORE_ACCESS_H_
#define LEAFSTORE_STORE_INTERNAL_PARAM_STORE_ACCESS_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "leafstore/store/param_store.h"

namespace leafstore::internal {

struct ParamStoreAccess {
  // Sets the fingerprint of a store's leaves; 0 if unknown.
  static void SetFingerprint(uint64_t spec_fingerprint, ParamStore* store) {
    store->array_.get()->spec_fingerprint.store(spec_fingerprint, std::memory_order_relaxed);
  }
  // `same_spec`: the new leaf is known to have the spec of the old one.
  static void ReplaceLeaf(ParamStore* store, uint32_t place, Leaf leaf, bool same_spec) {
    store->ReplaceLeaf(place, std::move(leaf), same_spec);
  }
  // Returns whether another store shares the vector of handles.
  static bool SharesLeaves(const ParamStore& store) { return !store.array_.IsUnique(); }
};

// Returns the leaves in some slots of `held`, whose leaves are `leaves`, moved or copied by `take`.
template <typename Leaves, typename Take>
std::vector<Leaf> GatherLeaves(const SlotSet& held, const SlotSet& slots, Leaves& leaves,
                               Take take) {
  std::vector<Leaf> gathered;
  gathered.reserve(slots.size());
  if (held.is_all()) {  // a tight loop
    for (uint32_t i = 0; i < slots.size(); ++i) gathered.push_back(take(leaves[slots.SlotAt(i)]));
  } else {
    for (uint32_t i = 0; i < slots.size(); ++i) {
      gathered.push_back(take(leaves[held.PlaceOf(slots.SlotAt(i))]));
    }
  }
  return gathered;
}
inline constexpr auto kCopyLeaf = [](const Leaf& leaf) { return leaf; };
inline constexpr auto kMoveLeaf = [](Leaf& leaf) { return std::move(leaf); };

}  // namespace leafstore::internal

#endif  // LEAFSTORE_STORE_INTERNAL_PARAM_STORE_ACCESS_H_
