// DType: what one element of a tensor is.
//
// All the kinds safetensors has, with its meaning and this project's short names:
//
//   bool  u8 i8 u16 i16 u32 i32 u64 i64     bool is one byte, 0 or 1
//   f16 bf16 f32 f64 c64                    c64 is two f32: real, imaginary
//   f8_e5m2 f8_e4m3 f8_e8m0 f8_e5m2fnuz f8_e4m3fnuz
//   f4 f6_e2m3 f6_e3m2                      narrower than a byte: packed, low bits first
//
// The numbers are written to disk. They never change and are never used again for another type.
#ifndef LEAFSTORE_CORE_DTYPE_H_
#define LEAFSTORE_CORE_DTYPE_H_

#include <bit>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace leafstore {

// Files hold elements as they are in memory, in little-endian order.
static_assert(std::endian::native == std::endian::little,
              "leafstore supports little-endian machines only: its files hold elements as they "
              "are in memory, in little-endian order");

enum class DType : uint8_t {
  kBool = 1,
  kU8 = 2,
  kI8 = 3,
  kU16 = 4,
  kI16 = 5,
  kU32 = 6,
  kI32 = 7,
  kU64 = 8,
  kI64 = 9,
  kF16 = 10,
  kBF16 = 11,
  kF32 = 12,
  kF64 = 13,
  kC64 = 14,
  kF8E5M2 = 15,
  kF8E4M3 = 16,
  kF8E8M0 = 17,
  kF8E5M2FNUZ = 18,
  kF8E4M3FNUZ = 19,
  kF4 = 20,
  kF6E2M3 = 21,
  kF6E3M2 = 22,
};

// Every DType, in order of number.
absl::Span<const DType> AllDTypes();

// Whether `number` is one of the above: what a file says must pass here before it becomes a DType.
bool IsDType(uint64_t number);

// Bits of one element: 4, 6, 8, 16, 32 or 64.
size_t DTypeBits(DType dtype);

// The short name, "f32". Static storage.
absl::string_view DTypeName(DType dtype);

// The DType of a short name.
// error InvalidArgument: no such name; the message lists the names there are.
absl::StatusOr<DType> ParseDType(absl::string_view name);

// Real floating point of any width (not c64).
bool IsFloating(DType dtype);
// Signed or unsigned integer (not bool).
bool IsInteger(DType dtype);

// Returns whether all bytes are 0 or 1, as those of a bool tensor must be: C++ has no other bools.
// O(size).
bool AreBools(absl::Span<const std::byte> bytes);

// The C++ type whose object representation is one element. Eigen::half and Eigen::bfloat16 are
// added by core/tensor_eigen.h. A type without a DType does not compile.
template <typename T>
struct DTypeTraits;  // DTypeTraits<T>::kDType

#define LEAFSTORE_DTYPE_TRAITS_(type, dtype)      \
  template <>                                     \
  struct DTypeTraits<type> {                      \
    static constexpr DType kDType = DType::dtype; \
  }
LEAFSTORE_DTYPE_TRAITS_(bool, kBool);
LEAFSTORE_DTYPE_TRAITS_(uint8_t, kU8);
LEAFSTORE_DTYPE_TRAITS_(int8_t, kI8);
LEAFSTORE_DTYPE_TRAITS_(uint16_t, kU16);
LEAFSTORE_DTYPE_TRAITS_(int16_t, kI16);
LEAFSTORE_DTYPE_TRAITS_(uint32_t, kU32);
LEAFSTORE_DTYPE_TRAITS_(int32_t, kI32);
LEAFSTORE_DTYPE_TRAITS_(uint64_t, kU64);
LEAFSTORE_DTYPE_TRAITS_(int64_t, kI64);
LEAFSTORE_DTYPE_TRAITS_(float, kF32);
LEAFSTORE_DTYPE_TRAITS_(double, kF64);
LEAFSTORE_DTYPE_TRAITS_(std::complex<float>, kC64);
#undef LEAFSTORE_DTYPE_TRAITS_

template <typename T>
inline constexpr DType kDTypeOf = DTypeTraits<T>::kDType;

}  // namespace leafstore

#endif  // LEAFSTORE_CORE_DTYPE_H_
