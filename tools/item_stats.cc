#include "leafstore/tools/item_stats.h"

#include <algorithm>
#include <iterator>

#include "leafstore/core/status_macros.h"

namespace leafstore::tools {
namespace {

// What is read at once: enough that a small leaf costs nothing but itself, and little enough that
// progress is seen and memory stays small.
constexpr int64_t kBatchBytes = int64_t{16} << 20;
constexpr size_t kBatchLeaves = 8192;

}  // namespace

absl::StatusOr<std::vector<TensorStats>> ReadStats(const CheckpointReader& reader,
                                                   const CheckpointItemInfo& item,
                                                   absl::Span<const uint32_t> places,
                                                   Progress* progress) {
  std::vector<TensorStats> stats;
  stats.reserve(places.size());
  while (!places.empty()) {
    size_t size = 0;
    int64_t bytes = 0;
    do {
      // A file may say anything of tensors that this reader cannot read.
      bytes += std::min(item.entry(places[size++]).byte_size, int64_t{1} << 62);
    } while (size < places.size() && size < kBatchLeaves && bytes < kBatchBytes);
    LEAFSTORE_ASSIGN_OR_RETURN(const ParamStore batch,
                               reader.LoadPlaces(item.name(), places.first(size)));
    LEAFSTORE_ASSIGN_OR_RETURN(std::vector<TensorStats> found, StatsOfLeaves(batch));
    stats.insert(stats.end(), std::make_move_iterator(found.begin()),
                 std::make_move_iterator(found.end()));
    places.remove_prefix(size);
    progress->Advance(bytes);
  }
  return stats;
}

}  // namespace leafstore::tools
