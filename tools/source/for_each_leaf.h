// ForEachLeaf: reads leaves of items, some MiB at a time.
//
//   ForEachLeaf({{&before, places}, {&after, places_after}}, /*threads=*/1, &progress,
//               [&](size_t i, absl::Span<const Leaf> leaves) {
//                 ... leaves[0] ... leaves[1] ...
//                 return absl::OkStatus();
//               });
#ifndef LEAFSTORE_TOOLS_SOURCE_FOR_EACH_LEAF_H_
#define LEAFSTORE_TOOLS_SOURCE_FOR_EACH_LEAF_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/types/span.h"

#include "leafstore/core/leaf.h"
#include "leafstore/tools/present/output.h"
#include "leafstore/tools/source/source.h"

namespace leafstore::tools {

// Some leaves of an item, in any order; kNoPlace: a leaf that the item does not have.
struct ItemPlaces {
  const SourceItem* item = nullptr;  // null: it has none
  std::vector<uint32_t> places;
};

// Loads the leaves of one item, or of several side by side, which must have the same count of
// places. Calls `use` with the index of each place and the leaf of each item there; null (Leaf())
// for kNoPlace. Leaves are released after each few MiB, so that memory stays small and progress is
// visible. Runs on up to `threads` threads (0: as IoOptions); with one, in order. error: as
// SourceItem::Load, prefixed with the file; that of `use`; if several occur, the first in order.
// O(bytes).
absl::Status ForEachLeaf(
    std::vector<ItemPlaces> items, int threads, Progress* progress,
    absl::FunctionRef<absl::Status(size_t i, absl::Span<const Leaf> leaves)> use);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_SOURCE_FOR_EACH_LEAF_H_
