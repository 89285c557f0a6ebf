// Statistics of the tensors of a checkpoint's item, read a few at a time.
#ifndef LEAFSTORE_TOOLS_SOURCE_ITEM_STATS_H_
#define LEAFSTORE_TOOLS_SOURCE_ITEM_STATS_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "leafstore/numeric/stats.h"
#include "leafstore/tools/present/progress.h"
#include "leafstore/tools/source/source.h"

namespace leafstore::tools {

// Of the leaves at `places` of an item, in order; of static leaves empty ones. They are verified if
// the source verifies. error: as SourceItem::Load, and a bad option. O(bytes).
absl::StatusOr<std::vector<TensorStats>> ReadStats(const SourceItem& item,
                                                   absl::Span<const uint32_t> places,
                                                   const StatsOptions& options, Progress* progress);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_SOURCE_ITEM_STATS_H_
