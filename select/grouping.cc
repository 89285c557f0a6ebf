#include "leafstore/select/grouping.h"

#include <algorithm>
#include <iterator>
#include <numeric>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "leafstore/core/internal/suggest.h"
#include "leafstore/core/internal/utf8.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/select/groups.h"
#include "leafstore/select/internal/empty_groups.h"
#include "leafstore/select/internal/filter_evaluator.h"
#include "leafstore/store/internal/spec_hash.h"

namespace leafstore {

// The filters and their results. Vectors are by group unless noted. The group of a filter has the
// filter's index; the rest, if any, comes last.
struct Grouping::Compiled {
  TreeDef def;
  SlotSet slots;  // of the compiled store
  std::vector<Filter> filters;
  bool named;  // otherwise messages name groups and filters by index
  GroupingRule rule;
  std::optional<uint32_t> root_group;
  std::vector<NodeId> matched_node;  // by slot: the node that the filter matched, or kNoNode
  std::vector<SlotSet> groups;
  uint64_t spec_fingerprint = 0;             // of the compiled store
  std::vector<uint64_t> group_fingerprints;  // 0: unknown
};

namespace {

absl::Status CheckNames(absl::Span<const std::string> names) {
  std::vector<absl::string_view> sorted(names.begin(), names.end());
  std::sort(sorted.begin(), sorted.end());
  if (!sorted.empty() && sorted.front().empty()) {
    return absl::InvalidArgumentError("names of groups: expected names, found an empty one");
  }
  for (size_t i = 0; i < sorted.size(); ++i) {
    if (!internal::IsValidUtf8(sorted[i])) {
      return absl::InvalidArgumentError(absl::StrCat("names of groups: expected UTF-8, found \"",
                                                     absl::CHexEscape(sorted[i]), "\""));
    }
    if (i > 0 && sorted[i] == sorted[i - 1]) {
      return absl::InvalidArgumentError(
          absl::StrCat("names of groups: expected each once, found \"", sorted[i], "\" twice"));
    }
  }
  return absl::OkStatus();
}

// Evaluates the filters and assigns each slot the index of the filter that matches it, or `rest`.
class Assigner {
 public:
  Assigner(const TreeDef& def, const LeafSpecs& leaves, absl::Span<const Filter> filters,
           GroupingRule rule, uint32_t rest)
      : def_(def),
        rule_(rule),
        filter_count_(filters.size()),
        evaluator_(def, leaves, filters),
        groups_(def.leaf_count(), rest),
        matched_(def.leaf_count(), kNoNode) {}

  absl::Status Run() {
    for (NodeId node = kRootNode; node < def_.node_count();) {
      if (def_.kind(node) == NodeKind::kAlias) {
        ++node;
        continue;
      }
      evaluator_.Enter(node);
      const bool evaluated =
          rule_ == GroupingRule::kOutermostMatch || def_.kind(node) == NodeKind::kLeaf;
      const size_t filter = evaluated ? FirstMatch() : filter_count_;
      LEAFSTORE_RETURN_IF_ERROR(evaluator_.status());
      if (filter == filter_count_) {
        ++node;
        continue;
      }
      if (node == kRootNode) root_filter_ = static_cast<uint32_t>(filter);
      for (Slot slot = def_.leaf_begin(node); slot < def_.leaf_begin(def_.end(node)); ++slot) {
        groups_[slot] = static_cast<uint32_t>(filter);
        matched_[slot] = node;
      }
      node = def_.end(node);
    }
    return absl::OkStatus();
  }

  // Return, by slot, its group and the node that the group's filter matched (kNoNode for the rest).
  std::vector<uint32_t> TakeGroups() { return std::move(groups_); }
  std::vector<NodeId> TakeMatched() { return std::move(matched_); }
  std::optional<uint32_t> root_filter() const { return root_filter_; }

 private:
  size_t FirstMatch() {
    size_t filter = 0;
    while (filter < filter_count_ && !evaluator_.Matches(filter)) ++filter;
    return filter;
  }

