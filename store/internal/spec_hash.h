// SpecHash: the hash of what a leaf is, in its slot. Fingerprints of stores are sums of these.
#ifndef LEAFSTORE_STORE_INTERNAL_SPEC_HASH_H_
#define LEAFSTORE_STORE_INTERNAL_SPEC_HASH_H_

#include <cstdint>

#include "leafstore/core/leaf_spec.h"
#include "leafstore/store/slot_set.h"

namespace leafstore::internal {

// Returns the hash of a leaf's spec in a slot. Seeded in each process, and never 0 for all
// practical purposes. O(rank).
uint64_t SpecHash(Slot slot, const LeafSpec& spec);

}  // namespace leafstore::internal

#endif  // LEAFSTORE_STORE_INTERNAL_SPEC_HASH_H_
