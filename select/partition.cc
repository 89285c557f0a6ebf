#include "leafstore/select/partition.h"

#include <string>

#include "leafstore/core/status_macros.h"
#include "leafstore/select/internal/group_compiler.h"

namespace leafstore {
namespace internal {

struct GroupingAccess {
  template <typename Store>
  static absl::StatusOr<std::vector<ParamStore>> Partition(Store&& store,
                                                           std::vector<Filter> filters,
                                                           const GroupingOptions& options) {
    std::vector<std::string> names = IndexNames(filters.size() + 1);
    LEAFSTORE_ASSIGN_OR_RETURN(
        const Grouping grouping,
        Grouping::Evaluate(store, std::move(filters), std::move(names), /*named=*/false, options,
                           /*fingerprints=*/false));
    return grouping.SplitChecked(std::forward<Store>(store));
  }
};

}  // namespace internal

absl::StatusOr<std::vector<ParamStore>> Partition(ParamStore&& store, std::vector<Filter> filters,
                                                  const GroupingOptions& options) {
  return internal::GroupingAccess::Partition(std::move(store), std::move(filters), options);
}

absl::StatusOr<std::vector<ParamStore>> Partition(const ParamStore& store,
                                                  std::vector<Filter> filters,
                                                  const GroupingOptions& options) {
  return internal::GroupingAccess::Partition(store, std::move(filters), options);
}

}  // namespace leafstore
