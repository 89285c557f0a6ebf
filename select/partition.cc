#include "leafstore/select/partition.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_join.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/select/internal/empty_groups.h"
#include "leafstore/select/internal/filter_evaluator.h"
#include "leafstore/store/internal/spec_hash.h"

namespace leafstore {

struct PartitionPlan::Rep {
  Layout layout;
  TreeDef def;
  SlotSet slots;                  // of the store compiled for
  uint64_t spec_fingerprint = 0;  // of the store compiled for
  std::vector<Filter> filters;
  PartitionRule rule;
  std::optional<size_t> root_filter;
  std::vector<SlotSet> groups;
  std::vector<uint64_t> group_fingerprints;  // 0: not known
  std::vector<uint32_t> group_of_slot;
  std::vector<NodeId> matched_node;  // by slot: the node that the filter matched, or kNoNode
};

namespace {

// Asks the filters and gives each slot its group.
class Assigner {
 public:
  Assigner(const TreeDef& def, const LeafSpecs& leaves, absl::Span<const Filter> filters,
           PartitionRule rule)
      : def_(def),
        rule_(rule),
        filter_count_(filters.size()),
        evaluator_(def, leaves, filters),
        groups_(def.leaf_count(), static_cast<uint32_t>(filters.size())),
        matched_(def.leaf_count(), kNoNode) {}

  absl::Status Run() {
    for (NodeId node = kRootNode; node < def_.node_count();) {
      if (def_.kind(node) == NodeKind::kAlias) {
        ++node;
        continue;
      }
      evaluator_.Enter(node);
      const bool asked =
          rule_ == PartitionRule::kOutermostMatch || def_.kind(node) == NodeKind::kLeaf;
      const size_t filter = asked ? FirstMatch() : filter_count_;
      LEAFSTORE_RETURN_IF_ERROR(evaluator_.status());
      if (filter == filter_count_) {
        ++node;
        continue;
      }
      if (node == kRootNode) root_filter_ = filter;
      for (Slot slot = def_.leaf_begin(node); slot < def_.leaf_begin(def_.end(node)); ++slot) {
        groups_[slot] = static_cast<uint32_t>(filter);
        matched_[slot] = node;
      }
      node = def_.end(node);
    }
    return absl::OkStatus();
  }

  // By slot: its group, and the node that the group's filter matched (kNoNode for the rest).
  std::vector<uint32_t> TakeGroups() { return std::move(groups_); }
  std::vector<NodeId> TakeMatched() { return std::move(matched_); }
  std::optional<size_t> root_filter() const { return root_filter_; }

 private:
  size_t FirstMatch() {
    size_t filter = 0;
    while (filter < filter_count_ && !evaluator_.Matches(filter)) ++filter;
    return filter;
  }

  const TreeDef& def_;
  const PartitionRule rule_;
  const size_t filter_count_;
  internal::FilterEvaluator evaluator_;
  std::vector<uint32_t> groups_;
  std::vector<NodeId> matched_;
  std::optional<size_t> root_filter_;
};

std::string SomePaths(const Layout& layout, const SlotSet& slots) {
  constexpr uint32_t kShown = 10;
  std::vector<std::string> paths;
  for (uint32_t i = 0; i < std::min(slots.size(), kShown); ++i) {
    paths.push_back(absl::StrCat("'", layout.PathForMessage(slots.SlotAt(i)), "'"));
  }
  if (slots.size() > kShown) paths.push_back(absl::StrCat("and ", slots.size() - kShown, " more"));
  return absl::StrJoin(paths, ", ");
}

absl::Status CheckOptions(const Layout& layout, absl::Span<const SlotSet> groups,
                          const PartitionOptions& options) {
  if (options.exhaustive && !groups.back().empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("partition: expected every leaf in a group, found ", groups.back().size(),
                     " that no filter took: ", SomePaths(layout, groups.back())));
  }
  if (options.expected_counts.empty()) return absl::OkStatus();
  if (options.expected_counts.size() != groups.size()) {
    return absl::InvalidArgumentError(absl::StrCat("partition: expected a count for each of ",
                                                   groups.size(), " groups, found ",
                                                   options.expected_counts.size()));
  }
  for (size_t i = 0; i < groups.size(); ++i) {
    const int64_t expected = options.expected_counts[i];
    if (expected >= 0 && expected != groups[i].size()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "partition: group ", i, ": expected ", expected, " leaves, found ", groups[i].size(),
          groups[i].empty() ? "" : absl::StrCat(": ", SomePaths(layout, groups[i]))));
    }
  }
  return absl::OkStatus();
}

