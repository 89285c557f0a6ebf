#include "leafstore/io/internal/file_stream.h"

#include <algorithm>
#include <cstring>

#include "leafstore/core/status_macros.h"

namespace leafstore::internal {

absl::Status FileStream::MakeBlock() {
  if (blocks_[filling_].data != nullptr) return absl::OkStatus();
  LEAFSTORE_ASSIGN_OR_RETURN(blocks_[filling_], DirectBuffer::Allocate(kBufferSize));
  return absl::OkStatus();
}

absl::Status FileStream::Append(absl::Span<const std::byte> bytes) {
  while (!bytes.empty()) {
    if (used_ == kBufferSize) LEAFSTORE_RETURN_IF_ERROR(Submit());
    if (absl::Status made = MakeBlock(); !made.ok()) {
      worker_.Wait().IgnoreError();  // now only the caller uses the file
      return made;
    }
    const size_t size = std::min(bytes.size(), kBufferSize - used_);
    std::memcpy(blocks_[filling_].data + used_, bytes.data(), size);
    used_ += size;
    bytes.remove_prefix(size);
  }
  return absl::OkStatus();
}

absl::Status FileStream::PadTo(int64_t alignment) {
  static constexpr std::byte kZeros[kBlock] = {};
  const int64_t padding = AlignUp(position(), alignment) - position();
  return Append(absl::MakeConstSpan(kZeros, static_cast<size_t>(padding)));
}

absl::Status FileStream::Submit() {
  LEAFSTORE_RETURN_IF_ERROR(worker_.Wait(kBuffers - 2));
  const absl::Span<const std::byte> full = absl::MakeConstSpan(blocks_[filling_].data, kBufferSize);
  worker_.Start([this, full, begin = begin_] { return file_->WriteAt(begin, full); });
  begin_ += static_cast<int64_t>(kBufferSize);
  used_ = 0;
  filling_ = (filling_ + 1) % kBuffers;
  return absl::OkStatus();
}

absl::Status FileStream::Flush() {
  LEAFSTORE_RETURN_IF_ERROR(worker_.Wait());
  if (used_ == 0) return absl::OkStatus();
  LEAFSTORE_RETURN_IF_ERROR(
      file_->WriteAt(begin_, absl::MakeConstSpan(blocks_[filling_].data, used_)));
  begin_ += static_cast<int64_t>(used_);
  used_ = 0;
  return absl::OkStatus();
}

}  // namespace leafstore::internal
