#include "leafstore/core/shape.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "leafstore/core/status_macros.h"

namespace leafstore {
namespace {

// Returns the product of the extents that are not zero.
absl::StatusOr<int64_t> CountWithoutZeros(ShapeRef shape) {
  if (shape.size() > kMaxRank) {
    return absl::InvalidArgumentError(
        absl::StrCat("a shape of rank ", shape.size(), "; the highest rank is ", kMaxRank));
  }
  // Checked before any product, so that the error does not depend on the order of the extents.
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] < 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("shape ", ShapeToString(shape), ": extent ", i, " is negative"));
    }
  }
  int64_t product = 1;
  for (const int64_t extent : shape) {
    if (extent != 0 && __builtin_mul_overflow(product, extent, &product)) {
      return absl::ResourceExhaustedError(
          absl::StrCat("shape ", ShapeToString(shape), ": more than 2^63 - 1 elements"));
    }
  }
  return product;
}

bool HasZero(ShapeRef shape) { return std::find(shape.begin(), shape.end(), 0) != shape.end(); }

}  // namespace

absl::StatusOr<int64_t> ElementCount(ShapeRef shape) {
  LEAFSTORE_ASSIGN_OR_RETURN(const int64_t count, CountWithoutZeros(shape));
  return HasZero(shape) ? 0 : count;
}

absl::StatusOr<int64_t> ByteSize(DType dtype, ShapeRef shape) {
  LEAFSTORE_ASSIGN_OR_RETURN(const int64_t without_zeros, CountWithoutZeros(shape));
  const int64_t elements = HasZero(shape) ? 0 : without_zeros;
  if (!IsDType(static_cast<uint64_t>(dtype))) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected a dtype, found the value ", static_cast<int>(dtype)));
  }
  // The smallest number of elements that fills complete bytes, and that number of bytes: f6 packs 4
  // elements into 3 bytes.
  const auto bits = static_cast<int64_t>(DTypeBits(dtype));
  const int64_t run_bits = std::lcm(bits, int64_t{8});
  const int64_t run_elements = run_bits / bits;
  const int64_t run_bytes = run_bits / 8;
  if (elements % run_elements != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("shape ", ShapeToString(shape), " of ", DTypeName(dtype), ": ", elements,
                     " elements of ", bits, " bits do not fill whole bytes"));
  }
  int64_t unused;
  if (__builtin_mul_overflow(without_zeros / run_elements, run_bytes, &unused)) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "shape ", ShapeToString(shape), " of ", DTypeName(dtype), ": more than 2^63 - 1 bytes"));
  }
  return elements / run_elements * run_bytes;
}

int64_t internal::UncheckedElementCount(ShapeRef shape) {
  int64_t count = 1;
  for (const int64_t extent : shape) count *= extent;
  return count;
}

int64_t internal::UncheckedByteSize(DType dtype, ShapeRef shape) {
  const auto bits = static_cast<int64_t>(DTypeBits(dtype));
  const int64_t count = UncheckedElementCount(shape);
  return bits >= 8 ? count * (bits / 8) : count / 8 * bits + count % 8 * bits / 8;
}

int64_t internal::PlainByteSize(DType dtype, ShapeRef shape) {
  // The bytes of an element; 0 for an invalid dtype, or one narrower than a byte.
  static const std::array<uint8_t, 256> element_bytes = [] {
    std::array<uint8_t, 256> made{};
    for (const DType each : AllDTypes()) {
      const size_t bits = DTypeBits(each);
      made[static_cast<uint8_t>(each)] = static_cast<uint8_t>(bits % 8 == 0 ? bits / 8 : 0);
    }
    return made;
  }();
  int64_t bytes = element_bytes[static_cast<uint8_t>(dtype)];
  if (bytes == 0 || shape.size() > kMaxRank) return -1;
  for (const int64_t extent : shape) {
    if (extent <= 0 || __builtin_mul_overflow(bytes, extent, &bytes)) return -1;
  }
  return bytes;
}

std::string ShapeToString(ShapeRef shape) {
  std::string out = "[";
  for (size_t i = 0; i < shape.size(); ++i) absl::StrAppend(&out, i == 0 ? "" : ", ", shape[i]);
  out.push_back(']');
  return out;
}

}  // namespace leafstore