// The slots of each group that `leaves` has.
std::vector<SlotSet> GroupSlots(const LeafSpecs& leaves, absl::Span<const uint32_t> group_of_slot,
                                size_t group_count) {
  std::vector<uint32_t> counts(group_count, 0);
  for (uint32_t place = 0; place < leaves.size(); ++place)
    ++counts[group_of_slot[leaves.slots().SlotAt(place)]];
  std::vector<std::vector<Slot>> slots(group_count);
  std::vector<Slot*> ends(group_count);
  for (size_t i = 0; i < group_count; ++i) {
    slots[i].resize(counts[i]);
    ends[i] = slots[i].data();
  }
  for (uint32_t place = 0; place < leaves.size(); ++place) {
    const Slot slot = leaves.slots().SlotAt(place);
    *ends[group_of_slot[slot]]++ = slot;
  }
  std::vector<SlotSet> sets;
  for (std::vector<Slot>& of_group : slots) {
    sets.push_back(SlotSet::FromSorted(leaves.layout().size(), std::move(of_group)));
  }
  return sets;
}

}  // namespace

absl::StatusOr<std::shared_ptr<PartitionPlan::Rep>> PartitionPlan::Ask(
    const LeafSpecs& leaves, std::vector<Filter> filters, const PartitionOptions& options) {
  if (leaves.store() != nullptr) {
    LEAFSTORE_RETURN_IF_ERROR(leaves.store()->CheckNoBorrow("partition"));
  }
  for (const Filter& filter : filters) LEAFSTORE_RETURN_IF_ERROR(filter.status());
  auto rep = std::make_shared<Rep>();
  LEAFSTORE_ASSIGN_OR_RETURN(rep->def, leaves.layout().def());
  rep->layout = leaves.layout();
  rep->slots = leaves.slots();
  rep->filters = std::move(filters);
  rep->rule = options.rule;

  Assigner assigner(rep->def, leaves, rep->filters, options.rule);
  LEAFSTORE_RETURN_IF_ERROR(assigner.Run());
  rep->root_filter = assigner.root_filter();
  rep->group_of_slot = assigner.TakeGroups();
  rep->matched_node = assigner.TakeMatched();
  rep->groups = GroupSlots(leaves, rep->group_of_slot, rep->filters.size() + 1);
  LEAFSTORE_RETURN_IF_ERROR(CheckOptions(rep->layout, rep->groups, options));
  if (options.no_empty_groups) {
    LEAFSTORE_RETURN_IF_ERROR(internal::CheckNoEmptyGroups(
        rep->def, leaves, rep->filters, options.rule, rep->groups, rep->group_of_slot));
  }
  rep->group_fingerprints.assign(rep->groups.size(), 0);
  return rep;
}

absl::StatusOr<PartitionPlan> PartitionPlan::Compile(const LeafSpecs& leaves,
                                                     std::vector<Filter> filters,
                                                     const PartitionOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(const std::shared_ptr<Rep> rep,
                             Ask(leaves, std::move(filters), options));
  for (uint32_t place = 0; place < leaves.size(); ++place) {
    const Slot slot = leaves.slots().SlotAt(place);
    const uint64_t hash = internal::SpecHash(slot, leaves.spec(place));
    rep->group_fingerprints[rep->group_of_slot[slot]] += hash;
    rep->spec_fingerprint += hash;
  }
  return PartitionPlan(std::move(rep));
}

const Layout& PartitionPlan::layout() const& { return rep_->layout; }

size_t PartitionPlan::group_count() const { return rep_->groups.size(); }

const SlotSet& PartitionPlan::group_slots(size_t group) const { return rep_->groups[group]; }

uint32_t PartitionPlan::GroupOf(Slot slot) const {
  return rep_->slots.Contains(slot) ? rep_->group_of_slot[slot] : kNoGroup;
}

std::optional<size_t> PartitionPlan::root_filter() const { return rep_->root_filter; }

absl::StatusOr<Explanation> PartitionPlan::Explain(absl::string_view path_text) const {
  LEAFSTORE_ASSIGN_OR_RETURN(const Slot slot, rep_->layout.Get(path_text));
  Explanation why;
  why.path = rep_->layout.PathText(slot);
  if (why.path != path_text) why.alias = std::string(path_text);
  const std::string asked = why.alias
                                ? absl::StrCat("'", *why.alias, "' (an alias of '", why.path, "')")
                                : absl::StrCat("'", why.path, "'");
  why.group = GroupOf(slot);
  if (why.group == kNoGroup) {
    why.text = absl::StrCat(asked, " is in no group: the store that was partitioned lacks it");
  } else if (why.group == rep_->filters.size()) {
    why.text =
        absl::StrCat(asked, " is in group ", why.group, ", the rest: no filter matched ",
                     rep_->rule == PartitionRule::kOutermostMatch ? "it or a node above it" : "it");
  } else {
    why.filter = why.group;
    const NodeId matched = rep_->matched_node[slot];
    LEAFSTORE_ASSIGN_OR_RETURN(why.matched_path, rep_->def.PathText(matched));
    why.text =
        absl::StrCat(asked, " is in group ", why.group, ": filter ", why.group, " (",
                     rep_->filters[why.group].ToString(), ") matched ",
                     matched == kRootNode ? "the root" : absl::StrCat("'", why.matched_path, "'"));
  }
  return why;
}

