// Segments: the runs of bytes of a checkpoint's tensors, and whether they can be.
//
// In a sound file every segment lies between the preamble and the manifest, begins where its size
// asks for, has the size that dtype and shape ask for, and shares no byte with another. Offsets
// usually grow, and then one pass finds this out.
#ifndef LEAFSTORE_CHECKPOINT_INTERNAL_SEGMENTS_H_
#define LEAFSTORE_CHECKPOINT_INTERNAL_SEGMENTS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"

#include "leafstore/proto/manifest_codec.h"

namespace leafstore::internal {

// One segment: of tensor number `tensor` of an item.
struct Segment {
  int64_t offset;
  int64_t size;
  uint64_t checksum;
  uint32_t item;
  uint32_t tensor;
};

// Checks all segments; `end` is where the manifest begins. error DataLoss: names the item and path.
// O(tensors), and O(n log n) where offsets do not grow.
absl::Status CheckSegments(const Manifest& manifest, int64_t end);

// All segments with bytes in this file, by offset. The manifest must have been checked.
std::vector<Segment> SegmentsByOffset(const Manifest& manifest);

// "item 'params', '.w'": the tensor of this number. For messages; O(leaves).
std::string TensorForMessage(const ManifestItem& item, uint32_t tensor);
// The same of the leaf at `place`. O(length).
std::string LeafForMessage(const ManifestItem& item, uint32_t place);

}  // namespace leafstore::internal

#endif  // LEAFSTORE_CHECKPOINT_INTERNAL_SEGMENTS_H_
