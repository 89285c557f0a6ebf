// CheckpointBytes: an open checkpoint file with a valid preamble and footer. Provides its bytes
// from a mapping or by plain reads.
//
// Threads: const calls are safe from many threads.
#ifndef LEAFSTORE_CHECKPOINT_INTERNAL_CHECKPOINT_BYTES_H_
#define LEAFSTORE_CHECKPOINT_INTERNAL_CHECKPOINT_BYTES_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "leafstore/checkpoint/format.h"
#include "leafstore/checkpoint/reader.h"
#include "leafstore/core/buffer.h"
#include "leafstore/io/file_system.h"
#include "leafstore/proto/manifest_codec.h"

namespace leafstore::internal {

// Returns OK if `found` equals `expected`. error DataLoss: it does not; names the range.
absl::Status CompareChecksum(int64_t offset, int64_t size, uint64_t expected, uint64_t found);

class CheckpointBytes {
 public:
  // Opens a file. Of `options`, `io.mode` and `io.file_system` matter. `expected_size`, if known,
  // distinguishes a truncated file from other damage. error: the file system's; DecodePreamble's
  // and DecodeFooter's, after the path.
  static absl::StatusOr<std::unique_ptr<CheckpointBytes>> Open(const std::string& path,
                                                               const ReadOptions& options,
                                                               int64_t expected_size = 0);

  // Opens the file of a base, in the directory of `path`. error: as Open, after "base". error
  // DataLoss: the file of this name is another checkpoint.
  static absl::StatusOr<std::unique_ptr<CheckpointBytes>> OpenBase(absl::string_view path,
                                                                   const BaseFile& base,
                                                                   const ReadOptions& options);

  const std::string& path() const { return path_; }
  const Footer& footer() const { return footer_; }
  const ReadableFile& file() const { return *file_; }
  // Returns the mapping of the complete file; null if the file is read by plain reads.
  const Buffer& map() const { return map_; }

  // Returns the bytes [offset, offset + size) of the file, which must be inside it. They are in the
  // mapping, and resident, or are read into `*scratch`. error: ReadableFile's.
  absl::StatusOr<absl::Span<const std::byte>> Get(int64_t offset, int64_t size,
                                                  Buffer* scratch) const;

  // Checks that the preamble is still valid and that the footer has not changed since Open. error:
  // as Open, without the path. error DataLoss: the footer is another one.
  absl::Status CheckEnds() const;
  // Checks the checksum of a range. error DataLoss: it is another one; names the range.
  absl::Status CheckChecksum(int64_t offset, int64_t size, uint64_t checksum) const;
  // Checks that the bytes [begin, end) are zero. error DataLoss: they are not; names `section` and
  // the first such byte.
  absl::Status CheckZeros(int64_t begin, int64_t end, absl::string_view section) const;

  // Prefixes an error with the path of the file, unless its message has the path already.
  absl::Status WithPath(const absl::Status& status) const;
  // Prefixes an error of a base with "base <path>: ". Returns OK unchanged.
  absl::Status AsBase(const absl::Status& status) const;

 private:
  CheckpointBytes() = default;
  absl::Status ReadEnds();

  std::string path_;
  std::unique_ptr<ReadableFile> file_;
  Buffer map_;
  Footer footer_;
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_CHECKPOINT_INTERNAL_CHECKPOINT_BYTES_H_
