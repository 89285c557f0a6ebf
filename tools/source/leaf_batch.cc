#include "leafstore/tools/source/leaf_batch.h"

#include <algorithm>

#include "leafstore/core/status_macros.h"

namespace leafstore::tools {
namespace {

constexpr int64_t kBatchBytes = int64_t{16} << 20;
constexpr size_t kBatchLeaves = 8192;

}  // namespace

LeafBatch NextBatch(const SourceItem& item, absl::Span<const uint32_t> places) {
  LeafBatch batch;
  do {
    // A damaged file may have any size in its manifest.
    batch.bytes += std::min(item.entry(places[batch.size++]).spec.byte_size(), int64_t{1} << 62);
  } while (batch.size < places.size() && batch.size < kBatchLeaves && batch.bytes < kBatchBytes);
  return batch;
}

absl::Status ForEachBatch(const SourceItem& item, absl::Span<const uint32_t> places,
                          Progress* progress,
                          absl::FunctionRef<absl::Status(const ParamStore& leaves)> use) {
  while (!places.empty()) {
    const LeafBatch next = NextBatch(item, places);
    LEAFSTORE_ASSIGN_OR_RETURN(const ParamStore leaves, item.Load(places.first(next.size)));
    LEAFSTORE_RETURN_IF_ERROR(use(leaves));
    places.remove_prefix(next.size);
    progress->Advance(next.bytes);
  }
  return absl::OkStatus();
}

}  // namespace leafstore::tools
