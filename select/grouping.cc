#include "leafstore/select/grouping.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "leafstore/core/internal/quoted_path.h"
#include "leafstore/core/internal/suggest.h"
#include "leafstore/core/internal/utf8.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/select/groups.h"
#include "leafstore/select/internal/group_compiler.h"
#include "leafstore/store/internal/param_store_access.h"
#include "leafstore/store/internal/spec_hash.h"

namespace leafstore {

using internal::CompiledGroups;

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
          absl::StrCat("names of groups: expected unique names, found \"", sorted[i], "\" twice"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

Grouping::Grouping() {
  static const std::shared_ptr<const Rep>* const kEmpty =
      new std::shared_ptr<const Rep>(std::make_shared<Rep>());  // lives as long as the process
  rep_ = *kEmpty;
}

absl::StatusOr<Grouping> Grouping::Evaluate(const LeafSpecs& leaves, std::vector<Filter> filters,
                                            std::optional<std::vector<std::string>> names,
                                            const GroupingOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(
      CompiledGroups compiled,
      internal::CompileGroups(leaves, std::move(filters), std::move(names), options));
  auto rep = std::make_shared<Rep>();
  rep->layout = leaves.layout();
  rep->names = std::move(compiled.names);
  rep->slots = leaves.slots();
  rep->group_of_slot = std::move(compiled.group_of_slot);
  rep->group_fingerprints.assign(rep->names.size(), 0);
  for (uint32_t place = 0; place < leaves.size(); ++place) {
    const Slot slot = leaves.slot(place);
    const uint64_t hash = internal::SpecHash(slot, leaves.spec(place));
    rep->group_fingerprints[rep->group_of_slot[slot]] += hash;
    rep->spec_fingerprint += hash;
  }
  rep->compiled = std::make_shared<const CompiledGroups>(std::move(compiled));
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
  return Evaluate(leaves, std::move(with_filter), std::move(names), options);
}

absl::StatusOr<Grouping> Grouping::Compile(const LeafSpecs& leaves, std::vector<Filter> filters,
                                           const GroupingOptions& options) {
  return Evaluate(leaves, std::move(filters), std::nullopt, options);
}

absl::StatusOr<Grouping> Grouping::Create(Layout layout, std::vector<uint32_t> group_of_slot,
                                          std::vector<std::string> names) {
  LEAFSTORE_RETURN_IF_ERROR(CheckNames(names));
  if (group_of_slot.size() != layout.size()) {
    return absl::InvalidArgumentError(absl::StrCat("groups: expected one for each of ",
                                                   layout.size(), " slots, found ",
                                                   group_of_slot.size()));
  }
  std::vector<Slot> slots;  // of all groups
  for (Slot slot = 0; slot < layout.size(); ++slot) {
    const uint32_t group = group_of_slot[slot];
    if (group == kNoGroup) continue;
    if (group >= names.size()) {
      return absl::InvalidArgumentError(absl::StrCat("groups: at ", layout.PathForMessage(slot),
                                                     ": expected a group index below ",
                                                     names.size(), ", found ", group));
    }
    slots.push_back(slot);
  }
  auto rep = std::make_shared<Rep>();
  rep->slots = SlotSet::FromSorted(layout.size(), std::move(slots));
  rep->slots_by_group = internal::SlotsByGroup(rep->slots, group_of_slot, names.size());
  rep->group_of_slot = std::move(group_of_slot);
  rep->layout = std::move(layout);
  rep->names = std::move(names);
  return Grouping(std::move(rep));
}

SlotSet Grouping::SlotsOf(uint32_t group) const {
  if (rep_->compiled != nullptr) return rep_->compiled->groups[group];
  return rep_->slots_by_group.SlotsOf(group, rep_->layout.size());
}

uint32_t Grouping::SizeOf(uint32_t group) const {
  if (rep_->compiled != nullptr) return rep_->compiled->groups[group].size();
  return rep_->slots_by_group.SizeOf(group);
}

std::optional<uint32_t> Grouping::Find(absl::string_view name) const {
  const auto found = std::find(rep_->names.begin(), rep_->names.end(), name);
  if (found == rep_->names.end()) return std::nullopt;
  return static_cast<uint32_t>(found - rep_->names.begin());
}

absl::StatusOr<uint32_t> Grouping::Get(absl::string_view name) const {
  if (const std::optional<uint32_t> group = Find(name)) return *group;
  constexpr size_t kMaxNamed = 10;
  std::string others = internal::DidYouMean(name, rep_->names);
  if (others.empty() && !rep_->names.empty() && rep_->names.size() <= kMaxNamed) {
    const auto append = [](std::string* out, absl::string_view group) {
      absl::StrAppend(out, absl::CHexEscape(group.substr(0, internal::kMaxSuggestionSize)));
    };
    others = absl::StrCat("; the groups are ", absl::StrJoin(rep_->names, ", ", append));
  }
  return absl::NotFoundError(
      absl::StrCat("no group has the name \"", absl::CHexEscape(name), "\"", others));
}

std::optional<uint32_t> Grouping::root_group() const {
  return rep_->compiled == nullptr ? std::nullopt : rep_->compiled->root_group;
}

absl::StatusOr<Explanation> Grouping::Explain(absl::string_view path_text) const {
  LEAFSTORE_ASSIGN_OR_RETURN(const Slot slot, rep_->layout.Get(path_text));
  Explanation why;
  why.text = internal::QuotedPath(path_text);
  if (const std::string owner = rep_->layout.PathText(slot); owner != path_text) {
    absl::StrAppend(&why.text, " (an alias of ", internal::QuotedPath(owner), ")");
  }
  why.group = GroupOf(slot);
  const CompiledGroups* const compiled = rep_->compiled.get();
  if (why.group == kNoGroup) {
    absl::StrAppend(&why.text, " is in no group");
    if (compiled != nullptr) {
      absl::StrAppend(&why.text, ": the store that was partitioned does not have it");
    }
    return why;
  }
  const bool named = compiled == nullptr || compiled->named;
  absl::StrAppend(&why.text, " is in ", internal::GroupText(named, name(why.group)));
  if (compiled == nullptr) return why;
  if (why.group == compiled->filters.size()) {
    absl::StrAppend(&why.text, ", the rest: no filter matched ",
                    compiled->first_match ? "it" : "it or a node above it");
    return why;
  }
  why.filter = why.group;
  const NodeId matched = compiled->matched_node[slot];
  LEAFSTORE_ASSIGN_OR_RETURN(why.matched_path, compiled->def.PathText(matched));
  absl::StrAppend(&why.text, ": ", named ? "its filter" : absl::StrCat("filter ", why.group), " (",
                  compiled->filters[why.group].ToString(), ") matched ",
                  matched == kRootNode ? "the root" : internal::QuotedPath(why.matched_path));
  return why;
}

std::string Grouping::ToString() const {
  std::string text;
  for (uint32_t group = 0; group < group_count(); ++group) {
    const uint32_t size = SizeOf(group);
    absl::StrAppend(&text, text.empty() ? "" : ", ", name(group), ": ", size,
                    size == 1 ? " leaf" : " leaves");
  }
  if (const uint32_t others = layout().size() - rep_->slots.size(); others > 0) {
    absl::StrAppend(&text, text.empty() ? "" : ", ", "in no group: ", others);
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
  if (!(store.layout() == layout()) || !(store.slots() == rep_->slots)) {
    return absl::FailedPreconditionError(absl::StrCat(
        "partition: expected a store with the paths that the grouping was compiled for (",
        rep_->slots.size(), " of a layout of ", layout().size(), "), found others (", store.size(),
        " of ", store.layout().size(), "): compile a grouping for this store"));
  }
  if (rep_->compiled != nullptr && store.spec_fingerprint() != rep_->spec_fingerprint) {
    return absl::FailedPreconditionError(
        "partition: expected the dtypes and shapes that the grouping was compiled for, found "
        "others: compile a grouping for this store");
  }
  return absl::OkStatus();
}

template <typename Store>
absl::StatusOr<Groups> Grouping::SplitStore(Store&& store) const {
  LEAFSTORE_RETURN_IF_ERROR(CheckStore(store));
  std::vector<SlotSet> slots;
  for (uint32_t group = 0; group < group_count(); ++group) slots.push_back(SlotsOf(group));
  std::vector<ParamStore> stores = internal::SplitLeaves(std::forward<Store>(store), slots);
  for (size_t group = 0; group < rep_->group_fingerprints.size(); ++group) {
    internal::ParamStoreAccess::SetFingerprint(rep_->group_fingerprints[group], &stores[group]);
  }
  return Groups(*this, std::move(stores));
}

absl::StatusOr<Groups> Grouping::Split(ParamStore&& store) const {
  return SplitStore(std::move(store));
}
absl::StatusOr<Groups> Grouping::Split(const ParamStore& store) const { return SplitStore(store); }

}  // namespace leafstore
