#include "leafstore/tools/source/leaf_batch.h"

#include <algorithm>

namespace leafstore::tools {
namespace {

constexpr int64_t kBatchBytes = int64_t{16} << 20;
constexpr size_t kBatchLeaves = 8192;

}  // namespace

LeafBatch NextBatch(const SourceItem& item, absl::Span<const uint32_t> places) {
  LeafBatch batch;
  do {
    // A file may say anything of tensors that cannot be read.
    batch.bytes += std::min(item.entry(places[batch.size++]).spec.byte_size(), int64_t{1} << 62);
  } while (batch.size < places.size() && batch.size < kBatchLeaves && batch.bytes < kBatchBytes);
  return batch;
}

}  // namespace leafstore::tools
