// FileStream: bytes into a file one after another, in large writes at multiples of 4096.
//
//   FileStream stream(file.get());
//   LEAFSTORE_RETURN_IF_ERROR(stream.Append(bytes));
//   LEAFSTORE_RETURN_IF_ERROR(stream.PadTo(64));
//   LEAFSTORE_RETURN_IF_ERROR(stream.Flush());
//
// Small pieces are collected: thousands of small tensors make one system call, not thousands. Large
// pieces go to the file from where they are, without a copy. Every write but the last begins and
// ends at a multiple of 4096 bytes of the file, as writes past the page cache will need.
#ifndef LEAFSTORE_CHECKPOINT_FILE_STREAM_H_
#define LEAFSTORE_CHECKPOINT_FILE_STREAM_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/types/span.h"

#include "leafstore/checkpoint/file_system.h"
#include "leafstore/core/buffer.h"

namespace leafstore {

class FileStream {
 public:
  static constexpr size_t kBlock = 4096;
  static constexpr size_t kBufferSize = size_t{4} << 20;
  // Pieces of this size are written from where they are.
  static constexpr size_t kLargePiece = size_t{1} << 20;

  // `file` must outlive this, and be empty.
  explicit FileStream(WritableFile* file) : file_(file) {}

  // The number of bytes appended so far.
  int64_t position() const { return written_ + static_cast<int64_t>(used_); }

  // After an error of any of these, nothing more may be appended.
  absl::Status Append(absl::Span<const std::byte> bytes);
  // Appends zeros up to a multiple of `alignment`, a power of two of at most kBlock.
  absl::Status PadTo(int64_t alignment);
  // Writes what is collected. Only after the last Append.
  absl::Status Flush();

 private:
  // Copies as much as there is room for and takes it off `bytes`.
  absl::Status Collect(absl::Span<const std::byte>* bytes, size_t most);

  WritableFile* file_;
  Buffer buffer_;        // kBufferSize bytes, made at the first Append
  size_t used_ = 0;      // of buffer_
  int64_t written_ = 0;  // a multiple of kBlock until Flush
};

}  // namespace leafstore

#endif  // LEAFSTORE_CHECKPOINT_FILE_STREAM_H_