  const TreeDef& def_;
  const GroupingRule rule_;
  const size_t filter_count_;
  internal::FilterEvaluator evaluator_;
  std::vector<uint32_t> groups_;
  std::vector<NodeId> matched_;
  std::optional<uint32_t> root_filter_;
};

// Returns the slots of `leaves` in each group, followed by those in no group.
std::vector<SlotSet> GroupSlots(const LeafSpecs& leaves, absl::Span<const uint32_t> group_of_slot,
                                size_t group_count) {
  const SlotSet& held = leaves.slots();
  const auto group_at = [&](uint32_t place) {
    return std::min(size_t{group_of_slot[held.SlotAt(place)]}, group_count);
  };
  std::vector<uint32_t> counts(group_count + 1, 0);
  for (uint32_t place = 0; place < held.size(); ++place) ++counts[group_at(place)];
  std::vector<std::vector<Slot>> slots(group_count + 1);
  std::vector<Slot*> ends(group_count + 1);
  for (size_t i = 0; i <= group_count; ++i) {
    slots[i].resize(counts[i]);
    ends[i] = slots[i].data();
  }
  for (uint32_t place = 0; place < held.size(); ++place) {
    *ends[group_at(place)]++ = held.SlotAt(place);
  }
  std::vector<SlotSet> sets;
  for (std::vector<Slot>& of_group : slots) {
    sets.push_back(SlotSet::FromSorted(leaves.layout().size(), std::move(of_group)));
  }
  return sets;
}

std::string SomePaths(const Layout& layout, const SlotSet& slots) {
  constexpr uint32_t kShown = 10;
  std::vector<std::string> paths;
  for (uint32_t i = 0; i < std::min(slots.size(), kShown); ++i) {
    paths.push_back(absl::StrCat("'", layout.PathForMessage(slots.SlotAt(i)), "'"));
  }
  if (slots.size() > kShown) paths.push_back(absl::StrCat("and ", slots.size() - kShown, " more"));
  return absl::StrJoin(paths, ", ");
}

absl::Status CheckNoneLeft(const Layout& layout, const SlotSet& left) {
  if (left.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("partition: expected every leaf in a group, found ", left.size(),
                   " that no filter took: ", SomePaths(layout, left)));
}

absl::Status CheckCounts(const Layout& layout, absl::Span<const SlotSet> groups,
                         const std::vector<int64_t>& expected_counts,
                         absl::FunctionRef<std::string(size_t)> group_text) {
  if (expected_counts.empty()) return absl::OkStatus();
  if (expected_counts.size() != groups.size()) {
    return absl::InvalidArgumentError(absl::StrCat("partition: expected a count for each of ",
                                                   groups.size(), " groups, found ",
                                                   expected_counts.size()));
  }
  for (size_t i = 0; i < groups.size(); ++i) {
    const int64_t expected = expected_counts[i];
    if (expected >= 0 && expected != groups[i].size()) {
      return absl::InvalidArgumentError(
          absl::StrCat("partition: ", group_text(i), ": expected ", expected, " leaves, found ",
                       groups[i].size(),
                       groups[i].empty() ? "" : absl::StrCat(": ", SomePaths(layout, groups[i]))));
    }
  }
  return absl::OkStatus();
}

std::string GroupText(bool named, const std::string& name) {
  return named ? absl::StrCat("group '", name, "'") : absl::StrCat("group ", name);
}

}  // namespace

Grouping::Grouping() {
  static const std::shared_ptr<const Rep>* const kEmpty =
      new std::shared_ptr<const Rep>(std::make_shared<Rep>());  // lives as long as the process
  rep_ = *kEmpty;
}

absl::StatusOr<Grouping> Grouping::Evaluate(const LeafSpecs& leaves, std::vector<Filter> filters,
                                            std::vector<std::string> names, bool named,
                                            const GroupingOptions& options,
                                            Fingerprints fingerprints) {
  if (leaves.store() != nullptr) {
    LEAFSTORE_RETURN_IF_ERROR(leaves.store()->CheckNoBorrow("partition"));
  }
  for (const Filter& filter : filters) LEAFSTORE_RETURN_IF_ERROR(filter.status());
  auto rep = std::make_shared<Rep>();
  auto compiled = std::make_shared<Compiled>();
  LEAFSTORE_ASSIGN_OR_RETURN(compiled->def, leaves.layout().def());
  compiled->slots = leaves.slots();
  compiled->filters = std::move(filters);
  compiled->named = named;
  compiled->rule = options.rule;
  const size_t filter_count = compiled->filters.size();
  const size_t group_count = names.size();
  const bool has_rest = group_count > filter_count;

  Assigner assigner(compiled->def, leaves, compiled->filters, options.rule,
                    has_rest ? static_cast<uint32_t>(filter_count) : kNoGroup);
  LEAFSTORE_RETURN_IF_ERROR(assigner.Run());
  compiled->root_group = assigner.root_filter();
  compiled->matched_node = assigner.TakeMatched();
  rep->wide = assigner.TakeGroups();
  std::vector<SlotSet>& groups = compiled->groups;
  groups = GroupSlots(leaves, rep->wide, group_count);
  LEAFSTORE_RETURN_IF_ERROR(CheckNoneLeft(leaves.layout(), groups.back()));
  groups.pop_back();
  if (options.exhaustive && has_rest) {
    LEAFSTORE_RETURN_IF_ERROR(CheckNoneLeft(leaves.layout(), groups.back()));
  }
  LEAFSTORE_RETURN_IF_ERROR(
      CheckCounts(leaves.layout(), groups, options.expected_counts,
                  [&](size_t group) { return GroupText(named, names[group]); }));
  if (!options.allow_empty.value_or(!named)) {
    LEAFSTORE_RETURN_IF_ERROR(internal::CheckNoEmptyGroups(
        compiled->def, leaves, compiled->filters, options.rule, groups, rep->wide,
        named ? absl::MakeConstSpan(names) : absl::Span<const std::string>()));
  }
  if (!leaves.slots().is_all()) {
    for (Slot slot = 0; slot < rep->wide.size(); ++slot) {
      if (!leaves.slots().Contains(slot)) rep->wide[slot] = kNoGroup;
    }
  }
  compiled->group_fingerprints.assign(group_count, 0);
  if (fingerprints == Fingerprints::kMade) {
    for (uint32_t place = 0; place < leaves.size(); ++place) {
      const Slot slot = leaves.slots().SlotAt(place);
      const uint64_t hash = internal::SpecHash(slot, leaves.spec(place));
      compiled->group_fingerprints[rep->wide[slot]] += hash;
      compiled->spec_fingerprint += hash;
    }
  }
  rep->layout = leaves.layout();
  rep->names = std::move(names);
  rep->compiled = std::move(compiled);
  return Grouping(std::move(rep));
}

absl::StatusOr<Grouping> Grouping::Compile(const LeafSpecs& leaves,
                                           std::vector<NamedFilter> filters,
                                           const GroupingOptions& options) {
  std::vector<std::string> names;
  std::vector<Filter> with_filter;
  for (NamedFilter& group : filters) {
    if (names.size() > with_filter.size()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "partition: expected Rest() last, found it before group '", group.name, "'"));
    }
    names.push_back(std::move(group.name));
    if (group.filter.has_value()) with_filter.push_back(*std::move(group.filter));
  }
  LEAFSTORE_RETURN_IF_ERROR(CheckNames(names));
  return Evaluate(leaves, std::move(with_filter), std::move(names), /*named=*/true, options,
                  Fingerprints::kMade);
}

