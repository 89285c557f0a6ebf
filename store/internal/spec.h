// Spec: what a leaf is, apart from its content: a tensor's dtype and shape, or a value's kind.
#ifndef LEAFSTORE_STORE_INTERNAL_SPEC_H_
#define LEAFSTORE_STORE_INTERNAL_SPEC_H_

#include <cstdint>
#include <string>

#include "leafstore/core/leaf.h"
#include "leafstore/store/slot_set.h"

namespace leafstore {

// Whether two leaves are tensors of the same dtype and shape, or values of the same kind. Not null.
bool SameSpec(const Leaf& a, const Leaf& b);

// "f32[2, 3]", or "static int".
std::string SpecToString(const Leaf& leaf);

namespace internal {

// A hash of a leaf's spec in its slot, seeded in each process, never 0 for all practical purposes.
// Fingerprints of stores are sums of these.
uint64_t SpecHash(Slot slot, const Leaf& leaf);

}  // namespace internal
}  // namespace leafstore

#endif  // LEAFSTORE_STORE_INTERNAL_SPEC_H_
