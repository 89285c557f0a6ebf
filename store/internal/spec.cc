#include "leafstore/store/internal/spec.h"

#include <utility>

#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"

namespace leafstore {

bool SameSpec(const Leaf& a, const Leaf& b) {
  if (a.is_tensor() != b.is_tensor()) return false;
  if (!a.is_tensor()) return a.value().kind() == b.value().kind();
  return a.tensor().dtype() == b.tensor().dtype() && a.tensor().shape() == b.tensor().shape();
}

std::string SpecToString(const Leaf& leaf) {
  if (leaf.null()) return "null";
  if (leaf.is_tensor()) return leaf.ToString();
  return absl::StrCat("static ", ValueKindName(leaf.value().kind()));
}

namespace internal {
namespace {

// What is hashed of a tensor. Slot, dtype and rank are one word, and the rank says where the extents
// end: two steps of the hash for a vector or a matrix, where there would be four.
struct HashedSpec {
  uint64_t head;
  ShapeRef shape;

  HashedSpec(Slot slot, const Tensor& tensor)
      : head(uint64_t{slot} << 16 | static_cast<uint64_t>(tensor.dtype()) << 8 | tensor.rank()),
        shape(tensor.shape()) {}

  template <typename H>
  friend H AbslHashValue(H state, const HashedSpec& spec) {
    return H::combine_contiguous(H::combine(std::move(state), spec.head), spec.shape.data(),
                                 spec.shape.size());
  }
};

static_assert(sizeof(DType) == 1 && kMaxRank < 256);

}  // namespace

uint64_t SpecHash(Slot slot, const Leaf& leaf) {
  if (!leaf.is_tensor()) return absl::HashOf(slot, leaf.value().kind());
  return absl::HashOf(HashedSpec(slot, leaf.tensor()));
}

}  // namespace internal
}  // namespace leafstore
