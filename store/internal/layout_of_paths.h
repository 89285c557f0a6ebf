// The structure that a set of paths implies. For layout.cc.
#ifndef LEAFSTORE_STORE_INTERNAL_LAYOUT_OF_PATHS_H_
#define LEAFSTORE_STORE_INTERNAL_LAYOUT_OF_PATHS_H_

#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "leafstore/core/path.h"
#include "leafstore/treedef/treedef.h"

namespace leafstore::internal {

// Makes containers from keys: attributes make a struct, items a dict, indices 0..n-1 a list, other
// indices a dict with int keys. The leaves are in the order of `sorted_paths`, which must be sorted
// and unique. error InvalidArgument: a path is a prefix of another, or keys below one path have
// different kinds; names both paths. O(total keys).
absl::StatusOr<TreeDef> TreeDefOfPaths(absl::Span<const Path> sorted_paths);

}  // namespace leafstore::internal

#endif  // LEAFSTORE_STORE_INTERNAL_LAYOUT_OF_PATHS_H_
