#include "leafstore/checkpoint/internal/tensor_writer.h"

#include <algorithm>

#include "leafstore/checkpoint/format.h"
#include "leafstore/core/status_macros.h"

namespace leafstore::internal {
namespace {

// Tensors are hashed and copied in chunks of this size, so that each is in the cache when it is
// copied.
constexpr size_t kChunk = size_t{256} << 10;

// The size of the smallest tensor that is compressed. For smaller ones, the frame header costs more
// than it saves.
constexpr size_t kSmallestCompressed = 256;

}  // namespace

absl::StatusOr<TensorWriter> TensorWriter::Create(const SaveOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(ChecksumStream checksum, ChecksumStream::Create());
  TensorWriter writer(std::move(checksum));
  if (options.compression == Compression::kZstd) {
    LEAFSTORE_ASSIGN_OR_RETURN(writer.compressor_, ZstdCompressor::Create(options.zstd_level));
  }
  return writer;
}

absl::StatusOr<SaveHistory::Location> TensorWriter::Write(const Tensor& tensor, FileStream* stream,
                                                          Done done) {
  SaveHistory::Location where;
  where.checksum = kChecksumOfNothing;
  if (tensor.bytes().empty()) return where;
  // Aligned by the uncompressed size: the compressed size is not known before it is written.
  LEAFSTORE_RETURN_IF_ERROR(stream->PadTo(SegmentAlignmentFor(tensor.byte_size())));
  const int64_t offset = stream->position();
  checksum_.Reset();
  LEAFSTORE_ASSIGN_OR_RETURN(where.codec, WriteContent(tensor.bytes(), stream, done));
  where.offset = static_cast<uint64_t>(offset);
  where.checksum = checksum_.Value();
  where.stored_size = stream->position() - offset;
  return where;
}

absl::StatusOr<uint8_t> TensorWriter::WriteContent(absl::Span<const std::byte> bytes,
                                                   FileStream* stream, Done done) {
  if (compressor_.has_value() && bytes.size() >= kSmallestCompressed) {
    const absl::Span<const std::byte> first = bytes.subspan(0, kZstdFrameContent);
    LEAFSTORE_ASSIGN_OR_RETURN(auto frame, compressor_->Compress(first));
    if (frame.size() <= first.size() - first.size() / 16) {
      LEAFSTORE_RETURN_IF_ERROR(WriteFrames(bytes, frame, stream, done));
      return kCodecZstd;
    }
  }
  for (; !bytes.empty(); bytes = bytes.subspan(std::min(bytes.size(), kChunk))) {
    const absl::Span<const std::byte> chunk = bytes.subspan(0, kChunk);
    LEAFSTORE_RETURN_IF_ERROR(WriteStored(chunk, stream));
    done(chunk.size());
  }
  return kCodecNone;
}

absl::Status TensorWriter::WriteFrames(absl::Span<const std::byte> bytes,
                                       absl::Span<const std::byte> frame, FileStream* stream,
                                       Done done) {
  for (;;) {
    LEAFSTORE_RETURN_IF_ERROR(WriteStored(frame, stream));
    const size_t content = std::min(bytes.size(), kZstdFrameContent);
    done(content);
    bytes.remove_prefix(content);
    if (bytes.empty()) return absl::OkStatus();
    LEAFSTORE_ASSIGN_OR_RETURN(frame, compressor_->Compress(bytes.subspan(0, kZstdFrameContent)));
  }
}

absl::Status TensorWriter::WriteStored(absl::Span<const std::byte> bytes, FileStream* stream) {
  checksum_.Append(bytes);
  return stream->Append(bytes);
}

}  // namespace leafstore::internal
