// Grouping: which named group each leaf of a model is in.
//
//   Grouping grouping = Grouping::Compile(params, {{"frozen", Glob("embed.**")},
//                                                  {"no_decay", HasTag("no_decay")},
//                                                  {"weights", Rest()}}).value();
//   Groups groups = grouping.Split(std::move(params)).value();   // groups.h
//   grouping.name(grouping.GroupOf(slot));                       // "no_decay"
//   grouping.Explain(".embed.weight")->text;                     // which filter took the leaf
//
// Rule (that of Inox). A leaf belongs to the group of its outermost ancestor-or-self that any filter
// matches; on that node the first matching filter wins; below a matched node no filter is evaluated.
// So the depth of a match beats the order of filters, and a filter that matches the root takes
// everything. Leaves without such an ancestor belong to Rest(), which comes last; without it they are
// an error. GroupingRule::kFirstMatch is the other usual rule (Flax NNX): filters are evaluated on
// leaves only, and the first filter that matches a leaf takes it.
//
// Groups are numbered in the order in which they are given. Names are UTF-8, not empty, and each
// occurs once. Filters without names make groups that are named by their index, "0", "1" and so on,
// and the rest comes last; partition.h is the short way to split by such filters once. A node
// without leaves (none, an empty container) and an alias are in no group.
//
// A Grouping is also made from a group index for each slot, as a checkpoint saves it. Each slot is
// in one group or in none.
//
// Split moves the handles of a store into its groups: O(leaves), for any number of stores that have
// the Layout, slots, dtypes and shapes of the store compiled for, which is checked in O(1). A
// Grouping that was made from indices checks Layout and slots only, in O(leaves).
//
// Memory: four bytes a slot of what was compiled, or from indices one byte a slot (four where there
// are more than 255 groups), and four for each slot in a group; not more for many groups than for
// few, since whoever reads a file does not choose their count.
//
// Threads: immutable and cheap to copy; calls are safe from many threads.
#ifndef LEAFSTORE_SELECT_GROUPING_H_
#define LEAFSTORE_SELECT_GROUPING_H_

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
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "leafstore/select/filter.h"
#include "leafstore/select/leaf_specs.h"
#include "leafstore/store/layout.h"
#include "leafstore/store/param_store.h"
#include "leafstore/store/slot_set.h"

namespace leafstore {

class Groups;

// Stands for the leaves that no filter takes.
struct Rest {};

// A group by its name and filter.
struct NamedFilter {
  NamedFilter(std::string group, Filter takes) : name(std::move(group)), filter(std::move(takes)) {}
  NamedFilter(std::string group, Rest) : name(std::move(group)) {}

  // Returns whether the filter calls a function of the user's, which may look at bytes.
  bool has_callable() const { return filter.has_value() && filter->has_callable(); }

  std::string name;
  std::optional<Filter> filter;  // none: the rest
};

enum class GroupingRule : uint8_t { kOutermostMatch, kFirstMatch };

struct GroupingOptions {
  GroupingRule rule = GroupingRule::kOutermostMatch;
  // Whether a filter may take no leaf. Otherwise it is error InvalidArgument, which names each such
  // filter, with what took the leaves that it matches, or with suggestions where it is a glob that
  // matches nothing. Unset: filters without names may, named ones may not.
  std::optional<bool> allow_empty = {};
  // error InvalidArgument if a leaf is left for the rest; names the paths.
  bool exhaustive = false;
  // How many leaves each group must get; -1 for any count. Empty: not checked.
  // error InvalidArgument if one gets another count.
  std::vector<int64_t> expected_counts = {};
};

// Why a leaf is in its group.
struct Explanation {
  uint32_t group = 0;                // kNoGroup: in none
  std::optional<size_t> filter;      // the index of the filter that took it; none: the rest
  std::string path;                  // of the leaf; of the owner if an alias was asked for
  std::string matched_path;          // of the node that the filter matched; empty for the rest
  std::optional<std::string> alias;  // the path that was asked for, where it goes through an alias
  // "'.head.bias' is in group 'no_decay': its filter (**.bias) matched '.head.bias'"
  std::string text;
};

class Grouping {
 public:
  // No groups of no layout.
  Grouping();

  // Evaluates the filters on the nodes of a store, or of leaves of which only the specs are known
  // (leaf_specs.h), such as those in a file.
  // error InvalidArgument: bad names (see above), a Rest() that is not last, a leaf that no group
  // takes, a filter that takes none, or as the options say; a filter's own error (its status()); or
  // as Layout::def. error FailedPrecondition: a borrow is open. O(nodes * filters).
  static absl::StatusOr<Grouping> Compile(const LeafSpecs& leaves, std::vector<NamedFilter> filters,
                                          const GroupingOptions& options = {});
  // Like Compile, for N filters without names, which make N + 1 groups; the last is the rest.
  static absl::StatusOr<Grouping> Compile(const LeafSpecs& leaves, std::vector<Filter> filters,
                                          const GroupingOptions& options = {});
  // Makes a grouping from the group of each slot, an index below names.size() or kNoGroup.
  // error InvalidArgument: not as many as slots, an index that is no group (names the slot's path),
  // or bad names. O(slots + groups).
  static absl::StatusOr<Grouping> Create(Layout layout, absl::Span<const uint32_t> group_of_slot,
                                         std::vector<std::string> names);

  // Valid, like names() and name(), while this Grouping or a copy of it lives.
  const Layout& layout() const& { return rep_->layout; }
  const Layout& layout() && = delete;  // would dangle
  uint32_t group_count() const { return static_cast<uint32_t>(rep_->names.size()); }
  absl::Span<const std::string> names() const& { return rep_->names; }
  absl::Span<const std::string> names() && = delete;
  // `group` must be below group_count().
  const std::string& name(uint32_t group) const& { return rep_->names[group]; }
  const std::string& name(uint32_t group) && = delete;
  // Returns the slots of a group. O(1) of what was compiled; otherwise O(its slots + slots / 64).
  SlotSet SlotsOf(uint32_t group) const;
  // How many leaves a group has. O(1).
  uint32_t SizeOf(uint32_t group) const;

