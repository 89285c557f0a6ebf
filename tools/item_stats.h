// Statistics of the tensors of a checkpoint's item, read a few at a time.
#ifndef LEAFSTORE_TOOLS_ITEM_STATS_H_
#define LEAFSTORE_TOOLS_ITEM_STATS_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "leafstore/checkpoint/reader.h"
#include "leafstore/store/stats.h"
#include "leafstore/tools/progress.h"

namespace leafstore::tools {

// Of the leaves at `places` of an item, in order; of static leaves empty ones. They are verified if
// `reader` verifies. error: as CheckpointReader::LoadPlaces. O(bytes).
absl::StatusOr<std::vector<TensorStats>> ReadStats(const CheckpointReader& reader,
                                                   const CheckpointItemInfo& item,
                                                   absl::Span<const uint32_t> places,
                                                   Progress* progress);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_ITEM_STATS_H_
