// TensorWriter: appends the bytes of tensors to the stream of a checkpoint. Each tensor becomes a
// segment with checksums, uncompressed or as zstd frames (docs/format.md).
//
// Threads: must be used by one thread at a time.
#ifndef LEAFSTORE_CHECKPOINT_INTERNAL_TENSOR_WRITER_H_
#define LEAFSTORE_CHECKPOINT_INTERNAL_TENSOR_WRITER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "leafstore/checkpoint/internal/segment_checksum.h"
#include "leafstore/checkpoint/internal/stored_locations.h"
#include "leafstore/checkpoint/internal/zstd_codec.h"
#include "leafstore/core/tensor.h"
#include "leafstore/io/internal/file_stream.h"
#include "leafstore/io/internal/progress.h"

namespace leafstore::internal {

class TensorWriter {
 public:
  // `zstd_level` as SaveOptions::zstd_level. error ResourceExhausted: out of memory. error
  // InvalidArgument: there is no such level.
  static absl::StatusOr<TensorWriter> Create(std::optional<int> zstd_level);

  // Appends the segment of a tensor and returns its location, in file 0. A tensor without bytes has
  // no segment. `progress` counts the bytes before compression. error: that of the file system.
  absl::StatusOr<StoredLocation> Write(const Tensor& tensor, FileStream* stream,
                                       Progress* progress);

 private:
  explicit TensorWriter(SegmentChecksum checksum) : checksum_(std::move(checksum)) {}

  // Appends the stored bytes of a tensor, compressed or not, and returns the codec.
  absl::StatusOr<uint8_t> WriteContent(absl::Span<const std::byte> bytes, FileStream* stream,
                                       Progress* progress);

  SegmentChecksum checksum_;  // of the tensor that is being written
  std::optional<ZstdCompressor> compressor_;
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_CHECKPOINT_INTERNAL_TENSOR_WRITER_H_
