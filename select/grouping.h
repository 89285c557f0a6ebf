// Grouping: an assignment of a model's leaves to named groups.
//
//   Grouping grouping = Grouping::Compile(params, {{"frozen", Glob("embed.**")},
//                                                  {"no_decay", HasTag("no_decay")},
//                                                  {"weights", Rest()}}).value();
//   Groups groups = grouping.Split(std::move(params)).value();   // groups.h
//   grouping.name(grouping.GroupOf(slot));                       // "no_decay"
//   grouping.Explain(".embed.weight")->text;                     // which filter matched the leaf
//
// Rule (that of Inox). A leaf belongs to the group of its outermost ancestor-or-self that any
// filter matches; on that node the first matching filter wins; below a matched node no filter is
// evaluated. So a match nearer to the root precedes the order of filters, and a filter that matches
// the root gets every leaf. Leaves without such an ancestor belong to Rest(), which must come last;
// without a Rest() they are an error. With `first_match` (the rule of Flax NNX), filters are
// evaluated on leaves only, and a leaf belongs to the first filter that matches it.
//
// Groups are indexed in the order given. Names are nonempty UTF-8 and unique. Filters without names
// make groups named by index, "0", "1" and so on, followed by the rest. Aliases and nodes without
// leaves are in no group.
//
// A Grouping can also be created from a group index for each slot, as saved in a checkpoint. Each
// slot is in one group or in none.
//
// Split moves the handles of a store into its groups in O(leaves). A compiled Grouping splits any
// store with the Layout, slots, dtypes and shapes of the original one, which is checked in O(1). A
// Grouping created from indices checks the Layout and slots only.
//
// Memory: up to 13 bytes per slot. If created from indices, also the name and 4 bytes per group; a
// file may declare any number of groups.
//
// Threads: immutable and cheap to copy; calls are thread-safe.
#ifndef LEAFSTORE_SELECT_GROUPING_H_
#define LEAFSTORE_SELECT_GROUPING_H_

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
#include "leafstore/store/layout.h"
#include "leafstore/store/leaf_specs.h"
#include "leafstore/store/param_store.h"
#include "leafstore/store/slot_set.h"

namespace leafstore {

class Groups;
namespace internal {
struct CompiledGroups;

// The slots of each group, ascending.
struct GroupedSlots {
  std::vector<Slot> slots;       // of the first group, then of the next
  std::vector<uint32_t> begins;  // by group: its first index in `slots`; then the end

  uint32_t SizeOf(size_t group) const { return begins[group + 1] - begins[group]; }
  SlotSet SlotsOf(size_t group, uint32_t universe) const {
    const auto begin = slots.begin() + begins[group];
    return SlotSet::FromSorted(universe, std::vector<Slot>(begin, begin + SizeOf(group)));
  }
};
}  // namespace internal

// A group's name and filter.
struct NamedFilter {
  std::string name;
  std::optional<Filter> filter;  // none: the rest

  // Returns whether the filter contains a Callable, which may look at bytes.
  bool has_callable() const { return filter.has_value() && filter->has_callable(); }
};

// Stands for the leaves that no filter matches.
inline std::optional<Filter> Rest() { return std::nullopt; }

struct GroupingOptions {
  // Assigns a leaf to the first filter that matches it, not to that of its outermost matching
  // ancestor.
  bool first_match = false;
  // Whether a filter's group may be empty. If not, that is error InvalidArgument: names each such
  // filter, and the filters that its leaves belong to, or suggestions for a glob without matches.
  // Unset: true for filters without names, false for named ones.
  std::optional<bool> allow_empty = {};
  // Makes leaves in the rest error InvalidArgument, which names their paths.
  bool exhaustive = false;
  // The leaf count that each group must have, by index; -1 for any. Empty: not checked.
  // Another count is error InvalidArgument: names the group, both counts, and paths of it.
  std::vector<int64_t> expected_counts = {};
};

// Why a leaf is in its group.
struct Explanation {
  uint32_t group = 0;            // kNoGroup: in none
  std::optional<size_t> filter;  // the index of the filter that matched it; none: the rest
  std::string matched_path;      // of the node that the filter matched; empty for the rest
  // "'.head.bias' is in group 'no_decay': its filter (**.bias) matched '.head.bias'"
  std::string text;
};

class Grouping {
 public:
  // Creates a grouping without groups on an empty Layout.
  Grouping();

