// SegmentChecksum: computes the checksums of a segment whose bytes arrive in order: one of all
// bytes, and one of each block (docs/format.md).
#ifndef LEAFSTORE_CHECKPOINT_INTERNAL_SEGMENT_CHECKSUM_H_
#define LEAFSTORE_CHECKPOINT_INTERNAL_SEGMENT_CHECKSUM_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/io/internal/checksum.h"
#include "leafstore/proto/manifest_codec.h"

namespace leafstore::internal {

class SegmentChecksum {
 public:
  // error ResourceExhausted: out of memory.
  static absl::StatusOr<SegmentChecksum> Create() {
    LEAFSTORE_ASSIGN_OR_RETURN(ChecksumStream all, ChecksumStream::Create());
    LEAFSTORE_ASSIGN_OR_RETURN(ChecksumStream block, ChecksumStream::Create());
    return SegmentChecksum(std::move(all), std::move(block));
  }

  // Begins a segment. Without `with_blocks`, which is for segments of at most one block, computes
  // no checksums of blocks.
  void Reset(bool with_blocks) {
    all_.Reset();
    block_.Reset();
    size_ = 0;
    with_blocks_ = with_blocks;
    blocks_.clear();
  }
  void Append(absl::Span<const std::byte> bytes) {
    all_.Append(bytes);
    while (with_blocks_ && !bytes.empty()) {
      const int64_t left = kBlockSize - size_ % kBlockSize;
      const auto piece = bytes.subspan(0, static_cast<size_t>(left));
      block_.Append(piece);
      size_ += static_cast<int64_t>(piece.size());
      bytes.remove_prefix(piece.size());
      if (size_ % kBlockSize == 0) EndBlock();
    }
  }
  uint64_t Value() const { return all_.Value(); }
  // Returns the checksums of the blocks: none if there is only one.
  std::vector<uint64_t> TakeBlocks() {
    if (size_ % kBlockSize != 0) EndBlock();
    if (size_ <= kBlockSize) blocks_.clear();
    return std::exchange(blocks_, {});
  }

 private:
  SegmentChecksum(ChecksumStream all, ChecksumStream block)
      : all_(std::move(all)), block_(std::move(block)) {}

  void EndBlock() {
    blocks_.push_back(block_.Value());
    block_.Reset();
  }

  ChecksumStream all_;
  ChecksumStream block_;
  int64_t size_ = 0;  // of the bytes in blocks
  bool with_blocks_ = false;
  std::vector<uint64_t> blocks_;
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_CHECKPOINT_INTERNAL_SEGMENT_CHECKSUM_H_
