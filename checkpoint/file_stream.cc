#include "leafstore/checkpoint/file_stream.h"

#include <algorithm>
#include <cstring>

#include "leafstore/checkpoint/format.h"
#include "leafstore/core/status_macros.h"

namespace leafstore {

absl::Status FileStream::Append(absl::Span<const std::byte> bytes) {
  if (bytes.size() >= kLargePiece) {
    // Up to a block's end; then whole blocks from where they are; the rest is collected again.
    const size_t to_block = (kBlock - used_ % kBlock) % kBlock;
    LEAFSTORE_RETURN_IF_ERROR(Collect(&bytes, to_block));
    LEAFSTORE_RETURN_IF_ERROR(Flush());
    const size_t whole = bytes.size() / kBlock * kBlock;
    LEAFSTORE_RETURN_IF_ERROR(file_->WriteAt(written_, bytes.subspan(0, whole)));
    written_ += static_cast<int64_t>(whole);
    bytes.remove_prefix(whole);
  }
  while (!bytes.empty()) {
    if (used_ == kBufferSize) LEAFSTORE_RETURN_IF_ERROR(Flush());
    LEAFSTORE_RETURN_IF_ERROR(Collect(&bytes, kBufferSize));
  }
  return absl::OkStatus();
}

absl::Status FileStream::PadTo(int64_t alignment) {
  static constexpr std::byte kZeros[kBlock] = {};
  const int64_t padding = AlignUp(position(), alignment) - position();
  return Append(absl::MakeConstSpan(kZeros, static_cast<size_t>(padding)));
}

absl::Status FileStream::Flush() {
  if (used_ == 0) return absl::OkStatus();
  LEAFSTORE_RETURN_IF_ERROR(file_->WriteAt(written_, absl::MakeConstSpan(buffer_.data(), used_)));
  written_ += static_cast<int64_t>(used_);
  used_ = 0;
  return absl::OkStatus();
}

absl::Status FileStream::Collect(absl::Span<const std::byte>* bytes, size_t most) {
  if (buffer_.null()) {
    LEAFSTORE_ASSIGN_OR_RETURN(buffer_, Buffer::AllocateUninitialized(kBufferSize));
  }
  const size_t size = std::min({bytes->size(), most, kBufferSize - used_});
  if (size > 0) std::memcpy(buffer_.mutable_data() + used_, bytes->data(), size);
  used_ += size;
  bytes->remove_prefix(size);
  return absl::OkStatus();
}

}  // namespace leafstore
