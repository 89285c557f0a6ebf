// SpecHash: the hash of a leaf's spec and slot. Fingerprints of stores are sums of these.
#ifndef LEAFSTORE_STORE_INTERNAL_SPEC_HASH_H_
#define LEAFSTORE_STORE_INTERNAL_SPEC_HASH_H_

#include <cstdint>
#include <utility>

#include "absl/hash/hash.h"

#include "leafstore/core/leaf_spec.h"
#include "leafstore/store/slot_set.h"

namespace leafstore::internal {

// The hashed data of a tensor. Slot, dtype and rank are packed into one word, and the rank delimits
// the extents, so that a vector or matrix takes two steps of the hash instead of four.
struct HashedTensor {
  uint64_t head;
  ShapeRef shape;

  HashedTensor(Slot slot, DType dtype, ShapeRef dims)
      : head(uint64_t{slot} << 16 | static_cast<uint64_t>(dtype) << 8 | dims.size()), shape(dims) {}

  template <typename H>
  friend H AbslHashValue(H state, const HashedTensor& tensor) {
    return H::combine_contiguous(H::combine(std::move(state), tensor.head), tensor.shape.data(),
                                 tensor.shape.size());
  }
};
static_assert(sizeof(DType) == 1 && kMaxRank < 256);

// Returns the hash of a leaf's spec and slot, seeded per process; never 0 in practice. O(rank).
inline uint64_t SpecHash(Slot slot, const LeafSpec& spec) {
  if (!spec.is_tensor()) return absl::HashOf(slot, spec.value_kind());
  return absl::HashOf(HashedTensor(slot, spec.dtype(), spec.shape()));
}

}  // namespace leafstore::internal

#endif  // LEAFSTORE_STORE_INTERNAL_SPEC_HASH_H_
