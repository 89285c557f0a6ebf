// Reads and writes NumPy's array files: one tensor in a `.npy`.
//
//   LEAFSTORE_RETURN_IF_ERROR(SaveNpy("weight.npy", weight));
//   Tensor weight = LoadNpy("weight.npy").value();
//
// The file: `\x93NUMPY`, a version, the length of the header, the header (a Python dict literal
// with 'descr', 'fortran_order' and 'shape'), and the bytes.
// (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html)
//
// Reading supports versions 1.0, 2.0 and 3.0, both byte orders, and Fortran order; the tensor is
// row-major and in the byte order of this machine. The bytes after the header must be exactly those
// of dtype and shape. Nothing is ever unpickled.
//
// Writing produces version 1.0, C order, little-endian: byte for byte the output of numpy.save
// (NumPy 2), which reserves space in the header for a larger first extent.
//
// dtypes. bool, (u)int 8-64, f16, f32, f64 and c64 are NumPy's bool_, (u)intN, float16, float32,
// float64 and complex64. NumPy has no bf16, f8, f6 or f4: writing one is error InvalidArgument
// without `raw_bits`. Reading other dtypes of NumPy (complex128, longdouble, strings, objects,
// records, dates) is error Unimplemented.
//
// Errors. DataLoss: not such a file, or truncated; says what was expected and found. Unimplemented:
// see above, or a newer version. NotFound and others: as FileSystem. All name the file.
//
// Threads: pure functions; safe.
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
  // Writes dtypes that NumPy does not have as unsigned integers of their width, in the same shape;
  // those narrower than a byte as the packed bytes, uint8 [bytes]. The file does not record the
  // original dtype.
  bool raw_bits = false;
};

// Writes a tensor. error InvalidArgument: the tensor is null, or NumPy does not have its dtype.
// Commit and other errors: as SaveSafetensors. O(bytes).
absl::Status SaveNpy(const std::string& path, const Tensor& tensor,
                     const NpySaveOptions& options = {});

// Reads a tensor. Of `options` the file system matters. error: see above. O(bytes).
absl::StatusOr<Tensor> LoadNpy(const std::string& path, const IoOptions& options = {});

// The decoded header of a file.
struct NpyHeader {
  DType dtype = DType::kBool;
  Shape shape;
  bool fortran_order = false;
  bool big_endian = false;
  int64_t size = 0;  // offset of the tensor's bytes in the file

  // Returns the spec of the tensor. Valid while this header lives unchanged.
  LeafSpec spec() const { return LeafSpec(dtype, shape); }
};

// The longest header that is read: NumPy's limit for untrusted files.
inline constexpr int64_t kMaxNpyHeader = 10'000;

// Decodes the header from the first bytes of a file of `file_size` bytes; min(file_size,
// kMaxNpyHeader) bytes are always enough. error DataLoss, Unimplemented: see above. O(header).
absl::StatusOr<NpyHeader> ParseNpyHeader(absl::Span<const std::byte> begin, int64_t file_size);

// Returns the header for a tensor. error InvalidArgument: NumPy does not have the dtype.
absl::StatusOr<std::string> EncodeNpyHeader(const LeafSpec& tensor, bool raw_bits = false);

// Makes a tensor from the bytes after a header; `bytes.size()` must be header.spec().byte_size().
// error DataLoss: a bool is neither 0 nor 1. error ResourceExhausted: no memory. O(bytes).
absl::StatusOr<Tensor> TensorOfNpy(const NpyHeader& header, absl::Span<const std::byte> bytes);

}  // namespace leafstore

#endif  // LEAFSTORE_INTEROP_NUMPY_NPY_H_
