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
// unless `raw_bits` is set. Reading other dtypes of NumPy (complex128, longdouble, strings,
// objects, records, dates) is error Unimplemented. NumPy stores dtypes that it does not have
// (ml_dtypes' bfloat16) as bytes without a dtype, `<V2`; NumpyOptions::void_dtypes specifies their
// dtype.
//
// Errors. DataLoss: damaged or truncated; says what was expected and found. InvalidArgument: a file
// in another format; names the format and says what to do (ErrorReason::kForeign). Unimplemented:
// see above, or a newer version. NotFound and others: see FileSystem. All name the file.
//
// Threads: pure functions; thread-safe.
#ifndef LEAFSTORE_INTEROP_NUMPY_NPY_H_
#define LEAFSTORE_INTEROP_NUMPY_NPY_H_

#include <cstdint>
#include <limits>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "leafstore/core/tensor.h"
#include "leafstore/interop/names.h"
#include "leafstore/io/io_options.h"

namespace leafstore {

// The options of this file and of npz.h. Reading uses only `io`, `names`, `max_bytes`,
// `void_dtypes` and `skip_unreadable`.
struct NumpyOptions {
  IoOptions io = {};
  // Compresses an archive like numpy.savez_compressed; otherwise stores it like numpy.savez.
  bool deflate = false;
  // How names in an archive become paths, and paths names.
  NameStyle names = NameStyle::kSplit;
  // Skips static leaves; without it they are an error.
  bool drop_static = false;
  // Writes dtypes that NumPy does not have as unsigned integers of their width, in the same shape;
  // those narrower than a byte as the packed bytes, uint8 [bytes]. The file does not record the
  // original dtype.
  bool raw_bits = false;
  // The maximum total size of all tensors, in bytes.
  int64_t max_bytes = std::numeric_limits<int64_t>::max();
  // The dtypes of NumPy's void types by their size in bytes: {{2, DType::kBF16}} reads `<V2` as
  // bf16. A dtype whose size differs is error InvalidArgument.
  std::map<int, DType> void_dtypes = {};
  // For archives: leaves out unreadable members, instead of returning an error.
  bool skip_unreadable = false;
};

// Writes a tensor. error InvalidArgument: the tensor is null, or NumPy does not have its dtype.
// Commit and other errors: as SaveSafetensors. O(bytes).
absl::Status SaveNpy(const std::string& path, const Tensor& tensor,
                     const NumpyOptions& options = {});

// Reads a tensor. error: see above. O(bytes).
absl::StatusOr<Tensor> LoadNpy(const std::string& path, const NumpyOptions& options = {});

}  // namespace leafstore

#endif  // LEAFSTORE_INTEROP_NUMPY_NPY_H_
