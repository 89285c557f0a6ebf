// A `.npy` that comes in pieces: from a file, or out of an archive. For interop/ alone.
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

namespace leafstore {

// Fills the span with the next bytes.
using ReadNext = absl::FunctionRef<absl::Status(absl::Span<std::byte>)>;

// Reads a tensor of `size` bytes, header and all, to the last of them. `max_bytes`: the most that
// the tensor may have. error: as LoadNpy; ResourceExhausted: over the limit; or what `read` gives.
// Memory is taken when the header has been checked.
absl::StatusOr<Tensor> ReadNpy(int64_t size, int64_t max_bytes, ReadNext read);

// error InvalidArgument: NumPy has no such dtype, and raw bits were not asked for.
absl::Status CheckNpyDType(DType dtype, bool raw_bits);

}  // namespace leafstore

#endif  // LEAFSTORE_INTEROP_NUMPY_INTERNAL_NPY_STREAM_H_
