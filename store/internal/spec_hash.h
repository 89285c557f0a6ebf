// SpecHash: the hash of a leaf's spec and slot. Fingerprints of stores are sums of these.
#ifndef LEAFSTORE_STORE_INTERNAL_SPEC_HASH_H_
#define LEAFSTORE_STORE_INTERNAL_SPEC_HASH_H_

#include <cstdint>

#include "leafstore/core/leaf_spec.h"
#include "leafstore/store/slot_set.h"

namespace leafstore::internal {

// Returns the hash of a leaf's spec and slot, seeded per process; never 0 in practice. O(rank).
uint64_t SpecHash(Slot slot, const LeafSpec& spec);

}  // namespace leafstore::internal

#endif  // LEAFSTORE_STORE_INTERNAL_SPEC_HASH_H_
