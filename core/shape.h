// Shape: the extents of a tensor, outermost first (row-major). A scalar's shape is `[]`.
//
//   Shape shape = {128, 64};
//   ElementCount(shape).value();              // 8192
//   ByteSize(DType::kF32, shape).value();     // 32768
//   ShapeToString(shape);                     // "[128, 64]"
//
// Counts are checked: a product that overflows is an error in whatever order the extents come, a
// zero among them does not hide an overflow of the others, and no extent is negative.
#ifndef LEAFSTORE_CORE_SHAPE_H_
#define LEAFSTORE_CORE_SHAPE_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "leafstore/core/dtype.h"

namespace leafstore {

// An owned shape; functions take ShapeRef, which it converts to.
using Shape = absl::InlinedVector<int64_t, 4>;
// A borrowed shape, valid as long as what it points to.
using ShapeRef = absl::Span<const int64_t>;

// Highest rank a tensor may have.
inline constexpr size_t kMaxRank = 32;

// The number of elements.
// error InvalidArgument: a negative extent, or rank over kMaxRank.
// error ResourceExhausted: the product of the non-zero extents exceeds 2^63 - 1.
absl::StatusOr<int64_t> ElementCount(ShapeRef shape);

// The bytes that many elements take; sub-byte types are packed and must fill whole bytes.
// error as ElementCount; InvalidArgument also where the bits are no multiple of 8, or `dtype` is
//       none; ResourceExhausted also where the bytes exceed 2^63 - 1, which a zero does not hide
//       either.
absl::StatusOr<int64_t> ByteSize(DType dtype, ShapeRef shape);

// "[2, 3]", "[]".
std::string ShapeToString(ShapeRef shape);

namespace internal {

// Like ElementCount and ByteSize, for a shape that was checked before.
int64_t UncheckedElementCount(ShapeRef shape);
int64_t UncheckedByteSize(DType dtype, ShapeRef shape);

}  // namespace internal

}  // namespace leafstore

#endif  // LEAFSTORE_CORE_SHAPE_H_
