// LeafBatch: leaves of an item that are read together: enough that a small leaf costs little, and
// few enough that progress is visible and memory stays small.
//
//   LEAFSTORE_RETURN_IF_ERROR(ForEachBatch(item, places, &progress, [&](const ParamStore& leaves) {
//     ...
//     return absl::OkStatus();
//   }));
#ifndef LEAFSTORE_TOOLS_SOURCE_LEAF_BATCH_H_
#define LEAFSTORE_TOOLS_SOURCE_LEAF_BATCH_H_

#include <cstddef>
#include <cstdint>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/types/span.h"

#include "leafstore/store/param_store.h"
#include "leafstore/tools/present/progress.h"
#include "leafstore/tools/source/source.h"

namespace leafstore::tools {

struct LeafBatch {
  size_t size = 0;    // count of places, from the first on; at least one
  int64_t bytes = 0;  // of their tensors
};

// Returns the batch at the beginning of `places`, which must not be empty. O(size).
LeafBatch NextBatch(const SourceItem& item, absl::Span<const uint32_t> places);

// Loads the leaves at `places`, strictly ascending, and calls `use` with each batch in order.
// error: as SourceItem::Load; that of `use`.
absl::Status ForEachBatch(const SourceItem& item, absl::Span<const uint32_t> places,
                          Progress* progress,
                          absl::FunctionRef<absl::Status(const ParamStore& leaves)> use);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_SOURCE_LEAF_BATCH_H_
