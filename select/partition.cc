#include "leafstore/select/partition.h"

#include "leafstore/core/status_macros.h"

namespace leafstore {

absl::StatusOr<Groups> Partition(ParamStore&& store, std::vector<NamedFilter> filters,
                                 const GroupingOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(const Grouping grouping,
                             Grouping::Compile(store, std::move(filters), options));
  return grouping.Split(std::move(store));
}

absl::StatusOr<Groups> Partition(const ParamStore& store, std::vector<NamedFilter> filters,
                                 const GroupingOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(const Grouping grouping,
                             Grouping::Compile(store, std::move(filters), options));
  return grouping.Split(store);
}

absl::StatusOr<std::vector<ParamStore>> Partition(ParamStore&& store, std::vector<Filter> filters,
                                                  const GroupingOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(
      const Grouping grouping,
      Grouping::EvaluateUnnamed(store, std::move(filters), options, /*fingerprints=*/false));
  return grouping.SplitChecked(std::move(store));
}

absl::StatusOr<std::vector<ParamStore>> Partition(const ParamStore& store,
                                                  std::vector<Filter> filters,
                                                  const GroupingOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(
      const Grouping grouping,
      Grouping::EvaluateUnnamed(store, std::move(filters), options, /*fingerprints=*/false));
  return grouping.SplitChecked(store);
}

}  // namespace leafstore
