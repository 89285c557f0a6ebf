// NumPy's array files: one tensor in a `.npy`.
//
//   LEAFSTORE_RETURN_IF_ERROR(SaveNpy("weight.npy", weight));
//   Tensor weight = LoadNpy("weight.npy").value();
//
// The file: `\x93NUMPY`, a version, the length of the header, the header (a dict as Python writes
// it, with 'descr', 'fortran_order' and 'shape'), and the bytes.
// (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html)
//
// Reading takes versions 1.0, 2.0 and 3.0, either byte order, and Fortran order: the tensor is
// row-major and in this machine's byte order. The bytes behind the header must be as many as dtype
// and shape ask for, no more. Nothing is ever unpickled.
//
// Writing gives version 1.0, C order, little-endian: byte for byte what numpy.save writes (NumPy
// 2), which puts spaces into the header for a first extent that may grow.
//
// dtypes. bool, (u)int 8-64, f16, f32, f64 and c64 are NumPy's bool_, (u)intN, float16, float32,
// float64 and complex64. NumPy has no bf16, f8, f6 or f4: writing one is error InvalidArgument,
// unless raw bits are asked for. Reading others that NumPy has (complex128, longdouble, strings,
// objects, records, dates) is error Unimplemented.
//
// Errors. DataLoss: no such file, or cut short; says what was expected and found. Unimplemented:
// see above, or a newer version. NotFound and others as FileSystem's. All name the file.
//
// Threads: functions of their arguments.
#ifndef LEAFSTORE_INTEROP_NUMPY_NPY_H_
#define LEAFSTORE_INTEROP_NUMPY_NPY_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "leafstore/core/dtype.h"
#include "leafstore/core/leaf_spec.h"
#include "leafstore/core/shape.h"
#include "leafstore/core/tensor.h"
#include "leafstore/io/io_options.h"

namespace leafstore {

struct NpySaveOptions {
  IoOptions io = {};
  // dtypes that NumPy has not are written as the unsigned integers of their width, in the same
  // shape; those narrower than a byte as the packed bytes, uint8 [bytes]. Which dtype they were is
  // not in the file.
  bool raw_bits = false;
};

// error InvalidArgument: the tensor is null, or of a dtype that NumPy has not. Commit and others:
// as SaveSafetensors. O(bytes).
absl::Status SaveNpy(const std::string& path, const Tensor& tensor,
                     const NpySaveOptions& options = {});

// Loads the tensor of a file. Of `options` the file system matters. error: see above. O(bytes).
absl::StatusOr<Tensor> LoadNpy(const std::string& path, const IoOptions& options = {});

// What stands before the bytes.
struct NpyHeader {
  DType dtype = DType::kBool;
  Shape shape;
  bool fortran_order = false;
  bool big_endian = false;
  int64_t size = 0;  // of all that stands before the bytes

  // What follows it. Valid while this header lives unchanged.
  LeafSpec spec() const { return LeafSpec(dtype, shape); }
};

// The longest header that is read, as NumPy's limit for what it does not trust.
inline constexpr int64_t kMaxNpyHeader = 10'000;

// The header of a file of `file_size` bytes, of its beginning: min(file_size, kMaxNpyHeader) bytes
// are always enough. error DataLoss, Unimplemented: see above. O(header).
absl::StatusOr<NpyHeader> ParseNpyHeader(absl::Span<const std::byte> begin, int64_t file_size);

// The header that is written. error InvalidArgument: NumPy has no such dtype.
absl::StatusOr<std::string> EncodeNpyHeader(const LeafSpec& tensor, bool raw_bits = false);

// Returns the bytes behind a header as a tensor. `bytes.size()` must be header.spec().byte_size().
// error DataLoss: a bool is neither 0 nor 1. error ResourceExhausted: no memory. O(bytes).
absl::StatusOr<Tensor> TensorOfNpy(const NpyHeader& header, absl::Span<const std::byte> bytes);

}  // namespace leafstore

#endif  // LEAFSTORE_INTEROP_NUMPY_NPY_H_
