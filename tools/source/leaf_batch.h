// How many leaves are read at once: enough that a small leaf costs nothing but itself, and so few
// that progress is seen and memory stays small.
//
//   while (!places.empty()) {
//     const LeafBatch batch = NextBatch(item, places);
//     ParamStore leaves = item.Load(places.first(batch.size)).value();
//     places.remove_prefix(batch.size);
//     progress.Advance(batch.bytes);
//   }
#ifndef LEAFSTORE_TOOLS_SOURCE_LEAF_BATCH_H_
#define LEAFSTORE_TOOLS_SOURCE_LEAF_BATCH_H_

#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"

#include "leafstore/tools/source/source.h"

namespace leafstore::tools {

struct LeafBatch {
  size_t size = 0;    // of the places, from the first on; at least one
  int64_t bytes = 0;  // of their tensors
};

// `places` must not be empty. O(size).
LeafBatch NextBatch(const SourceItem& item, absl::Span<const uint32_t> places);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_SOURCE_LEAF_BATCH_H_
