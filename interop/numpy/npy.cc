#include "leafstore/interop/numpy/npy.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "leafstore/core/error_reason.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/interop/numpy/internal/npy_header.h"
#include "leafstore/io/internal/atomic_file.h"

namespace leafstore {

namespace internal {
namespace {

// Reverses the bytes of each element, of each half of a complex one.
void SwapBytes(DType dtype, absl::Span<std::byte> bytes) {
  const size_t size = dtype == DType::kC64 ? sizeof(float) : DTypeBits(dtype) / 8;
  for (auto at = bytes.begin(); at != bytes.end(); at += size) std::reverse(at, at + size);
}

// Copies a matrix whose columns are contiguous, `from_step` apart, to one whose rows are, `to_step`
// apart; in tiles that fit the cache.
template <typename T>
void Transpose(const T* from, int64_t rows, int64_t columns, int64_t from_step, T* to,
               int64_t to_step) {
  constexpr int64_t kTile = 32;
  for (int64_t row0 = 0; row0 < rows; row0 += kTile) {
    for (int64_t column0 = 0; column0 < columns; column0 += kTile) {
      const int64_t row_end = std::min(rows, row0 + kTile);
      const int64_t column_end = std::min(columns, column0 + kTile);
      for (int64_t row = row0; row < row_end; ++row) {
        for (int64_t column = column0; column < column_end; ++column) {
          to[row * to_step + column] = from[row + column * from_step];
        }
      }
    }
  }
}

// Copies elements from Fortran order (the first index varies fastest) to row-major order. For each
// choice of the indices between the first and the last, these two form a matrix. There are at least
// two axes, and no extent is 0.
template <typename T>
void ToRowMajor(ShapeRef shape, const std::byte* from_bytes, std::byte* to_bytes) {
  const auto* from = reinterpret_cast<const T*>(from_bytes);
  auto* to = reinterpret_cast<T*>(to_bytes);
  const size_t last = shape.size() - 1;
  Shape steps(shape.size(), 1);  // between elements of `from` along each axis
  for (size_t axis = 1; axis <= last; ++axis) steps[axis] = steps[axis - 1] * shape[axis - 1];
  const int64_t to_step = steps[last] / shape[0] * shape[last];
  Shape index(shape.size(), 0);
  for (size_t axis = last; axis > 0; to += shape[last]) {
    Transpose(from, shape[0], shape[last], steps[last], to, to_step);
    // Steps along the last axis in between, or if that is at its end along the one before, etc.
    for (axis = last; --axis > 0;) {
      from += steps[axis];
      if (++index[axis] < shape[axis]) break;
      from -= steps[axis] * std::exchange(index[axis], 0);
    }
  }
}

void ToRowMajor(DType dtype, ShapeRef shape, const std::byte* from, std::byte* to) {
  switch (DTypeBits(dtype)) {
    case 8:
      return ToRowMajor<uint8_t>(shape, from, to);
    case 16:
      return ToRowMajor<uint16_t>(shape, from, to);
    case 32:
      return ToRowMajor<uint32_t>(shape, from, to);
    default:
      return ToRowMajor<uint64_t>(shape, from, to);
  }
}

}  // namespace

absl::StatusOr<Tensor> ReadNpy(int64_t size, int64_t max_bytes,
                               const std::map<int, DType>& void_dtypes, ReadNext read) {
  LEAFSTORE_RETURN_IF_ERROR(CheckVoidDTypes(void_dtypes));
  std::vector<std::byte> begin(static_cast<size_t>(std::min(size, kMaxNpyHeader)));
  LEAFSTORE_RETURN_IF_ERROR(read(absl::MakeSpan(begin)));
  LEAFSTORE_ASSIGN_OR_RETURN(const NpyHeader header, ParseNpyHeader(begin, size, void_dtypes));
  if (header.byte_size > max_bytes) {
    return absl::ResourceExhaustedError(
        absl::StrCat("npy: expected at most ", max_bytes, " bytes, found ", header.byte_size));
  }
  const auto first = absl::MakeConstSpan(begin).subspan(static_cast<size_t>(header.size));
  LEAFSTORE_ASSIGN_OR_RETURN(Tensor tensor, Tensor::Uninitialized(header.dtype, header.shape));
  if (header.byte_size == 0) return tensor;
  const absl::Span<std::byte> bytes = TensorAccess::bytes(&tensor);
  std::memcpy(bytes.data(), first.data(), first.size());
  LEAFSTORE_RETURN_IF_ERROR(read(bytes.subspan(first.size())));
  if (header.big_endian) SwapBytes(header.dtype, bytes);
  if (header.dtype == DType::kBool && !AreBools(bytes)) {
    return absl::DataLossError("npy: expected bools to be 0 or 1, found another value");
  }
  if (!header.fortran_order || header.shape.size() < 2) return tensor;
  LEAFSTORE_ASSIGN_OR_RETURN(Tensor sorted, Tensor::Uninitialized(header.dtype, header.shape));
  ToRowMajor(header.dtype, header.shape, bytes.data(), TensorAccess::bytes(&sorted).data());
  return sorted;
}

}  // namespace internal

absl::Status SaveNpy(const std::string& path, const Tensor& tensor, const NumpyOptions& options) {
  if (tensor.null()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": expected a tensor, found null"));
  }
  const LeafSpec spec(tensor.dtype(), tensor.shape());
  LEAFSTORE_ASSIGN_OR_RETURN(const std::string header,
                             WithContext(internal::EncodeNpyHeader(spec, options.raw_bits), path));
  LEAFSTORE_ASSIGN_OR_RETURN(internal::AtomicFile file,
                             internal::AtomicFile::Create(path, options.io));
  LEAFSTORE_RETURN_IF_ERROR(file.stream().Append(
      absl::MakeConstSpan(reinterpret_cast<const std::byte*>(header.data()), header.size())));
  LEAFSTORE_RETURN_IF_ERROR(file.stream().Append(tensor.bytes()));
  LEAFSTORE_RETURN_IF_ERROR(file.Close());
  return file.Commit();
}

absl::StatusOr<Tensor> LoadNpy(const std::string& path, const NumpyOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(const auto file, options.io.files().Open(path));
  int64_t position = 0;
  absl::Status read;
  absl::StatusOr<Tensor> tensor = internal::ReadNpy(
      file->size(), options.max_bytes, options.void_dtypes, [&](absl::Span<std::byte> out) {
        const int64_t at = std::exchange(position, position + static_cast<int64_t>(out.size()));
        return read = file->ReadAt(at, out);
      });
  if (tensor.ok()) return tensor;
  // The file system names the path itself.
  return read.ok() ? WithContext(tensor.status(), path) : read;
}

}  // namespace leafstore
