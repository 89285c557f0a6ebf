// GlobalNorm and ClipByGlobalNorm.
#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"

#include "leafstore/core/tensor_eigen.h"
#include "leafstore/numeric/elements.h"
#include "leafstore/numeric/internal/lanes.h"
#include "leafstore/numeric/ops.h"

namespace leafstore {
namespace {

bool Counts(DType dtype) { return IsFloating(dtype) || dtype == DType::kC64; }

// Sums the squares of at most kElementBlock elements.
template <typename T>
double BlockSquares(const T* x, size_t size) {
  return internal::SumByLanes(absl::MakeConstSpan(x, size), [](T element) {
    const auto value = static_cast<double>(element);
    return value * value;
  });
}

template <typename T>
double SquaresOf(const std::byte* data, int64_t count) {
  const T* x = reinterpret_cast<const T*>(data);
  double sum = 0;
  internal::ForEachBlock(count,
                         [&](int64_t begin, size_t size) { sum += BlockSquares(x + begin, size); });
  return sum;
}

double Squares(DType dtype, const std::byte* data, int64_t count) {
  if (dtype == DType::kF32) return SquaresOf<float>(data, count);
  if (dtype == DType::kF64) return SquaresOf<double>(data, count);
  if (dtype == DType::kC64) return SquaresOf<float>(data, 2 * count);
  double sum = 0;
  internal::ForEachBlock(count, [&](int64_t begin, size_t size) {
    std::array<double, kElementBlock> block;
    ReadElements(dtype, data, begin, absl::MakeSpan(block.data(), size));
    sum += BlockSquares(block.data(), size);
  });
  return sum;
}

double Squares(const Leaf& leaf) {
  if (!leaf.is_tensor() || !Counts(leaf.tensor().dtype())) return 0;
  const Tensor& tensor = leaf.tensor();
  return Squares(tensor.dtype(), tensor.raw_data(), tensor.element_count());
}

// Multiplies f64 in double, all other types in float.
template <typename T>
void ScaleAs(std::byte* data, int64_t count, double factor) {
  T* x = reinterpret_cast<T*>(data);
  if constexpr (std::is_same_v<T, double>) {
    for (int64_t i = 0; i < count; ++i) x[i] *= factor;
  } else {
    const auto narrow = static_cast<float>(factor);
    for (int64_t i = 0; i < count; ++i) x[i] = static_cast<T>(static_cast<float>(x[i]) * narrow);
  }
}

// Returns false, without scaling, for a dtype that cannot be scaled.
bool Scale(DType dtype, std::byte* data, int64_t count, double factor) {
  if (dtype == DType::kC64) return Scale(DType::kF32, data, 2 * count, factor);
  return internal::VisitType<double, float, Eigen::half, Eigen::bfloat16>(
      dtype, [&](auto zero) { ScaleAs<decltype(zero)>(data, count, factor); });
}

bool CanScale(DType dtype) { return Scale(dtype, nullptr, 0, 1); }

absl::Status CannotScale(absl::string_view path, DType dtype) {
  return absl::InvalidArgumentError(absl::StrCat(
      "clip: at ", path, ": expected f64, f32, f16, bf16 or c64, which can be scaled, found ",
      DTypeName(dtype)));
}

// Calls `fn` with the place of each tensor that counts, and the tensor, until it fails.
template <typename Leaves, typename Fn>
absl::Status ForEachCounted(Leaves& leaves, const Fn& fn) {
  for (uint32_t place = 0; place < leaves.size(); ++place) {
    const Leaf& leaf = leaves.leaf(place);
    if (!leaf.is_tensor() || !Counts(leaf.tensor().dtype())) continue;
    LEAFSTORE_RETURN_IF_ERROR(fn(place, leaf.tensor()));
  }
  return absl::OkStatus();
}

absl::Status CheckCanScale(const ParamStore& store) {
  return ForEachCounted(store, [&store](uint32_t place, const Tensor& tensor) {
    if (CanScale(tensor.dtype())) return absl::OkStatus();
    return CannotScale(store.PathText(place), tensor.dtype());
  });
}

// Clones everything that must be cloned, before the first element is written.
absl::Status PrepareLeaves(MutableLeaves& leaves) {
  return ForEachCounted(
      leaves, [&leaves](uint32_t place, const Tensor&) { return leaves.raw_data(place).status(); });
}

absl::Status ScaleLeaves(MutableLeaves& leaves, double factor) {
  return ForEachCounted(leaves, [&](uint32_t place, const Tensor& tensor) -> absl::Status {
    LEAFSTORE_ASSIGN_OR_RETURN(std::byte * data, leaves.raw_data(place));
    Scale(tensor.dtype(), data, tensor.element_count(), factor);
    return absl::OkStatus();
  });
}

absl::StatusOr<double> SumOfSquares(const ParamStore& store) {
  LEAFSTORE_RETURN_IF_ERROR(store.CheckNoBorrow("take the norm of a store"));
  double sum = 0;
  for (const Leaf& leaf : store.leaves()) sum += Squares(leaf);
  return sum;
}

absl::StatusOr<double> SumOfSquares(const Packed& packed) {
  LEAFSTORE_ASSIGN_OR_RETURN(const absl::Span<const std::byte> bytes, packed.bytes());
  LEAFSTORE_RETURN_IF_ERROR(packed.rest().CheckNoBorrow("take the norm of a pack"));
  const PackLayout& packing = packed.pack_layout();
  const auto bits = static_cast<int64_t>(DTypeBits(packing.dtype()));
  double sum = 0;
  for (uint32_t place = 0; place < packed.slots().size(); ++place) {
    const Slot slot = packed.slots().SlotAt(place);
    const uint32_t in_pack = packing.PlaceOf(slot);
    if (in_pack == kNoPlace) {
      sum += Squares(*packed.rest().FindSlot(slot));
    } else if (Counts(packing.dtype())) {
      const int64_t count = packing.bytes(in_pack) * 8 / bits;
      sum += Squares(packing.dtype(), bytes.data() + packing.offset(in_pack), count);
    }
  }
  return sum;
}

}  // namespace

absl::StatusOr<double> GlobalNorm(const ParamStore& store) {
  LEAFSTORE_ASSIGN_OR_RETURN(const double sum, SumOfSquares(store));
  return std::sqrt(sum);
}

absl::StatusOr<double> GlobalNorm(const Packed& packed) {
  LEAFSTORE_ASSIGN_OR_RETURN(const double sum, SumOfSquares(packed));
  return std::sqrt(sum);
}

absl::StatusOr<double> GlobalNorm(const Groups& groups) {
  double sum = 0;
  for (const Group& group : groups) {
    LEAFSTORE_ASSIGN_OR_RETURN(const double of_group, group.packed() ? SumOfSquares(group.pack())
                                                                     : SumOfSquares(group.store()));
    sum += of_group;
  }
  return std::sqrt(sum);
}

absl::StatusOr<double> ClipScale(double norm, double max_norm) {
  if (!(max_norm > 0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("max_norm: expected a positive number, found ", max_norm));
  }
  const auto wrong_norm = [norm](absl::StatusCode code) {
    return absl::Status(
        code, absl::StrCat("norm of the gradients: expected a finite number of at least 0, found ",
                           norm));
  };
  if (!std::isfinite(norm)) return wrong_norm(absl::StatusCode::kFailedPrecondition);
  if (norm < 0) return wrong_norm(absl::StatusCode::kInvalidArgument);
  return std::min(1.0, max_norm / (norm + 1e-6));
}

absl::StatusOr<double> ClipByGlobalNorm(ParamStore* store, double max_norm) {
  LEAFSTORE_ASSIGN_OR_RETURN(const double norm, GlobalNorm(*store));
  LEAFSTORE_ASSIGN_OR_RETURN(const double factor, ClipScale(norm, max_norm));
  if (factor == 1) return norm;
  LEAFSTORE_RETURN_IF_ERROR(CheckCanScale(*store));
  LEAFSTORE_ASSIGN_OR_RETURN(MutableLeaves leaves, store->MutateAll());
  LEAFSTORE_RETURN_IF_ERROR(PrepareLeaves(leaves));
  LEAFSTORE_RETURN_IF_ERROR(ScaleLeaves(leaves, factor));
  return norm;
}

absl::StatusOr<double> ClipByGlobalNorm(Packed* packed, double max_norm) {
  LEAFSTORE_ASSIGN_OR_RETURN(const double norm, GlobalNorm(*packed));
  LEAFSTORE_ASSIGN_OR_RETURN(const double factor, ClipScale(norm, max_norm));
  if (factor == 1) return norm;
  const PackLayout& packing = packed->pack_layout();
  const bool scales_pack = Counts(packing.dtype()) && packing.size() > 0;
  if (scales_pack && !CanScale(packing.dtype())) {
    return CannotScale(packing.layout().PathText(packing.slot(0)), packing.dtype());
  }
  LEAFSTORE_RETURN_IF_ERROR(CheckCanScale(packed->rest()));
  {
    LEAFSTORE_ASSIGN_OR_RETURN(MutableLeaves rest, packed->MutateRest());
    LEAFSTORE_RETURN_IF_ERROR(PrepareLeaves(rest));
  }
  if (scales_pack) {
    LEAFSTORE_ASSIGN_OR_RETURN(MutablePack writing, packed->Mutate());
    // Includes the gaps, whose zeros stay zeros.
    const absl::Span<std::byte> bytes = writing.bytes();
    const auto element = static_cast<int64_t>(DTypeBits(packing.dtype()) / 8);
    Scale(packing.dtype(), bytes.data(), packing.byte_size() / element, factor);
  }
  LEAFSTORE_ASSIGN_OR_RETURN(MutableLeaves rest, packed->MutateRest());
  LEAFSTORE_RETURN_IF_ERROR(ScaleLeaves(rest, factor));
  return norm;
}

}  // namespace leafstore
