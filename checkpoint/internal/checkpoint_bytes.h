// CheckpointBytes: an open checkpoint file whose preamble and footer are sound, and its bytes, out
// of a mapping or by plain reads. For checkpoint/ alone.
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

// error DataLoss: what was found is not what was expected; names the range.
absl::Status CompareChecksum(int64_t offset, int64_t size, uint64_t expected, uint64_t found);

class CheckpointBytes {
 public:
  // Of `options`, the mode and the file system. error: the file system's; DecodePreamble's and
  // DecodeFooter's, behind the path. `expected_size`, where it is known, tells a file that was cut
  // from one that is damaged otherwise.
  static absl::StatusOr<std::unique_ptr<CheckpointBytes>> Open(const std::string& path,
                                                               const ReadOptions& options,
                                                               int64_t expected_size = 0);

  // The file of this base, in the directory of `path`. error: as Open, behind "base"; DataLoss:
  // another checkpoint stands under the name.
  static absl::StatusOr<std::unique_ptr<CheckpointBytes>> OpenBase(absl::string_view path,
                                                                   const BaseFile& base,
                                                                   const ReadOptions& options);

  const std::string& path() const { return path_; }
  const Footer& footer() const { return footer_; }
  const ReadableFile& file() const { return *file_; }
  // Of the whole file; null where reads are plain.
  const Buffer& map() const { return map_; }

  // The bytes [offset, offset + size) of the file, which must lie in it: of the mapping, where they
  // are brought into memory, or read into `*scratch`. error: ReadableFile's.
  absl::StatusOr<absl::Span<const std::byte>> Get(int64_t offset, int64_t size,
                                                  Buffer* scratch) const;

  // That the preamble is still sound, and the footer still the one that was read. error: as Open,
  // without the path; DataLoss: it is another one.
  absl::Status CheckEnds() const;
  // error DataLoss: the bytes have another checksum; names the range.
  absl::Status CheckChecksum(int64_t offset, int64_t size, uint64_t checksum) const;
  // error DataLoss: not all bytes of [begin, end) are zero; names the first behind `section`.
  absl::Status CheckZeros(int64_t begin, int64_t end, absl::string_view section) const;

  // Puts the file's path before an error.
  absl::Status WithPath(const absl::Status& status) const;
  // The same of a file that another one needs: "base <path>: ...". OK stays OK.
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
