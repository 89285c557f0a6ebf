// Segments: the byte ranges of a checkpoint's tensors, and the checks of their positions.
//
// In a valid file every segment is between the preamble and the manifest, has the alignment that
// its size requires and the size that its dtype, shape and codec require, and overlaps no other
// segment. Two tensors in a base may have the same segment, because a tensor that was saved once
// may later be in several items; but the sizes of all tensors in a base are limited
// (MaxBytesInBase).
#ifndef LEAFSTORE_CHECKPOINT_INTERNAL_SEGMENTS_H_
#define LEAFSTORE_CHECKPOINT_INTERNAL_SEGMENTS_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "absl/status/status.h"

#include "leafstore/checkpoint/load_options.h"
#include "leafstore/proto/manifest_codec.h"

namespace leafstore::internal {

// The segment of one tensor: `tensor` is its index in the item with index `item`.
struct Segment {
  int64_t offset;
  int64_t size;
  uint64_t checksum;
  uint32_t item;
  uint32_t tensor;
};

// The maximum number of bases of a checkpoint: a reader keeps all of them open. A save uses fewer
// (SaveHistory).
inline constexpr size_t kMaxBasesOfFile = 64;

// Returns the maximum total stored size of all tensors in a base. Without a limit, a small file
// could declare the same few bytes as millions of tensors, which would need too much memory to
// load.
constexpr int64_t MaxBytesInBase(int64_t file_size) {
  constexpr int64_t kTimes = 16;
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  return file_size > kMax / kTimes ? kMax : kTimes * file_size;
}

// Checks all segments. `end` is the offset of the manifest. error DataLoss: a segment is invalid;
// names the item and path. O(tensors), or O(n log n) if offsets are not ascending or there are
// bases.
absl::Status CheckSegments(const Manifest& manifest, int64_t end);

// Returns all segments in this file, ascending by offset. The manifest must have been checked.
std::vector<Segment> SegmentsByOffset(const Manifest& manifest);
// Returns all segments in base n (Manifest::bases[n - 1]), by n, ascending by offset, then by size;
// none for n = 0. O(n log n).
std::vector<std::vector<Segment>> SegmentsInBases(const Manifest& manifest);

// Returns the entry of the leaf at `place`. O(1). Inline, because loads call it for each leaf.
inline EntryInfo EntryOf(const ManifestItem& item, uint32_t place) {
  EntryInfo entry{item.leaves.spec(place)};
  if (!item.leaves.is_tensor(place)) {
    entry.value = &item.leaves.value(place);
    return entry;
  }
  const uint32_t tensor = item.leaves.tensor(place);
  entry.stored_size = item.stored_size(tensor);
  entry.offset = static_cast<int64_t>(item.segments.offsets[tensor]);
  entry.checksum = item.segments.checksums[tensor];
  entry.codec = item.segments.codec(tensor);
  entry.base = item.segments.base(tensor);
  entry.block_checksums = item.blocks(tensor);
  return entry;
}

// Returns the name of a tensor for messages: "item 'params', '.w'". O(leaves).
std::string TensorForMessage(const ManifestItem& item, uint32_t tensor);
// Like TensorForMessage, but for the leaf at `place`. O(length).
std::string LeafForMessage(const ManifestItem& item, uint32_t place);

}  // namespace leafstore::internal

#endif  // LEAFSTORE_CHECKPOINT_INTERNAL_SEGMENTS_H_
