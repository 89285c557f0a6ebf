// DType: the type of one element of a tensor.
//
// All types of safetensors, with the same meaning, under short names:
//
//   bool  u8 i8 u16 i16 u32 i32 u64 i64     bool is one byte, 0 or 1
//   f16 bf16 f32 f64 c64                    c64 is two f32: real, imaginary
//   f8_e5m2 f8_e4m3 f8_e8m0 f8_e5m2fnuz f8_e4m3fnuz
//   f4 f6_e2m3 f6_e3m2                      narrower than a byte: packed, low bits first
//
// The values are written to disk, never change, and are never reused.
#ifndef LEAFSTORE_CORE_DTYPE_H_
#define LEAFSTORE_CORE_DTYPE_H_

#include <bit>
#include <complex>
#include <cstddef>
#include <cstdint>

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

// Returns every DType, by ascending value.
absl::Span<const DType> AllDTypes();

// Returns whether an integer is a DType. Check this before casting an integer from a file.
bool IsDType(uint64_t id);

// Returns the bits of one element: 4, 6, 8, 16, 32 or 64.
size_t DTypeBits(DType dtype);

// Returns the short name, such as "f32". Static storage.
absl::string_view DTypeName(DType dtype);

// Returns the DType with a short name.
// error InvalidArgument: no such name; the message lists all names.
absl::StatusOr<DType> ParseDType(absl::string_view name);

// Returns whether the type is real floating point of any width (not c64).
bool IsFloating(DType dtype);
// Returns whether the type is a signed or unsigned integer (not bool).
bool IsInteger(DType dtype);

namespace internal {
// Returns the bits of an element whose value is 1.
uint64_t BitsOfOne(DType dtype);
}  // namespace internal

// Returns whether all bytes are 0 or 1. Those of a bool tensor must be: C++ has no other bools.
// O(size).
bool AreBools(absl::Span<const std::byte> bytes);

// Maps a C++ type to the DType with the same object representation. core/tensor_eigen.h adds
// Eigen::half and Eigen::bfloat16. A type without a DType does not compile.
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
