// FileBytes: the bytes of an open file, from a mapping or by plain reads.
//
// Threads: const calls are thread-safe.
#ifndef LEAFSTORE_CHECKPOINT_INTERNAL_FILE_BYTES_H_
#define LEAFSTORE_CHECKPOINT_INTERNAL_FILE_BYTES_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "leafstore/core/buffer.h"
#include "leafstore/core/internal/lazy.h"
#include "leafstore/io/io_options.h"

namespace leafstore::internal {

// Checks that bytes of a file, from `offset` on, are zero. error DataLoss: they are not; names the
// first such byte.
absl::Status CheckZeroBytes(int64_t offset, absl::Span<const std::byte> bytes);
// Returns OK if `found` equals `expected`. error DataLoss: it does not; names the range.
absl::Status CompareChecksum(int64_t offset, int64_t size, uint64_t expected, uint64_t found);

class FileBytes {
 public:
  // Opens a file. Of `io`, the mode and the file system matter. error: the file system's.
  static absl::StatusOr<std::unique_ptr<FileBytes>> Open(const std::string& path,
                                                         const IoOptions& io);

  const std::string& path() const { return path_; }
  int64_t size() const { return file_->size(); }
  // Returns the mapping of the complete file, made by the first call (it would be most of the cost
  // of opening a small file); null if the file is not to be mapped. error: ReadableFile's, except
  // with ReadMode::kAuto.
  absl::StatusOr<const Buffer*> Map() const;
  // Returns how to load `bytes` bytes of the file now: kMap, kRead or kDirect (ReadMode::kAuto).
  ReadMode ModeFor(int64_t bytes) const;
  // Fills `out` with bytes from `offset` on by a plain read. error: ReadableFile's.
  absl::Status ReadAt(int64_t offset, absl::Span<std::byte> out) const {
    return file_->ReadAt(offset, out);
  }
  // Like ReadAt, as ReadableFile::ReadDirect.
  absl::Status ReadDirect(int64_t offset, absl::Span<std::byte> out) const {
    return file_->ReadDirect(offset, out);
  }
  // Returns the bytes [offset, offset + size), which must be inside the file. They are in the
  // mapping, and resident, or are read into `*scratch`. error: ReadableFile's.
  absl::StatusOr<absl::Span<const std::byte>> Get(int64_t offset, int64_t size,
                                                  Buffer* scratch) const;

  // Checks the checksum of a range. error DataLoss: it differs; names the range.
  absl::Status CheckChecksum(int64_t offset, int64_t size, uint64_t checksum) const;
  // Checks that the bytes [begin, end) are zero. error DataLoss: they are not; names `section` and
  // the first such byte.
  absl::Status CheckZeros(int64_t begin, int64_t end, absl::string_view section) const;

  // Prefixes an error with the path of the file, unless its message has the path already.
  absl::Status WithPath(const absl::Status& status) const;

 private:
  FileBytes() = default;

  std::string path_;
  std::unique_ptr<ReadableFile> file_;
  ReadMode mode_ = ReadMode::kMap;  // not kAuto
  bool is_auto_ = false;            // the user's mode is kAuto
  mutable Lazy<Buffer> map_;
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_CHECKPOINT_INTERNAL_FILE_BYTES_H_
