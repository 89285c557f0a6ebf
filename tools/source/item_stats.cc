#include "leafstore/tools/source/item_stats.h"

#include <iterator>

#include "leafstore/core/status_macros.h"
#include "leafstore/tools/source/leaf_batch.h"

namespace leafstore::tools {
absl::StatusOr<std::vector<TensorStats>> ReadStats(const SourceItem& item,
                                                   absl::Span<const uint32_t> places,
                                                   const StatsOptions& options,
                                                   Progress* progress) {
  std::vector<TensorStats> stats;
  stats.reserve(places.size());
  while (!places.empty()) {
    const LeafBatch next = NextBatch(item, places);
    LEAFSTORE_ASSIGN_OR_RETURN(const ParamStore batch, item.Load(places.first(next.size)));
    LEAFSTORE_ASSIGN_OR_RETURN(std::vector<TensorStats> found, StatsOfLeaves(batch, options));
    stats.insert(stats.end(), std::make_move_iterator(found.begin()),
                 std::make_move_iterator(found.end()));
    places.remove_prefix(next.size);
    progress->Advance(next.bytes);
  }
  return stats;
}

}  // namespace leafstore::tools
