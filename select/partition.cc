#include "leafstore/select/partition.h"

#include <optional>

#include "leafstore/core/status_macros.h"
#include "leafstore/select/internal/group_compiler.h"
#include "leafstore/store/internal/param_store_access.h"

namespace leafstore {
namespace {

template <typename Store>
absl::StatusOr<std::vector<ParamStore>> PartitionUnnamed(Store&& store, std::vector<Filter> filters,
                                                         const GroupingOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(
      const internal::CompiledGroups compiled,
      internal::CompileGroups(store, std::move(filters), std::nullopt, options));
  return internal::SplitLeaves(std::forward<Store>(store), compiled.groups);
}

}  // namespace

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
  return PartitionUnnamed(std::move(store), std::move(filters), options);
}

absl::StatusOr<std::vector<ParamStore>> Partition(const ParamStore& store,
                                                  std::vector<Filter> filters,
                                                  const GroupingOptions& options) {
  return PartitionUnnamed(store, std::move(filters), options);
}

}  // namespace leafstore
