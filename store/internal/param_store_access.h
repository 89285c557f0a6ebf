// ParamStoreAccess and SplitLeaves: what split, merge, update and pack need of a ParamStore.
#ifndef LEAFSTORE_STORE_INTERNAL_PARAM_STORE_ACCESS_H_
#define LEAFSTORE_STORE_INTERNAL_PARAM_STORE_ACCESS_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/types/span.h"

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

// Return the leaves of a store, which is empty afterwards if it is an rvalue.
inline std::vector<Leaf> AllLeaves(ParamStore&& store) { return std::move(store).TakeLeaves(); }
inline absl::Span<const Leaf> AllLeaves(const ParamStore& store) { return store.leaves(); }

// Returns a store for each group, which must have slots of `store` only. The leaves of an rvalue
// are moved; those of a const store are copied.
template <typename Store>
std::vector<ParamStore> SplitLeaves(Store&& store, absl::Span<const SlotSet> groups) {
  const Layout layout = store.layout();
  const SlotSet held = store.slots();
  auto leaves = AllLeaves(std::forward<Store>(store));
  std::vector<ParamStore> split;
  split.reserve(groups.size());
  for (const SlotSet& group : groups) {
    std::vector<Leaf> own;
    own.reserve(group.size());
    const auto take = [&](uint32_t place) { own.push_back(std::move(leaves[place])); };
    if (held.is_all()) {  // a tight loop
      for (uint32_t i = 0; i < group.size(); ++i) take(group.SlotAt(i));
    } else {
      for (uint32_t i = 0; i < group.size(); ++i) take(held.PlaceOf(group.SlotAt(i)));
    }
    split.push_back(ParamStore::FromParts(layout, group, std::move(own)));
  }
  return split;
}

}  // namespace leafstore::internal

#endif  // LEAFSTORE_STORE_INTERNAL_PARAM_STORE_ACCESS_H_
