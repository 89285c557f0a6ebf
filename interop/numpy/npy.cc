#include "leafstore/interop/numpy/npy.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "leafstore/core/error_reason.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/interop/numpy/internal/npy_stream.h"
#include "leafstore/io/internal/atomic_file.h"

namespace leafstore {

using internal::ReadNext;
using internal::ReadNpy;

namespace {

// Reverses the bytes of each element.
template <typename T>
void SwapBytes(std::byte* bytes, size_t size) {
  for (size_t i = 0; i < size; i += sizeof(T)) {
    std::reverse(bytes + i, bytes + i + sizeof(T));
  }
}

void ToNativeOrder(DType dtype, std::byte* bytes, size_t size) {
  // A complex element is two floats.
  switch (dtype == DType::kC64 ? 4 : DTypeBits(dtype) / 8) {
    case 2:
      return SwapBytes<uint16_t>(bytes, size);
    case 4:
      return SwapBytes<uint32_t>(bytes, size);
    case 8:
      return SwapBytes<uint64_t>(bytes, size);
    default:
      return;
  }
}

// Copies a column-major matrix (`from`, columns `from_step` apart) to a row-major one (`to`, rows
// `to_step` apart), in tiles that fit the cache.
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

// Converts elements from Fortran order (the first index varies fastest) to row-major order. For
// each choice of the indices between the first and the last, these two form a matrix.
template <typename T>
void ToRowMajor(ShapeRef shape, const std::byte* from_bytes, std::byte* to_bytes) {
  const auto* from = reinterpret_cast<const T*>(from_bytes);
  auto* to = reinterpret_cast<T*>(to_bytes);
  const size_t last = shape.size() - 1;
  Shape from_steps(shape.size(), 1);
  Shape to_steps(shape.size(), 1);
  for (size_t i = 1; i <= last; ++i) from_steps[i] = from_steps[i - 1] * shape[i - 1];
  for (size_t i = last; i > 0; --i) to_steps[i - 1] = to_steps[i] * shape[i];
  Shape index(shape.size(), 0);  // of the middle axes
  for (;;) {
    int64_t from_at = 0;
    int64_t to_at = 0;
    for (size_t i = 1; i < last; ++i) {
      from_at += index[i] * from_steps[i];
      to_at += index[i] * to_steps[i];
    }
    Transpose(from + from_at, shape[0], shape[last], from_steps[last], to + to_at, to_steps[0]);
    size_t i = 1;
    while (i < last && ++index[i] == shape[i]) index[i++] = 0;
    if (i >= last) return;
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

absl::Status CheckNpyBools(const Tensor& tensor) {
  if (tensor.dtype() != DType::kBool || AreBools(tensor.bytes())) return absl::OkStatus();
  return absl::DataLossError("npy: expected bools, 0 or 1, found another byte");
}

// The order of elements matters if the tensor has elements and at least two extents exceed 1.
bool IsReordered(const NpyHeader& header) {
  return header.fortran_order && header.spec().byte_size() > 0 && header.shape.size() > 1;
}

}  // namespace

absl::StatusOr<Tensor> TensorOfNpy(const NpyHeader& header, absl::Span<const std::byte> bytes) {
  if (static_cast<int64_t>(bytes.size()) != header.spec().byte_size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("npy: expected ", header.spec().byte_size(), " bytes, found ", bytes.size()));
  }
  LEAFSTORE_ASSIGN_OR_RETURN(Tensor tensor, Tensor::Uninitialized(header.dtype, header.shape));
  if (bytes.empty()) return tensor;
  LEAFSTORE_ASSIGN_OR_RETURN(MutableTensor writing, tensor.Mutate());
  if (IsReordered(header)) {
    // The elements may be misaligned, since they begin where the header ends.
    Buffer aligned;
    const std::byte* from = bytes.data();
    if (reinterpret_cast<uintptr_t>(from) % sizeof(uint64_t) != 0) {
      LEAFSTORE_ASSIGN_OR_RETURN(aligned, Buffer::AllocateUninitialized(header.spec().byte_size()));
      std::memcpy(aligned.mutable_data(), from, bytes.size());
      from = aligned.data();
    }
    ToRowMajor(header.dtype, header.shape, from, writing.raw_data());
  } else {
    std::memcpy(writing.raw_data(), bytes.data(), bytes.size());
  }
  if (header.big_endian) ToNativeOrder(header.dtype, writing.raw_data(), bytes.size());
  writing.Close();
  LEAFSTORE_RETURN_IF_ERROR(CheckNpyBools(tensor));
  return tensor;
}

absl::StatusOr<Tensor> internal::ReadNpy(int64_t size, int64_t max_bytes, ReadNext read) {
  std::vector<std::byte> begin(static_cast<size_t>(std::min(size, kMaxNpyHeader)));
  LEAFSTORE_RETURN_IF_ERROR(read(absl::MakeSpan(begin)));
  LEAFSTORE_ASSIGN_OR_RETURN(const NpyHeader header, ParseNpyHeader(begin, size));
  if (header.spec().byte_size() > max_bytes) {
    return absl::ResourceExhaustedError(absl::StrCat("npy: expected at most ", max_bytes,
                                                     " bytes, found ", header.spec().byte_size()));
  }
  const absl::Span<const std::byte> there =
      absl::MakeConstSpan(begin).subspan(static_cast<size_t>(header.size));
  LEAFSTORE_ASSIGN_OR_RETURN(Tensor tensor, Tensor::Uninitialized(header.dtype, header.shape));
  if (header.spec().byte_size() == 0) return tensor;
  LEAFSTORE_ASSIGN_OR_RETURN(MutableTensor writing, tensor.Mutate());
  std::memcpy(writing.raw_data(), there.data(), there.size());
  LEAFSTORE_RETURN_IF_ERROR(read(writing.bytes().subspan(there.size())));
  writing.Close();
  if (IsReordered(header) || header.big_endian) return TensorOfNpy(header, tensor.bytes());
  LEAFSTORE_RETURN_IF_ERROR(CheckNpyBools(tensor));
  return tensor;
}

absl::Status SaveNpy(const std::string& path, const Tensor& tensor, const NpySaveOptions& options) {
  if (tensor.null()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": expected a tensor, found null"));
  }
  const absl::StatusOr<std::string> header =
      EncodeNpyHeader(LeafSpec(tensor.dtype(), tensor.shape()), options.raw_bits);
  if (!header.ok()) return WithContext(header.status(), path);
  LEAFSTORE_ASSIGN_OR_RETURN(internal::AtomicFile file,
                             internal::AtomicFile::Create(path, options.io));
  LEAFSTORE_RETURN_IF_ERROR(file.stream().Append(
      absl::MakeConstSpan(reinterpret_cast<const std::byte*>(header->data()), header->size())));
  LEAFSTORE_RETURN_IF_ERROR(file.stream().Append(tensor.bytes()));
  LEAFSTORE_RETURN_IF_ERROR(file.Close());
  return file.Commit();
}

absl::StatusOr<Tensor> LoadNpy(const std::string& path, const IoOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(const auto file, options.files().Open(path));
  int64_t position = 0;
  absl::Status read;
  absl::StatusOr<Tensor> tensor =
      ReadNpy(file->size(), std::numeric_limits<int64_t>::max(), [&](absl::Span<std::byte> out) {
        const int64_t at = std::exchange(position, position + static_cast<int64_t>(out.size()));
        return read = file->ReadAt(at, out);
      });
  if (tensor.ok()) return tensor;
  // The file system names the path itself.
  return read.ok() ? WithContext(tensor.status(), path) : read;
}

}  // namespace leafstore
