// TensorWriter: appends the bytes of tensors to the stream of a checkpoint file. Each tensor
// becomes a segment with a checksum, uncompressed or as zstd frames.
//
//   LEAFSTORE_ASSIGN_OR_RETURN(TensorWriter writer, TensorWriter::Create({}));
//   LEAFSTORE_ASSIGN_OR_RETURN(SaveHistory::Location where, writer.Write(tensor, &stream, done));
//
// Threads: one thread at a time.
#ifndef LEAFSTORE_CHECKPOINT_INTERNAL_TENSOR_WRITER_H_
#define LEAFSTORE_CHECKPOINT_INTERNAL_TENSOR_WRITER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "leafstore/checkpoint/internal/zstd_codec.h"
#include "leafstore/checkpoint/save_history.h"
#include "leafstore/checkpoint/writer.h"
#include "leafstore/core/tensor.h"
#include "leafstore/io/internal/checksum.h"
#include "leafstore/io/internal/file_stream.h"

namespace leafstore::internal {

class TensorWriter {
 public:
  // Receives the count of additional bytes of a tensor that have been saved, before compression.
  using Done = absl::FunctionRef<void(size_t)>;

  // Of `options`, `compression` and `zstd_level` matter. error InvalidArgument: not a level of
  // zstd.
  // error ResourceExhausted: no memory.
  static absl::StatusOr<TensorWriter> Create(const SaveOptions& options);

  // Appends the segment of a tensor and returns its location, in file 0. A tensor without bytes has
  // no segment. error: the stream's. O(bytes).
  absl::StatusOr<SaveHistory::Location> Write(const Tensor& tensor, FileStream* stream, Done done);

 private:
  explicit TensorWriter(ChecksumStream checksum) : checksum_(std::move(checksum)) {}

  // Appends the stored bytes of a tensor, compressed or not, and returns the codec.
  absl::StatusOr<uint8_t> WriteContent(absl::Span<const std::byte> bytes, FileStream* stream,
                                       Done done);
  // Appends `bytes` as frames, the first of which is `frame`.
  absl::Status WriteFrames(absl::Span<const std::byte> bytes, absl::Span<const std::byte> frame,
                           FileStream* stream, Done done);
  absl::Status WriteStored(absl::Span<const std::byte> bytes, FileStream* stream);

  ChecksumStream checksum_;  // of the tensor that is being written
  std::optional<ZstdCompressor> compressor_;
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_CHECKPOINT_INTERNAL_TENSOR_WRITER_H_
