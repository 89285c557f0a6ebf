// Cast: converts one dtype to another. Elements are read as double, which is exact except for
// 64-bit integers; these have their own functions. The pairs of floating types that training
// converts often are converted directly.
#include <bit>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"

#include "leafstore/core/tensor_eigen.h"
#include "leafstore/numeric/elements.h"
#include "leafstore/numeric/ops.h"

namespace leafstore {
namespace {

template <typename T>
inline constexpr bool kIsHalf =
    std::is_same_v<T, Eigen::half> || std::is_same_v<T, Eigen::bfloat16>;

// Returns the nearest float towards zero, with its last bit set if that is not x itself. Rounding
// it again to a type at least two bits shorter has the same result as rounding x once (Boldo and
// Melquiond, "When double rounding is odd", 2005).
float RoundToOdd(double x) {
  const auto near = static_cast<float>(x);
  if (static_cast<double>(near) == x || std::isnan(x)) return near;
  auto bits = std::bit_cast<uint32_t>(near);
  if (std::fabs(static_cast<double>(near)) > std::fabs(x)) --bits;
  return std::bit_cast<float>(bits | 1);
}

// Like the above, for an integer as a double. At least 42 of the 53 bits remain: enough for a half.
double RoundToOdd(uint64_t magnitude) {
  constexpr uint64_t kDropped = (uint64_t{1} << 11) - 1;
  if (magnitude >> 53 == 0) return static_cast<double>(magnitude);
  const uint64_t sticky = (magnitude & kDropped) != 0 ? kDropped + 1 : 0;
  return static_cast<double>((magnitude & ~kDropped) | sticky);
}

template <typename To>
To FromDouble(double x) {
  if constexpr (kIsHalf<To>) {
    return To(RoundToOdd(x));
  } else if constexpr (std::is_floating_point_v<To>) {
    return static_cast<To>(x);
  } else {
    using Limits = std::numeric_limits<To>;
    if (std::isnan(x)) return 0;
    if (x <= static_cast<double>(Limits::min())) return Limits::min();
    if (x >= std::ldexp(1.0, Limits::digits)) return Limits::max();
    return static_cast<To>(x);
  }
}

template <typename To, typename From>
To FromInteger(From x) {
  if constexpr (kIsHalf<To>) {
    const bool negative = x < 0;
    const auto magnitude =
        negative ? uint64_t{0} - static_cast<uint64_t>(x) : static_cast<uint64_t>(x);
    const double odd = RoundToOdd(magnitude);
    return FromDouble<To>(negative ? -odd : odd);
  } else if constexpr (std::is_floating_point_v<To>) {
    return static_cast<To>(x);
  } else {
    using Limits = std::numeric_limits<To>;
    if (std::cmp_less(x, Limits::min())) return Limits::min();
    if (std::cmp_greater(x, Limits::max())) return Limits::max();
    return static_cast<To>(x);
  }
}

template <typename From, typename To, typename Convert>
void ConvertAll(const Tensor& from, std::byte* to, Convert convert) {
  const From* in = reinterpret_cast<const From*>(from.raw_data());
  To* out = reinterpret_cast<To*>(to);
  const int64_t count = from.element_count();
  for (int64_t i = 0; i < count; ++i) out[i] = convert(in[i]);
}

template <typename To>
void ConvertThroughDouble(const Tensor& from, std::byte* to) {
  To* out = reinterpret_cast<To*>(to);
  std::array<double, kElementBlock> block;
  internal::ForEachBlock(from.element_count(), [&](int64_t begin, size_t size) {
    ReadElements(from, begin, absl::MakeSpan(block.data(), size));
    for (size_t i = 0; i < size; ++i) (out + begin)[i] = FromDouble<To>(block[i]);
  });
}

template <typename To>
void ConvertTo(const Tensor& from, std::byte* to) {
  const auto from_integer = [&](auto zero) {
    ConvertAll<decltype(zero), To>(from, to, FromInteger<To, decltype(zero)>);
  };
  if (internal::VisitType<int64_t, uint64_t>(from.dtype(), from_integer)) return;
  if constexpr (kIsHalf<To> || std::is_floating_point_v<To>) {
    const auto from_float = [&](auto zero) {
      ConvertAll<decltype(zero), To>(from, to,
                                     [](auto x) { return static_cast<To>(static_cast<float>(x)); });
    };
    using internal::VisitType;
    if (VisitType<float, Eigen::half, Eigen::bfloat16>(from.dtype(), from_float)) return;
  }
  ConvertThroughDouble<To>(from, to);
}

using Converter = void (*)(const Tensor& from, std::byte* to);

// Returns null for a dtype that is not a target of casts.
Converter ConverterTo(DType to) {
  Converter found = nullptr;
  internal::VisitType<float, double, Eigen::half, Eigen::bfloat16, uint8_t, int8_t, uint16_t,
                      int16_t, uint32_t, int32_t, uint64_t, int64_t>(
      to, [&found](auto zero) { found = ConvertTo<decltype(zero)>; });
  return found;
}

absl::Status CheckTarget(DType to) {
  if (ConverterTo(to) != nullptr) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "cast: expected f64, f32, f16, bf16 or an integer type to cast to, found ", DTypeName(to)));
}

bool SameFamily(DType from, DType to) {
  return (IsFloating(from) && IsFloating(to)) || (IsInteger(from) && IsInteger(to));
}

}  // namespace

absl::StatusOr<Tensor> CastTensor(const Tensor& tensor, DType to) {
  LEAFSTORE_RETURN_IF_ERROR(CheckTarget(to));
  if (tensor.dtype() == to) return tensor;
  if (tensor.dtype() == DType::kC64) {
    return absl::InvalidArgumentError(
        absl::StrCat("cast to ", DTypeName(to), ": expected real numbers, found c64"));
  }
  LEAFSTORE_ASSIGN_OR_RETURN(Tensor result, Tensor::Uninitialized(to, tensor.shape()));
  ConverterTo(to)(tensor, TensorAccess::bytes(&result).data());
  return result;
}

absl::StatusOr<ParamStore> Cast(const ParamStore& store, DType to) {
  LEAFSTORE_RETURN_IF_ERROR(CheckTarget(to));
  return Map(store, [to](const Tensor& tensor) -> absl::StatusOr<Tensor> {
    return SameFamily(tensor.dtype(), to) ? CastTensor(tensor, to) : tensor;
  });
}

}  // namespace leafstore