  // Evaluates the filters on the nodes of a store, or on leaves of which only the specs are known,
  // such as those in a file.
  // error InvalidArgument: bad names (see above), a Rest() that is not last, a leaf in no group, an
  // empty group, a violated option, a filter's status(), or as Layout::def. error
  // FailedPrecondition: a borrow is open. O(nodes * filters).
  static absl::StatusOr<Grouping> Compile(const LeafSpecs& leaves, std::vector<NamedFilter> filters,
                                          const GroupingOptions& options = {});
  // Like Compile, but for N filters without names, which make N + 1 groups; the last is the rest.
  static absl::StatusOr<Grouping> Compile(const LeafSpecs& leaves, std::vector<Filter> filters,
                                          const GroupingOptions& options = {});
  // Creates a grouping from the group of each slot: an index below names.size(), or kNoGroup.
  // error InvalidArgument: not one index per slot, an index out of range (names the slot's path),
  // or bad names. O(slots + groups).
  static absl::StatusOr<Grouping> Create(Layout layout, std::vector<uint32_t> group_of_slot,
                                         std::vector<std::string> names);

  // References that layout(), names() and name() return are valid while this Grouping or a copy of
  // it lives.
  const Layout& layout() const& { return rep_->layout; }
  const Layout& layout() && = delete;  // would dangle
  uint32_t group_count() const { return static_cast<uint32_t>(rep_->names.size()); }
  absl::Span<const std::string> names() const& { return rep_->names; }
  absl::Span<const std::string> names() && = delete;
  // `group` must be below group_count().
  const std::string& name(uint32_t group) const& { return rep_->names[group]; }
  const std::string& name(uint32_t group) && = delete;
  // Returns the slots of all groups together. Valid as layout().
  const SlotSet& slots() const& { return rep_->slots; }
  const SlotSet& slots() && = delete;
  // Returns the slots of a group. O(1) if compiled; otherwise O(its slots + slots / 64).
  SlotSet SlotsOf(uint32_t group) const;
  // Returns the leaf count of a group. O(1).
  uint32_t SizeOf(uint32_t group) const;

  // Returns the group of a slot, or kNoGroup. Accepts any slot. O(1).
  uint32_t GroupOf(Slot slot) const {
    return slot < rep_->group_of_slot.size() ? rep_->group_of_slot[slot] : kNoGroup;
  }
  // Returns the group with this name. O(groups).
  std::optional<uint32_t> Find(absl::string_view name) const;
  // Like Find, but an unknown name is error NotFound, with suggestions or the names of the groups.
  absl::StatusOr<uint32_t> Get(absl::string_view name) const;

  // Returns the group whose filter matched the root and so contains every leaf, which is seldom
  // intended; nullopt if none did, or if this was created from indices.
  std::optional<uint32_t> root_group() const;

  // Explains why the leaf at `path_text` is in its group: which filter matched, at which node. A
  // leaf of the Layout that the compiled store did not hold is in kNoGroup. error NotFound,
  // InvalidArgument: as ParamStore::Get. O(length).
  absl::StatusOr<Explanation> Explain(absl::string_view path_text) const;

  // Splits a store into its groups. From an rvalue, moves the handles without touching reference
  // counts; the store is empty afterwards. From a const store, copies the handles, O(1) each; the
  // bytes are shared.
  // error FailedPrecondition: a borrow is open; or the store differs from the compiled one (if
  // created from indices: in Layout or slots). The store is then unchanged.
  absl::StatusOr<Groups> Split(ParamStore&& store) const;
  absl::StatusOr<Groups> Split(const ParamStore& store) const;
  // Returns a summary such as "bias: 12 leaves, rest: 40 leaves, in no group: 3".
  std::string ToString() const;

  // Compares Layouts, names and groups, but not filters. O(slots); O(1) for copies.
  friend bool operator==(const Grouping& a, const Grouping& b) { return a.Equals(b); }

 private:
  struct Rep {
    Layout layout;
    std::vector<std::string> names;
    SlotSet slots;  // of all groups
    std::vector<uint32_t> group_of_slot;
    internal::GroupedSlots slots_by_group;                     // if created from indices
    std::shared_ptr<const internal::CompiledGroups> compiled;  // null: created from indices
    // If compiled: the sums of SpecHash for all leaves and, by group, for its leaves.
    uint64_t spec_fingerprint = 0;
    std::vector<uint64_t> group_fingerprints;
  };
  explicit Grouping(std::shared_ptr<const Rep> rep) : rep_(std::move(rep)) {}

  static absl::StatusOr<Grouping> Evaluate(const LeafSpecs& leaves, std::vector<Filter> filters,
                                           std::optional<std::vector<std::string>> names,
                                           const GroupingOptions& options);
  bool Equals(const Grouping& other) const;
  absl::Status CheckStore(const ParamStore& store) const;
  template <typename Store>
  absl::StatusOr<Groups> SplitStore(Store&& store) const;

  std::shared_ptr<const Rep> rep_;
};

}  // namespace leafstore

#endif  // LEAFSTORE_SELECT_GROUPING_H_
