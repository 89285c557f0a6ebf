// Reads a `.npy` piece by piece, from a file or from an archive.
#ifndef LEAFSTORE_INTEROP_NUMPY_INTERNAL_NPY_STREAM_H_
#define LEAFSTORE_INTEROP_NUMPY_INTERNAL_NPY_STREAM_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "leafstore/core/tensor.h"

namespace leafstore::internal {

// Fills the span with the next bytes.
using ReadNext = absl::FunctionRef<absl::Status(absl::Span<std::byte>)>;

// Reads a `.npy` of `size` bytes, including the header. `max_bytes` limits the bytes of the tensor.
// error: as LoadNpy; ResourceExhausted: over the limit; or the error of `read`. Memory is allocated
// after the header has been checked.
absl::StatusOr<Tensor> ReadNpy(int64_t size, int64_t max_bytes, ReadNext read);

// error InvalidArgument: NumPy does not have the dtype, and `raw_bits` is false.
absl::Status CheckNpyDType(DType dtype, bool raw_bits);

}  // namespace leafstore::internal

#endif  // LEAFSTORE_INTEROP_NUMPY_INTERNAL_NPY_STREAM_H_
