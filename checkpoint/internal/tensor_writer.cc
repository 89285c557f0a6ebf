#include "leafstore/checkpoint/internal/tensor_writer.h"

#include "leafstore/checkpoint/internal/format.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/io/internal/checksum.h"

namespace leafstore::internal {

absl::StatusOr<TensorWriter> TensorWriter::Create(std::optional<int> zstd_level) {
  LEAFSTORE_ASSIGN_OR_RETURN(SegmentChecksum checksum, SegmentChecksum::Create());
  TensorWriter writer(std::move(checksum));
  if (zstd_level.has_value()) {
    LEAFSTORE_ASSIGN_OR_RETURN(writer.compressor_, ZstdCompressor::Create(*zstd_level));
  }
  return writer;
}

absl::StatusOr<StoredLocation> TensorWriter::Write(const Tensor& tensor, FileStream* stream,
                                                   Progress* progress) {
  StoredLocation where;
  where.checksum = kChecksumOfNothing;
  if (tensor.bytes().empty()) return where;
  // Aligned by the uncompressed size: the compressed size is not known before it is written.
  LEAFSTORE_RETURN_IF_ERROR(stream->PadTo(SegmentAlignmentFor(tensor.byte_size())));
  const int64_t offset = stream->position();
  checksum_.Reset(/*with_blocks=*/tensor.byte_size() > kBlockSize);
  LEAFSTORE_ASSIGN_OR_RETURN(where.codec, WriteContent(tensor.bytes(), stream, progress));
  where.offset = static_cast<uint64_t>(offset);
  where.checksum = checksum_.Value();
  where.block_checksums = checksum_.TakeBlocks();
  where.stored_size = stream->position() - offset;
  return where;
}

absl::StatusOr<uint8_t> TensorWriter::WriteContent(absl::Span<const std::byte> bytes,
                                                   FileStream* stream, Progress* progress) {
  // Tensors are hashed and copied in chunks of this size, so that each is in the cache when it is
  // copied.
  constexpr size_t kChunk = size_t{256} << 10;
  // For a smaller tensor, the frame header costs more than compression saves.
  constexpr size_t kSmallestCompressed = 256;
  bool compress = compressor_.has_value() && bytes.size() >= kSmallestCompressed;
  for (bool is_first = true; !bytes.empty(); is_first = false) {
    absl::Span<const std::byte> chunk = bytes.subspan(0, compress ? kZstdFrameContent : kChunk);
    const size_t size = chunk.size();
    if (compress) {
      LEAFSTORE_ASSIGN_OR_RETURN(chunk, compressor_->Compress(chunk));
      compress = !is_first || chunk.size() <= size - size / 16;
      if (!compress) continue;
    }
    checksum_.Append(chunk);
    LEAFSTORE_RETURN_IF_ERROR(stream->Append(chunk));
    progress->Add(static_cast<int64_t>(size));
    bytes.remove_prefix(size);
  }
  return compress ? kCodecZstd : kCodecNone;
}

}  // namespace leafstore::internal
