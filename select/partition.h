// Partition: N filters split a store into N + 1 groups; the last is the rest.
//
//   PartitionPlan plan =
//       PartitionPlan::Compile(params, {Glob("**.bias"), Glob("layers.0.**")}).value();
//   auto [biases, frozen, rest] = plan.Split<3>(std::move(params)).value();
//   ... update one group, leave the others ...
//   params = Merge(std::move(biases), std::move(frozen), std::move(rest)).value();   // merge.h
//
// Rule (that of Inox). A leaf goes with its oldest ancestor-or-self that any filter matches; on
// that node the first matching filter wins; below a matched node nothing is asked. So the depth of
// a match beats the order of filters, and a filter that matches the root takes everything. Leaves
// with no such ancestor are the rest. PartitionRule::kFirstMatch is the other usual rule (Flax
// NNX): only leaves are asked, and the first filter that matches a leaf takes it.
//
// Groups are ParamStores on the Layout of the store, in its order, empty ones too. They keep only
// their own leaves alive. A node without leaves (none, an empty container) and an alias are in no
// group.
//
// Plan. Compile asks the filters, O(nodes); Split moves the handles, O(leaves), for any number of
// stores with the Layout, slots, dtypes and shapes of the one compiled for, which is checked in
// O(1). A store that fails the check is error FailedPrecondition: compile again. A plan may be
// compiled for leaves of which only the specs are known (leaf_specs.h), as those in a file.
//
// Threads: a plan is immutable, cheap to copy; safe from many threads.
#ifndef LEAFSTORE_SELECT_PARTITION_H_
#define LEAFSTORE_SELECT_PARTITION_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "leafstore/select/filter.h"
#include "leafstore/select/leaf_specs.h"
#include "leafstore/store/param_store.h"

namespace leafstore {

enum class PartitionRule : uint8_t { kOutermostMatch, kFirstMatch };

struct PartitionOptions {
  PartitionRule rule = PartitionRule::kOutermostMatch;
  // error InvalidArgument from Compile if a leaf is left for the rest; names the paths.
  bool exhaustive = false;
  // error InvalidArgument from Compile if a filter takes no leaf; names each, with what took those
  // that it matches, or with near names where it is a glob that matches nothing.
  bool no_empty_groups = false;
  // How many leaves each group must get, the rest last; -1 for any number. Empty: not checked.
  // error InvalidArgument from Compile if one gets another number.
  std::vector<int64_t> expected_counts = {};
};

// Why a leaf is in its group.
struct Explanation {
  uint32_t group = 0;                // the rest: the number of filters; kNoGroup: in none
  std::optional<size_t> filter;      // the filter that took it; none for the rest
  std::string path;                  // of the leaf; of the owner if an alias was asked for
  std::string matched_path;          // of the node that the filter matched; empty for the rest
  std::optional<std::string> alias;  // the path that was asked for, where it goes through an alias
  // "'.head.bias' is in group 0: filter 0 (**.bias) matched '.head.bias'"
  std::string text;
};

class PartitionPlan {
 public:
  // error: a filter's own (its status()); InvalidArgument as the options say; or as Layout::def.
  // O(nodes * filters).
  static absl::StatusOr<PartitionPlan> Compile(const LeafSpecs& leaves, std::vector<Filter> filters,
                                               const PartitionOptions& options = {});

  // What it was compiled for. Valid while this plan or a copy of it lives.
  const Layout& layout() const&;
  const Layout& layout() && = delete;  // would dangle
  // The number of filters and one.
  size_t group_count() const;
  // Of each group, its slots.
  const SlotSet& group_slots(size_t group) const;
  // The group of a slot, or kNoGroup where the store compiled for lacks it; any slot may be asked
  // for.
  uint32_t GroupOf(Slot slot) const;
  // The filter that matched the root and so took everything, if one did: seldom what was meant.
  std::optional<size_t> root_filter() const;

  // Which filter took the leaf at `path_text`, at which node. A leaf that the Layout has and the
  // store compiled for has not is in kNoGroup. error NotFound, InvalidArgument: as ParamStore::Get.
  // O(length).
  absl::StatusOr<Explanation> Explain(absl::string_view path_text) const;

  // The groups. From an rvalue the handles are moved, no count is touched; the store is empty
  // afterwards. From a const store they are copied: O(1) each, bytes are shared.
  // error FailedPrecondition: the store differs from the one compiled for, or a borrow is open; the
  // store is as before.
  absl::StatusOr<std::vector<ParamStore>> Split(ParamStore&& store) const;
  absl::StatusOr<std::vector<ParamStore>> Split(const ParamStore& store) const;
  // The same, as an array to take apart: kGroups must be group_count(), otherwise error
  // InvalidArgument.
  template <size_t kGroups>
  absl::StatusOr<std::array<ParamStore, kGroups>> Split(ParamStore&& store) const {
    return ToArray<kGroups>(std::move(store));
  }
  template <size_t kGroups>
  absl::StatusOr<std::array<ParamStore, kGroups>> Split(const ParamStore& store) const {
    return ToArray<kGroups>(store);
  }

 private:
  struct Rep;
  explicit PartitionPlan(std::shared_ptr<const Rep> rep) : rep_(std::move(rep)) {}
  friend absl::StatusOr<std::vector<ParamStore>> Partition(ParamStore&& store,
                                                           std::vector<Filter> filters,
                                                           const PartitionOptions& options);
  friend absl::StatusOr<std::vector<ParamStore>> Partition(const ParamStore& store,
                                                           std::vector<Filter> filters,
                                                           const PartitionOptions& options);

  // Asks the filters. The fingerprints that CheckStore compares are still to be made.
  static absl::StatusOr<std::shared_ptr<Rep>> Ask(const LeafSpecs& leaves,
                                                  std::vector<Filter> filters,
                                                  const PartitionOptions& options);
  // Split of a store that is the one compiled for.
  static std::vector<ParamStore> SplitChecked(const Rep& rep, ParamStore&& store);
  static std::vector<ParamStore> SplitChecked(const Rep& rep, const ParamStore& store);

  absl::Status CheckStore(const ParamStore& store) const;
  absl::Status CheckGroupCount(size_t wanted) const;
  template <size_t kGroups, typename Store>
  absl::StatusOr<std::array<ParamStore, kGroups>> ToArray(Store&& store) const {
    if (absl::Status status = CheckGroupCount(kGroups); !status.ok()) return status;
    auto groups = Split(std::forward<Store>(store));
    if (!groups.ok()) return groups.status();
    std::array<ParamStore, kGroups> array;
    std::move(groups->begin(), groups->end(), array.begin());
    return array;
  }

  std::shared_ptr<const Rep> rep_;
};

// Compile and Split in one, for a partition that is made once: what a plan needs to check other
// stores is not made.
absl::StatusOr<std::vector<ParamStore>> Partition(ParamStore&& store, std::vector<Filter> filters,
                                                  const PartitionOptions& options = {});
absl::StatusOr<std::vector<ParamStore>> Partition(const ParamStore& store,
                                                  std::vector<Filter> filters,
                                                  const PartitionOptions& options = {});

}  // namespace leafstore

#endif  // LEAFSTORE_SELECT_PARTITION_H_
