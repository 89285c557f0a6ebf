// Loads parts of a file as LoadOptions describe them, for the readers of all formats.
#ifndef LEAFSTORE_CHECKPOINT_INTERNAL_CHOOSE_LEAVES_H_
#define LEAFSTORE_CHECKPOINT_INTERNAL_CHOOSE_LEAVES_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "leafstore/checkpoint/internal/stored_leaves.h"
#include "leafstore/checkpoint/load_options.h"
#include "leafstore/core/leaf.h"
#include "leafstore/select/grouping.h"
#include "leafstore/select/load_into.h"
#include "leafstore/store/param_store.h"

namespace leafstore::internal {

// Loads the leaves that `options` select. error: see LoadOptions; and those of loading.
absl::StatusOr<ParamStore> LoadChosen(const StoredLeaves& stored, const LoadOptions& options);

// Loads the leaf at a canonical path. A path through an alias finds the owner's leaf. Does not
// build an index of the paths, which would cost more than loading one leaf. error NotFound: no such
// path, or its leaf is not stored. error InvalidArgument: not a canonical path, or that of a
// container. O(depth * log children) with a TreeDef.
absl::StatusOr<Leaf> LoadLeaf(const StoredLeaves& stored, absl::string_view path);

// Compiles a grouping of the leaves from their specs. If a filter is a Callable, which may read
// bytes, loads them. error: Grouping::Compile's, and those of loading.
absl::StatusOr<Grouping> CompileGrouping(const StoredLeaves& stored,
                                         std::vector<NamedFilter> filters,
                                         const GroupingOptions& options);

// Replaces leaves of a store. error: LoadInto's (load_into.h), and those of loading.
absl::StatusOr<RestoreReport> LoadInto(const StoredLeaves& stored, ParamStore* store,
                                       const RestoreOptions& options);

}  // namespace leafstore::internal

#endif  // LEAFSTORE_CHECKPOINT_INTERNAL_CHOOSE_LEAVES_H_
