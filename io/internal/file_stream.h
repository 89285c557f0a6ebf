// FileStream: appends bytes to a file through buffers, in large writes at multiples of 4096 that
// run in the background.
//
//   FileStream stream(file.get());
//   LEAFSTORE_RETURN_IF_ERROR(stream.Append(bytes));
//   LEAFSTORE_RETURN_IF_ERROR(stream.PadTo(64));
//   LEAFSTORE_RETURN_IF_ERROR(stream.Flush());
//
// The stream's thread writes full buffers while the caller computes checksums and fills the next
// one. kBuffers buffers keep the disk busy even if the caller is briefly descheduled. A file that
// fits into one buffer is written without a thread.
//
// Memory: kBuffers buffers of kBufferSize, each allocated at its first use (direct_buffer.h).
//
// Alignment. Every write except the last begins and ends at a multiple of 4096 bytes of the file,
// and its memory is at a multiple of 4096, as direct writes require.
//
// Threads: call from one thread. Only one thread uses the file at a time, and the stream's thread
// does not use it after Flush or an error.
#ifndef LEAFSTORE_IO_INTERNAL_FILE_STREAM_H_
#define LEAFSTORE_IO_INTERNAL_FILE_STREAM_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/types/span.h"

#include "leafstore/io/file_system.h"
#include "leafstore/io/internal/background_worker.h"
#include "leafstore/io/internal/direct_buffer.h"

namespace leafstore::internal {

// Returns the first multiple of `alignment`, a power of two, that is at least `position`.
constexpr int64_t AlignUp(int64_t position, int64_t alignment) {
  return (position + alignment - 1) & -alignment;
}

class FileStream {
 public:
  static constexpr size_t kBlock = kDirectAlignment;
  static constexpr size_t kBufferSize = size_t{8} << 20;
  static constexpr size_t kBuffers = 4;

  // `file` must be empty and outlive this object.
  explicit FileStream(WritableFile* file) : file_(file) {}

  // Returns the number of bytes appended so far.
  int64_t position() const { return begin_ + static_cast<int64_t>(used_); }

  // After any of these calls fails, append nothing more. A later call, at the latest Flush, may
  // report the error of an earlier write.
  absl::Status Append(absl::Span<const std::byte> bytes);
  // Appends zeros up to a multiple of `alignment`, a power of two of at most kBlock.
  absl::Status PadTo(int64_t alignment);
  // Writes the collected bytes and waits for all writes. Call only after the last Append.
  absl::Status Flush();

 private:
  // Allocates the memory of the current block when it is used for the first time.
  absl::Status MakeBlock();

  // Starts writing the current buffer, which is full, and continues with the next one when that is
  // free.
  absl::Status Submit();

  WritableFile* file_;
  DirectBuffer blocks_[kBuffers];
  size_t filling_ = 0;       // index of the current block; other blocks are being written or free
  size_t used_ = 0;          // bytes in the current block
  int64_t begin_ = 0;        // file offset of the current block; a multiple of kBlock until Flush
  BackgroundWorker worker_;  // last: finishes before the blocks are destroyed
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_IO_INTERNAL_FILE_STREAM_H_