namespace {

std::vector<std::string> IndexNames(size_t count) {
  std::vector<std::string> names(count);
  for (size_t i = 0; i < count; ++i) names[i] = absl::StrCat(i);
  return names;
}

}  // namespace

absl::StatusOr<Grouping> Grouping::Compile(const LeafSpecs& leaves, std::vector<Filter> filters,
                                           const GroupingOptions& options) {
  std::vector<std::string> names = IndexNames(filters.size() + 1);
  return Evaluate(leaves, std::move(filters), std::move(names), /*named=*/false, options,
                  Fingerprints::kMade);
}

absl::StatusOr<Grouping> Grouping::CompileOnce(const LeafSpecs& leaves, std::vector<Filter> filters,
                                               const GroupingOptions& options) {
  std::vector<std::string> names = IndexNames(filters.size() + 1);
  return Evaluate(leaves, std::move(filters), std::move(names), /*named=*/false, options,
                  Fingerprints::kNone);
}

absl::StatusOr<Grouping> Grouping::Create(Layout layout, absl::Span<const uint32_t> group_of_slot,
                                          std::vector<std::string> names) {
  LEAFSTORE_RETURN_IF_ERROR(CheckNames(names));
  if (group_of_slot.size() != layout.size()) {
    return absl::InvalidArgumentError(absl::StrCat("groups: expected those of ", layout.size(),
                                                   " slots, found ", group_of_slot.size()));
  }
  auto rep = std::make_shared<Rep>();
  rep->begins.assign(names.size() + 1, 0);
  for (Slot slot = 0; slot < layout.size(); ++slot) {
    const uint32_t group = group_of_slot[slot];
    if (group == kNoGroup) continue;
    if (group >= names.size()) {
      return absl::InvalidArgumentError(absl::StrCat("groups: at ", layout.PathForMessage(slot),
                                                     ": expected a group below ", names.size(),
                                                     ", found ", group));
    }
    ++rep->begins[group + 1];
  }
  std::partial_sum(rep->begins.begin(), rep->begins.end(), rep->begins.begin());
  rep->slots.resize(rep->begins.back());
  std::vector<uint32_t> next = rep->begins;
  for (Slot slot = 0; slot < layout.size(); ++slot) {
    if (group_of_slot[slot] != kNoGroup) rep->slots[next[group_of_slot[slot]]++] = slot;
  }
  if (names.size() <= kNarrowNoGroup) {
    rep->narrow.assign(group_of_slot.begin(), group_of_slot.end());  // kNoGroup ends in 0xff
  } else {
    rep->wide.assign(group_of_slot.begin(), group_of_slot.end());
  }
  rep->layout = std::move(layout);
  rep->names = std::move(names);
  return Grouping(std::move(rep));
}