absl::Status PartitionPlan::CheckStore(const ParamStore& store) const {
  LEAFSTORE_RETURN_IF_ERROR(store.CheckNoBorrow("partition"));
  if (!(store.layout() == rep_->layout) || !(store.slots() == rep_->slots)) {
    return absl::FailedPreconditionError(absl::StrCat(
        "partition: expected a store with the paths that the plan was compiled for (",
        rep_->slots.size(), " of a layout of ", rep_->layout.size(), "), found others (",
        store.slots().size(), " of ", store.layout().size(), "): compile a plan for this store"));
  }
  if (store.spec_fingerprint() != rep_->spec_fingerprint) {
    return absl::FailedPreconditionError(
        "partition: expected the dtypes and shapes that the plan was compiled for, found others: "
        "compile a plan for this store");
  }
  return absl::OkStatus();
}

namespace {

// The leaves of one group, taken from or shared with `leaves`, which are those of `from`.
template <typename Leaves, typename Take>
std::vector<Leaf> Gather(const SlotSet& from, const SlotSet& group, Leaves& leaves, Take take) {
  std::vector<Leaf> gathered;
  gathered.reserve(group.size());
  if (from.is_all()) {
    for (uint32_t i = 0; i < group.size(); ++i) gathered.push_back(take(leaves[group.SlotAt(i)]));
  } else {
    for (uint32_t i = 0; i < group.size(); ++i) {
      gathered.push_back(take(leaves[from.PlaceOf(group.SlotAt(i))]));
    }
  }
  return gathered;
}

}  // namespace

std::vector<ParamStore> PartitionPlan::SplitChecked(const Rep& rep, ParamStore&& store) {
  std::vector<Leaf> leaves = std::move(store).TakeLeaves();
  std::vector<ParamStore> groups;
  groups.reserve(rep.groups.size());
  for (size_t i = 0; i < rep.groups.size(); ++i) {
    groups.push_back(ParamStore::FromParts(
        rep.layout, rep.groups[i],
        Gather(rep.slots, rep.groups[i], leaves, [](Leaf& leaf) { return std::move(leaf); })));
    internal::ParamStoreAccess::SetFingerprint(rep.group_fingerprints[i], &groups.back());
  }
  return groups;
}

std::vector<ParamStore> PartitionPlan::SplitChecked(const Rep& rep, const ParamStore& store) {
  const absl::Span<const Leaf> leaves = store.leaves();
  std::vector<ParamStore> groups;
  groups.reserve(rep.groups.size());
  for (size_t i = 0; i < rep.groups.size(); ++i) {
    groups.push_back(ParamStore::FromParts(
        rep.layout, rep.groups[i],
        Gather(rep.slots, rep.groups[i], leaves, [](const Leaf& leaf) { return leaf; })));
    internal::ParamStoreAccess::SetFingerprint(rep.group_fingerprints[i], &groups.back());
  }
  return groups;
}

absl::StatusOr<std::vector<ParamStore>> PartitionPlan::Split(ParamStore&& store) const {
  LEAFSTORE_RETURN_IF_ERROR(CheckStore(store));
  return SplitChecked(*rep_, std::move(store));
}

absl::StatusOr<std::vector<ParamStore>> PartitionPlan::Split(const ParamStore& store) const {
  LEAFSTORE_RETURN_IF_ERROR(CheckStore(store));
  return SplitChecked(*rep_, store);
}

absl::Status PartitionPlan::CheckGroupCount(size_t wanted) const {
  if (wanted == group_count()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("Split<", wanted, ">: expected ", group_count(),
                                                 ", one more than the plan's filters"));
}

absl::StatusOr<std::vector<ParamStore>> Partition(ParamStore&& store, std::vector<Filter> filters,
                                                  const PartitionOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(const auto asked,
                             PartitionPlan::Ask(store, std::move(filters), options));
  return PartitionPlan::SplitChecked(*asked, std::move(store));
}

absl::StatusOr<std::vector<ParamStore>> Partition(const ParamStore& store,
                                                  std::vector<Filter> filters,
                                                  const PartitionOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(const auto asked,
                             PartitionPlan::Ask(store, std::move(filters), options));
  return PartitionPlan::SplitChecked(*asked, store);
}

}  // namespace leafstore
