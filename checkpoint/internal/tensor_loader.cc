#include "leafstore/checkpoint/internal/tensor_loader.h"

#include <cstring>

#include "absl/strings/str_cat.h"

#include "leafstore/checkpoint/format.h"
#include "leafstore/checkpoint/internal/segments.h"
#include "leafstore/core/error_reason.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/core/value.h"
#include "leafstore/io/internal/checksum.h"

namespace leafstore::internal {
namespace {

// Tensors that are close together in the file are read together, up to this many bytes. Tensors
// larger than a quarter of it are read alone.
constexpr int64_t kWindow = int64_t{4} << 20;
constexpr int64_t kLarge = kWindow / 4;
constexpr int64_t kSmallGap = int64_t{16} << 10;

}  // namespace

TensorLoader::Stored TensorLoader::Find(uint32_t place) const {
  const uint32_t tensor = item_.leaves.tensor(place);
  const SegmentColumns& segments = item_.segments;
  return {nullptr, segments.base(tensor), static_cast<int64_t>(segments.offsets[tensor]),
          item_.stored_size(tensor), segments.checksums[tensor]};
}

absl::StatusOr<Leaf> TensorLoader::Load(size_t number) {
  const uint32_t place = places_[number];
  if (!item_.leaves.is_tensor(place)) return Leaf(item_.leaves.value(place));
  const auto failed = [&](const absl::Status& status) {
    return WithContext(status, LeafForMessage(item_, place));
  };
  Stored stored = Find(place);
  const absl::StatusOr<const CheckpointBytes*> bytes = file_.FileOf(stored.base);
  if (!bytes.ok()) return failed(bytes.status());
  stored.bytes = *bytes;
  absl::StatusOr<Tensor> tensor = LoadTensor(number, stored);
  // Always checked, as any other byte in a bool is undefined behavior in C++.
  if (tensor.ok() && tensor->dtype() == DType::kBool && !AreBools(tensor->bytes())) {
    tensor = absl::DataLossError("expected bools, 0 or 1, found another byte");
  }
  if (!tensor.ok()) {
    return failed(stored.base == 0 ? tensor.status() : stored.bytes->AsBase(tensor.status()));
  }
  return Leaf(*std::move(tensor));
}

absl::StatusOr<Tensor> TensorLoader::LoadTensor(size_t number, Stored stored) {
  const uint32_t place = places_[number];
  if (stored.size == 0) {
    return Tensor::Uninitialized(item_.leaves.dtype(place), item_.leaves.shape(place));
  }
  switch (const uint8_t codec = item_.segments.codec(item_.leaves.tensor(place)); codec) {
    case kCodecNone:
      return stored.bytes->map().null() ? Read(number, stored) : View(number, stored);
    case kCodecZstd:
      return Decompress(number, stored);
    default:
      return WithReason(
          absl::UnimplementedError(absl::StrCat("its bytes are stored with codec ", codec,
                                                ", which this reader of format version ",
                                                kFormatVersion, " does not know")),
          ErrorReason::kNewerVersion);
  }
}

absl::StatusOr<Tensor> TensorLoader::View(size_t number, const Stored& stored) {
  const uint32_t place = places_[number];
  LEAFSTORE_ASSIGN_OR_RETURN(
      Tensor tensor, Tensor::FromBuffer(item_.leaves.dtype(place), item_.leaves.shape(place),
                                        stored.bytes->map(), stored.offset));
  if (verify_ && stored.size > kLarge) {
    LEAFSTORE_RETURN_IF_ERROR(
        stored.bytes->CheckChecksum(stored.offset, stored.size, stored.checksum));
  } else if (verify_ || tensor.dtype() == DType::kBool) {
    LEAFSTORE_ASSIGN_OR_RETURN(const auto bytes, Get(number, stored));
    LEAFSTORE_RETURN_IF_ERROR(CheckChecksum(stored, bytes));
  }
  return tensor;
}

absl::StatusOr<Tensor> TensorLoader::Read(size_t number, const Stored& stored) {
  const uint32_t place = places_[number];
  LEAFSTORE_ASSIGN_OR_RETURN(
      Tensor tensor, Tensor::Uninitialized(item_.leaves.dtype(place), item_.leaves.shape(place)));
  LEAFSTORE_ASSIGN_OR_RETURN(MutableTensor writing, tensor.Mutate());
  if (stored.size > kLarge) {
    LEAFSTORE_RETURN_IF_ERROR(stored.bytes->file().ReadAt(stored.offset, writing.bytes()));
  } else {
    LEAFSTORE_ASSIGN_OR_RETURN(const auto bytes, Get(number, stored));
    std::memcpy(writing.raw_data(), bytes.data(), bytes.size());
  }
  LEAFSTORE_RETURN_IF_ERROR(CheckChecksum(stored, writing.bytes()));
  writing.Close();
  return tensor;
}

absl::StatusOr<Tensor> TensorLoader::Decompress(size_t number, const Stored& stored) {
  const uint32_t place = places_[number];
  LEAFSTORE_ASSIGN_OR_RETURN(const auto bytes, Get(number, stored));
  LEAFSTORE_RETURN_IF_ERROR(CheckChecksum(stored, bytes));
  LEAFSTORE_RETURN_IF_ERROR(CheckZstdFrames(bytes, item_.leaves.byte_size(place)));
  LEAFSTORE_ASSIGN_OR_RETURN(
      Tensor tensor, Tensor::Uninitialized(item_.leaves.dtype(place), item_.leaves.shape(place)));
  LEAFSTORE_ASSIGN_OR_RETURN(MutableTensor writing, tensor.Mutate());
  if (!decompressor_.has_value()) {
    LEAFSTORE_ASSIGN_OR_RETURN(decompressor_, ZstdDecompressor::Create());
  }
  LEAFSTORE_RETURN_IF_ERROR(decompressor_->Decompress(bytes, writing.bytes()));
  writing.Close();
  return tensor;
}

absl::StatusOr<absl::Span<const std::byte>> TensorLoader::Get(size_t number, const Stored& stored) {
  const bool inside =
      stored.base == window_base_ && stored.offset >= window_begin_ &&
      stored.offset + stored.size <= window_begin_ + static_cast<int64_t>(window_.size());
  if (!inside) {
    const int64_t end = WindowEnd(number, stored);
    window_ = {};
    LEAFSTORE_ASSIGN_OR_RETURN(window_,
                               stored.bytes->Get(stored.offset, end - stored.offset, &scratch_));
    window_base_ = stored.base;
    window_begin_ = stored.offset;
  }
  return window_.subspan(static_cast<size_t>(stored.offset - window_begin_),
                         static_cast<size_t>(stored.size));
}

int64_t TensorLoader::WindowEnd(size_t first, const Stored& stored) const {
  int64_t end = stored.offset + stored.size;
  for (const uint32_t place : places_.subspan(first + 1)) {
    if (!item_.leaves.is_tensor(place)) continue;
    const Stored next = Find(place);
    if (next.size == 0) continue;
    if (next.size > kLarge || next.base != stored.base || next.offset < end ||
        next.offset - end > kSmallGap || next.offset + next.size - stored.offset > kWindow) {
      break;
    }
    end = next.offset + next.size;
  }
  return end;
}

absl::Status TensorLoader::CheckChecksum(const Stored& stored,
                                         absl::Span<const std::byte> bytes) const {
  if (!verify_) return absl::OkStatus();
  return CompareChecksum(stored.offset, stored.size, stored.checksum, Checksum(bytes));
}

}  // namespace leafstore::internal