SlotSet Grouping::SlotsOf(uint32_t group) const {
  if (rep_->compiled != nullptr) return rep_->compiled->groups[group];
  const auto slots = rep_->slots.begin();
  return SlotSet::FromSorted(rep_->layout.size(),
                             {slots + rep_->begins[group], slots + rep_->begins[group + 1]});
}

uint32_t Grouping::SizeOf(uint32_t group) const {
  if (rep_->compiled != nullptr) return rep_->compiled->groups[group].size();
  return rep_->begins[group + 1] - rep_->begins[group];
}

std::optional<uint32_t> Grouping::Find(absl::string_view name) const {
  const auto found = std::find(rep_->names.begin(), rep_->names.end(), name);
  if (found == rep_->names.end()) return std::nullopt;
  return static_cast<uint32_t>(found - rep_->names.begin());
}

absl::StatusOr<uint32_t> Grouping::Get(absl::string_view name) const {
  if (const std::optional<uint32_t> group = Find(name)) return *group;
  return absl::NotFoundError(absl::StrCat("no group is called \"", absl::CHexEscape(name), "\"",
                                          internal::DidYouMean(name, rep_->names)));
}

std::optional<uint32_t> Grouping::root_group() const {
  return rep_->compiled == nullptr ? std::nullopt : rep_->compiled->root_group;
}

absl::StatusOr<Explanation> Grouping::Explain(absl::string_view path_text) const {
  LEAFSTORE_ASSIGN_OR_RETURN(const Slot slot, rep_->layout.Get(path_text));
  Explanation why;
  why.path = rep_->layout.PathText(slot);
  if (why.path != path_text) why.alias = std::string(path_text);
  why.text = why.alias ? absl::StrCat("'", *why.alias, "' (an alias of '", why.path, "')")
                       : absl::StrCat("'", why.path, "'");
  why.group = GroupOf(slot);
  const Compiled* const compiled = rep_->compiled.get();
  if (why.group == kNoGroup) {
    absl::StrAppend(&why.text, " is in no group");
    if (compiled != nullptr)
      absl::StrAppend(&why.text, ": the store that was partitioned lacks it");
    return why;
  }
  const bool named = compiled == nullptr || compiled->named;
  absl::StrAppend(&why.text, " is in ", GroupText(named, name(why.group)));
  if (compiled == nullptr) return why;
  if (why.group == compiled->filters.size()) {
    absl::StrAppend(
        &why.text, ", the rest: no filter matched ",
        compiled->rule == GroupingRule::kOutermostMatch ? "it or a node above it" : "it");
    return why;
  }
  why.filter = why.group;
  const NodeId matched = compiled->matched_node[slot];
  LEAFSTORE_ASSIGN_OR_RETURN(why.matched_path, compiled->def.PathText(matched));
  absl::StrAppend(&why.text, ": ", named ? "its filter" : absl::StrCat("filter ", why.group), " (",
                  compiled->filters[why.group].ToString(), ") matched ",
                  matched == kRootNode ? "the root" : absl::StrCat("'", why.matched_path, "'"));
  return why;
}

std::string Grouping::ToString() const {
  std::string text;
  uint32_t in_groups = 0;
  for (uint32_t group = 0; group < group_count(); ++group) {
    const uint32_t size = SizeOf(group);
    in_groups += size;
    absl::StrAppend(&text, text.empty() ? "" : ", ", name(group), ": ", size,
                    size == 1 ? " leaf" : " leaves");
  }
  if (in_groups < layout().size()) {
    absl::StrAppend(&text, text.empty() ? "" : ", ", "in no group: ", layout().size() - in_groups);
  }
  return text;
}