  // Returns the group of a slot, or kNoGroup; any slot may be asked for. O(1).
  uint32_t GroupOf(Slot slot) const {
    if (slot >= rep_->layout.size()) return kNoGroup;
    if (!rep_->wide.empty()) return rep_->wide[slot];
    const uint8_t group = rep_->narrow[slot];
    return group == kNarrowNoGroup ? kNoGroup : group;
  }
  // Returns the group with this name. O(groups).
  std::optional<uint32_t> Find(absl::string_view name) const;
  // Like Find. error NotFound: no group has the name; with suggestions.
  absl::StatusOr<uint32_t> Get(absl::string_view name) const;

  // The group whose filter matched the root and so took everything, if one did: seldom what was
  // meant. None where this was made from indices.
  std::optional<uint32_t> root_group() const;

  // Says why the leaf at `path_text` is in its group: which filter took it, at which node. A leaf
  // that the Layout has and the store compiled for has not is in kNoGroup. error NotFound,
  // InvalidArgument: as ParamStore::Get. O(length).
  absl::StatusOr<Explanation> Explain(absl::string_view path_text) const;

  // Splits a store into its groups. From an rvalue the handles are moved, no count is touched; the
  // store is empty afterwards. From a const store they are copied: O(1) each, bytes are shared.
  // error FailedPrecondition: the store differs from the one compiled for, or from a grouping made
  // from indices in its Layout or in which leaves it has, or a borrow is open; the store is as
  // before.
  absl::StatusOr<Groups> Split(ParamStore&& store) const;
  absl::StatusOr<Groups> Split(const ParamStore& store) const;
  // Like Split, as an array to take apart: kGroups must be group_count(), otherwise error
  // InvalidArgument.
  template <size_t kGroups>
  absl::StatusOr<std::array<ParamStore, kGroups>> Split(ParamStore&& store) const {
    return ToArray<kGroups>(std::move(store));
  }
  template <size_t kGroups>
  absl::StatusOr<std::array<ParamStore, kGroups>> Split(const ParamStore& store) const {
    return ToArray<kGroups>(store);
  }

  // "bias: 12 leaves, rest: 40 leaves, in no group: 3".
  std::string ToString() const;

  // Equal Layouts, names and groups, whatever filters made them. O(slots); O(1) for copies.
  friend bool operator==(const Grouping& a, const Grouping& b) { return a.Equals(b); }

 private:
  friend class Groups;
  friend absl::StatusOr<std::vector<ParamStore>> Partition(ParamStore&& store,
                                                           std::vector<Filter> filters,
                                                           const GroupingOptions& options);
  friend absl::StatusOr<std::vector<ParamStore>> Partition(const ParamStore& store,
                                                           std::vector<Filter> filters,
                                                           const GroupingOptions& options);

  static constexpr uint8_t kNarrowNoGroup = 0xff;
  struct Compiled;  // grouping.cc
  struct Rep {
    Layout layout;
    std::vector<std::string> names;
    std::vector<uint8_t> narrow;  // the group of each slot, where one byte is enough
    std::vector<uint32_t> wide;   // otherwise
    // Made from indices: group by group, ascending in each; and where each group begins in it.
    std::vector<Slot> slots;
    std::vector<uint32_t> begins;
    std::shared_ptr<const Compiled> compiled;  // null: made from indices
  };
  explicit Grouping(std::shared_ptr<const Rep> rep) : rep_(std::move(rep)) {}

  // Compile for Partition, which splits the very store that it compiles for: the fingerprints that
  // other stores are checked by are not made.
  enum class Fingerprints : uint8_t { kNone, kMade };
  static absl::StatusOr<Grouping> CompileOnce(const LeafSpecs& leaves, std::vector<Filter> filters,
                                              const GroupingOptions& options);
  static absl::StatusOr<Grouping> Evaluate(const LeafSpecs& leaves, std::vector<Filter> filters,
                                           std::vector<std::string> names, bool named,
                                           const GroupingOptions& options,
                                           Fingerprints fingerprints);
  bool Equals(const Grouping& other) const;
  absl::Status CheckStore(const ParamStore& store) const;
  absl::Status CheckGroupCount(size_t wanted) const;
  // Split of a store that fits, and of one that is still to be checked.
  std::vector<ParamStore> SplitChecked(ParamStore&& store) const;
  std::vector<ParamStore> SplitChecked(const ParamStore& store) const;
  template <typename Leaves, typename Take>
  std::vector<ParamStore> SplitLeaves(const SlotSet& from, Leaves& leaves, Take take) const;
  absl::StatusOr<std::vector<ParamStore>> SplitStores(ParamStore&& store) const;
  absl::StatusOr<std::vector<ParamStore>> SplitStores(const ParamStore& store) const;
  template <size_t kGroups, typename Store>
  absl::StatusOr<std::array<ParamStore, kGroups>> ToArray(Store&& store) const {
    if (absl::Status status = CheckGroupCount(kGroups); !status.ok()) return status;
    auto groups = SplitStores(std::forward<Store>(store));
    if (!groups.ok()) return groups.status();
    std::array<ParamStore, kGroups> array;
    std::move(groups->begin(), groups->end(), array.begin());
    return array;
  }

  std::shared_ptr<const Rep> rep_;
};

}  // namespace leafstore

#endif  // LEAFSTORE_SELECT_GROUPING_H_
