// The header of a `.npy` file, and a reader of such a file, alone or in an archive, piece by piece.
//
// Errors: as LoadNpy.
#ifndef LEAFSTORE_INTEROP_NUMPY_INTERNAL_NPY_HEADER_H_
#define LEAFSTORE_INTEROP_NUMPY_INTERNAL_NPY_HEADER_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "leafstore/core/leaf_spec.h"
#include "leafstore/core/tensor.h"

namespace leafstore::internal {

struct NpyHeader {
  DType dtype = DType::kBool;
  Shape shape;
  bool fortran_order = false;
  bool big_endian = false;
  int64_t size = 0;       // offset of the tensor's bytes in the file
  int64_t byte_size = 0;  // of the tensor
};

// The longest header that is read: NumPy's limit for untrusted files.
inline constexpr int64_t kMaxNpyHeader = 10'000;

// Decodes the header from the first bytes of a file of `file_size` bytes; min(file_size,
// kMaxNpyHeader) bytes are always enough. For void_dtypes see NumpyOptions. error InvalidArgument
// with kForeign: a file in another format. error Unimplemented: the file has something other than a
// tensor; says what. O(header).
absl::StatusOr<NpyHeader> ParseNpyHeader(absl::Span<const std::byte> begin, int64_t file_size,
                                         const std::map<int, DType>& void_dtypes = {});

// Checks that each size in NumpyOptions::void_dtypes is that of its dtype. error InvalidArgument:
// one is not.
absl::Status CheckVoidDTypes(const std::map<int, DType>& void_dtypes);

// Returns the header for a tensor. error InvalidArgument: NumPy does not have the dtype, and
// `raw_bits` is false.
absl::StatusOr<std::string> EncodeNpyHeader(const LeafSpec& tensor, bool raw_bits);

// Fills the span with the next bytes.
using ReadNext = absl::FunctionRef<absl::Status(absl::Span<std::byte>)>;
// Reads a `.npy` file of `size` bytes, including the header. `max_bytes` limits the bytes of the
// tensor. Memory is allocated after the header has been checked. error ResourceExhausted: over the
// limit. Other errors: those of `read`.
absl::StatusOr<Tensor> ReadNpy(int64_t size, int64_t max_bytes,
                               const std::map<int, DType>& void_dtypes, ReadNext read);

}  // namespace leafstore::internal

#endif  // LEAFSTORE_INTEROP_NUMPY_INTERNAL_NPY_HEADER_H_