bool Grouping::Equals(const Grouping& other) const {
  if (rep_ == other.rep_) return true;
  if (!(layout() == other.layout()) || rep_->names != other.rep_->names) return false;
  for (Slot slot = 0; slot < layout().size(); ++slot) {
    if (GroupOf(slot) != other.GroupOf(slot)) return false;
  }
  return true;
}

absl::Status Grouping::CheckStore(const ParamStore& store) const {
  LEAFSTORE_RETURN_IF_ERROR(store.CheckNoBorrow("partition"));
  const Compiled* const compiled = rep_->compiled.get();
  const uint32_t expected =
      compiled != nullptr ? compiled->slots.size() : static_cast<uint32_t>(rep_->slots.size());
  bool same = store.layout() == layout() && store.size() == expected;
  if (same && compiled != nullptr) same = store.slots() == compiled->slots;
  for (uint32_t place = 0; same && compiled == nullptr && place < store.size(); ++place) {
    same = GroupOf(store.slot(place)) != kNoGroup;
  }
  if (!same) {
    return absl::FailedPreconditionError(absl::StrCat(
        "partition: expected a store with the paths that the grouping was compiled for (", expected,
        " of a layout of ", layout().size(), "), found others (", store.size(), " of ",
        store.layout().size(), "): compile a grouping for this store"));
  }
  if (compiled != nullptr && store.spec_fingerprint() != compiled->spec_fingerprint) {
    return absl::FailedPreconditionError(
        "partition: expected the dtypes and shapes that the grouping was compiled for, found "
        "others: compile a grouping for this store");
  }
  return absl::OkStatus();
}

absl::Status Grouping::CheckGroupCount(size_t wanted) const {
  if (wanted == group_count()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("Split<", wanted, ">: expected ", group_count(),
                                                 ", as many as the grouping has groups"));
}

namespace {

// Returns the leaves of one group, moved from or shared with `leaves`, which are those of `from`.
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

template <typename Leaves, typename Take>
std::vector<ParamStore> Grouping::SplitLeaves(const SlotSet& from, Leaves& leaves,
                                              Take take) const {
  std::vector<ParamStore> groups;
  groups.reserve(group_count());
  for (uint32_t i = 0; i < group_count(); ++i) {
    SlotSet slots = SlotsOf(i);
    std::vector<Leaf> own = Gather(from, slots, leaves, take);
    groups.push_back(ParamStore::FromParts(rep_->layout, std::move(slots), std::move(own)));
    if (rep_->compiled == nullptr) continue;
    internal::ParamStoreAccess::SetFingerprint(rep_->compiled->group_fingerprints[i],
                                               &groups.back());
  }
  return groups;
}

std::vector<ParamStore> Grouping::SplitChecked(ParamStore&& store) const {
  const SlotSet from = store.slots();
  std::vector<Leaf> leaves = std::move(store).TakeLeaves();
  return SplitLeaves(from, leaves, [](Leaf& leaf) { return std::move(leaf); });
}

std::vector<ParamStore> Grouping::SplitChecked(const ParamStore& store) const {
  const absl::Span<const Leaf> leaves = store.leaves();
  return SplitLeaves(store.slots(), leaves, [](const Leaf& leaf) { return leaf; });
}

absl::StatusOr<std::vector<ParamStore>> Grouping::SplitStores(ParamStore&& store) const {
  LEAFSTORE_RETURN_IF_ERROR(CheckStore(store));
  return SplitChecked(std::move(store));
}

absl::StatusOr<std::vector<ParamStore>> Grouping::SplitStores(const ParamStore& store) const {
  LEAFSTORE_RETURN_IF_ERROR(CheckStore(store));
  return SplitChecked(store);
}

absl::StatusOr<Groups> Grouping::Split(ParamStore&& store) const {
  LEAFSTORE_ASSIGN_OR_RETURN(std::vector<ParamStore> stores, SplitStores(std::move(store)));
  return Groups(*this, std::move(stores));
}

absl::StatusOr<Groups> Grouping::Split(const ParamStore& store) const {
  LEAFSTORE_ASSIGN_OR_RETURN(std::vector<ParamStore> stores, SplitStores(store));
  return Groups(*this, std::move(stores));
}

}  // namespace leafstore
