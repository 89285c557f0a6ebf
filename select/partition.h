// Partition: splits a store into groups by filters, with one call.
//
//   Groups groups = Partition(std::move(params), {{"frozen", Glob("embed.**")},
//                                                 {"weights", Rest()}}).value();
//
// N filters without names make N + 1 stores; the last one is the rest:
//
//   auto [biases, frozen, rest] =
//       Partition<3>(std::move(params), {Glob("**.bias"), Glob("layers.0.**")}).value();
//   ... update one group, leave the others ...
//   params = Merge(std::move(biases), std::move(frozen), std::move(rest)).value();   // merge.h
//
// Calls Grouping::Compile and Split (see grouping.h for the rule). Without names, the data that a
// Grouping needs to check other stores is not computed.
//
// Groups are on the Layout of the store, in its order, including empty ones. They keep only their
// own leaves alive. From an rvalue the handles are moved, and the store is empty afterwards; from a
// const store they are copied. Errors are those of Grouping::Compile; the store is then unchanged.
#ifndef LEAFSTORE_SELECT_PARTITION_H_
#define LEAFSTORE_SELECT_PARTITION_H_

#include <array>
#include <cstddef>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

#include "leafstore/select/filter.h"
#include "leafstore/select/grouping.h"
#include "leafstore/select/groups.h"
#include "leafstore/store/param_store.h"

namespace leafstore {

absl::StatusOr<Groups> Partition(ParamStore&& store, std::vector<NamedFilter> filters,
                                 const GroupingOptions& options = {});
absl::StatusOr<Groups> Partition(const ParamStore& store, std::vector<NamedFilter> filters,
                                 const GroupingOptions& options = {});
absl::StatusOr<std::vector<ParamStore>> Partition(ParamStore&& store, std::vector<Filter> filters,
                                                  const GroupingOptions& options = {});
absl::StatusOr<std::vector<ParamStore>> Partition(const ParamStore& store,
                                                  std::vector<Filter> filters,
                                                  const GroupingOptions& options = {});

// Like Partition, but returns an array for structured bindings. error InvalidArgument: kGroups is
// not one more than the number of filters.
template <size_t kGroups, typename Store>
absl::StatusOr<std::array<ParamStore, kGroups>> Partition(Store&& store,
                                                          std::vector<Filter> filters,
                                                          const GroupingOptions& options = {}) {
  if (kGroups != filters.size() + 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("Partition<", kGroups, ">: expected Partition<", filters.size() + 1,
                     ">, one store for each filter and one for the rest"));
  }
  auto groups = Partition(std::forward<Store>(store), std::move(filters), options);
  if (!groups.ok()) return groups.status();
  std::array<ParamStore, kGroups> array;
  std::move(groups->begin(), groups->end(), array.begin());
  return array;
}

}  // namespace leafstore

#endif  // LEAFSTORE_SELECT_PARTITION_H_
