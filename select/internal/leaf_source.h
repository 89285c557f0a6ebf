// LeafSource: leaves that can be loaded, as those of a file, for LoadInto of every format.
#ifndef LEAFSTORE_SELECT_INTERNAL_LEAF_SOURCE_H_
#define LEAFSTORE_SELECT_INTERNAL_LEAF_SOURCE_H_

#include <cstdint>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "leafstore/core/leaf.h"
#include "leafstore/select/load_into.h"
#include "leafstore/store/leaf_specs.h"

namespace leafstore::internal {

struct LeafSource {
  LeafSpecs leaves;
  // Loads the leaves at these places, which may be unsorted and may repeat.
  absl::FunctionRef<absl::StatusOr<std::vector<Leaf>>(absl::Span<const uint32_t> places)> load;
  // Prefixes an error that is not from `load` with the name of the source.
  absl::FunctionRef<absl::Status(const absl::Status&)> named;
};

absl::StatusOr<RestoreReport> LoadInto(const LeafSource& source, ParamStore* store,
                                       const RestoreOptions& options);

}  // namespace leafstore::internal

#endif  // LEAFSTORE_SELECT_INTERNAL_LEAF_SOURCE_H_
