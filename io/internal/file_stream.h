// FileStream: bytes into a file one after another, in large writes at multiples of 4096, while the
// next bytes are collected.
//
//   FileStream stream(file.get());
//   LEAFSTORE_RETURN_IF_ERROR(stream.Append(bytes));
//   LEAFSTORE_RETURN_IF_ERROR(stream.PadTo(64));
//   LEAFSTORE_RETURN_IF_ERROR(stream.Flush());
//
// Bytes are collected in a buffer; those that are full are written by a thread of the stream's own
// while another is filled. So whoever appends makes checksums while the disk writes, a tensor may
// be freed as soon as it is appended, and thousands of small ones make one system call. There are
// enough of them that the disk need not wait for the next one, nor for a moment in which the
// processor was another's. A file that fits into one buffer is written without a thread.
//
// Memory: kBuffers of kBufferSize, each made when it is first needed, in huge pages where the system
// has them to give: it takes a write past the page cache less time to pin these than thousands of
// small ones, and the disk waits for that.
//
// Alignment. Every write but the last begins and ends at a multiple of 4096 bytes of the file, and
// comes from memory at a multiple of 4096, as writes past the page cache need it.
//
// Threads: calls from one thread; the file is used by one thread at a time, and by none of the
// stream's after Flush or an error.
#ifndef LEAFSTORE_IO_INTERNAL_FILE_STREAM_H_
#define LEAFSTORE_IO_INTERNAL_FILE_STREAM_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/types/span.h"

#include "leafstore/core/buffer.h"
#include "leafstore/io/file_system.h"
#include "leafstore/io/internal/background_worker.h"

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

  // `file` must outlive this, and be empty.
  explicit FileStream(WritableFile* file) : file_(file) {}

  // The number of bytes appended so far.
  int64_t position() const { return begin_ + static_cast<int64_t>(used_); }

  // After an error of any of these, nothing more may be appended. An error of a write may come only
  // with a later call, of Flush at the latest.
  absl::Status Append(absl::Span<const std::byte> bytes);
  // Appends zeros up to a multiple of `alignment`, a power of two of at most kBlock.
  absl::Status PadTo(int64_t alignment);
  // Writes what is collected, and returns when everything is written. Only after the last Append.
  absl::Status Flush();

 private:
  static constexpr size_t kHugePage = size_t{2} << 20;

  // Memory at a multiple of kHugePage, which is one of kBlock.
  class Block {
   public:
    absl::Status MakeOnce();
    std::byte* data() const { return data_; }

   private:
    Buffer buffer_;
    std::byte* data_ = nullptr;
  };

  // Begins to write the buffer that is being filled, which is full, and goes on with the next when
  // that has been written.
  absl::Status Submit();

  WritableFile* file_;
  Block blocks_[kBuffers];
  size_t filling_ = 0;       // of blocks_; those before it are being written, or free
  size_t used_ = 0;          // of the one that is being filled
  int64_t begin_ = 0;        // where in the file it will go; a multiple of kBlock until Flush
  BackgroundWorker worker_;  // last: it is done with the buffers when they go
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_IO_INTERNAL_FILE_STREAM_H_
