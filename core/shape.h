// Shape: the extents of a tensor, outermost first (row-major). The shape of a scalar is `[]`.
//
//   Shape shape = {128, 64};
//   ElementCount(shape).value();              // 8192
//   ByteSize(DType::kF32, shape).value();     // 32768
//   ShapeToString(shape);                     // "[128, 64]"
//
// Counts are checked. A product that overflows is an error whatever the order of the extents, and
// even if one of them is zero. A negative extent is an error.
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

// An owned shape. Converts to ShapeRef, which functions accept.
using Shape = absl::InlinedVector<int64_t, 4>;
// A borrowed shape. Valid as long as the extents it points to.
using ShapeRef = absl::Span<const int64_t>;

// The highest rank of a tensor.
inline constexpr size_t kMaxRank = 32;

// Returns the number of elements.
// error InvalidArgument: a negative extent, or rank over kMaxRank.
// error ResourceExhausted: the product of the non-zero extents exceeds 2^63 - 1.
absl::StatusOr<int64_t> ElementCount(ShapeRef shape);

// Returns the size of the elements in bytes. Types narrower than a byte are packed and must fill
// whole bytes.
// error as ElementCount; InvalidArgument also: the bits are not a multiple of 8, or `dtype` is not
//       valid; ResourceExhausted also: the bytes exceed 2^63 - 1, not counting extents of zero.
absl::StatusOr<int64_t> ByteSize(DType dtype, ShapeRef shape);

// Returns "[2, 3]" or "[]".
std::string ShapeToString(ShapeRef shape);

namespace internal {

// Like ElementCount and ByteSize, for a shape that was checked before.
int64_t UncheckedElementCount(ShapeRef shape);
int64_t UncheckedByteSize(DType dtype, ShapeRef shape);

// Returns ByteSize if it is a simple product, as it nearly always is; otherwise, or if the dtype is
// invalid, -1: call ByteSize then. A fast path for loops over many tensors.
int64_t PlainByteSize(DType dtype, ShapeRef shape);

}  // namespace internal

}  // namespace leafstore

#endif  // LEAFSTORE_CORE_SHAPE_H_
