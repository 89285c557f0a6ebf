#include "leafstore/select/grouping.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

#include "leafstore/core/internal/suggest.h"
#include "leafstore/core/internal/utf8.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/select/groups.h"
#include "leafstore/select/internal/group_compiler.h"
#include "leafstore/store/internal/param_store_access.h"

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
          absl::StrCat("names of groups: expected each once, found \"", sorted[i], "\" twice"));
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
                                            std::vector<std::string> names, bool named,
                                            const GroupingOptions& options, bool fingerprints) {
  LEAFSTORE_ASSIGN_OR_RETURN(
      CompiledGroups compiled,
      internal::CompileGroups(leaves, std::move(filters), names, named, options, fingerprints));
  auto rep = std::make_shared<Rep>();
  rep->layout = leaves.layout();
  rep->names = std::move(names);
  rep->group_of_slot = std::move(compiled.group_of_slot);
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
  return Evaluate(leaves, std::move(with_filter), std::move(names), /*named=*/true, options,
                  /*fingerprints=*/true);
}

absl::StatusOr<Grouping> Grouping::EvaluateUnnamed(const LeafSpecs& leaves,
                                                   std::vector<Filter> filters,
                                                   const GroupingOptions& options,
                                                   bool fingerprints) {
  std::vector<std::string> names(filters.size() + 1);
  for (size_t i = 0; i < names.size(); ++i) names[i] = absl::StrCat(i);
  return Evaluate(leaves, std::move(filters), std::move(names), /*named=*/false, options,
                  fingerprints);
}

absl::StatusOr<Grouping> Grouping::Compile(const LeafSpecs& leaves, std::vector<Filter> filters,
                                           const GroupingOptions& options) {
  return EvaluateUnnamed(leaves, std::move(filters), options, /*fingerprints=*/true);
}

absl::StatusOr<Grouping> Grouping::Create(Layout layout, std::vector<uint32_t> group_of_slot,
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
  rep->group_of_slot = std::move(group_of_slot);
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
  return absl::NotFoundError(absl::StrCat("no group has the name \"", absl::CHexEscape(name), "\"",
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
  const CompiledGroups* const compiled = rep_->compiled.get();
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

std::vector<ParamStore> Grouping::MakeGroups(
    absl::FunctionRef<std::vector<Leaf>(const SlotSet& group)> leaves_of) const {
  std::vector<ParamStore> groups;
  groups.reserve(group_count());
  for (uint32_t i = 0; i < group_count(); ++i) {
    SlotSet slots = SlotsOf(i);
    std::vector<Leaf> leaves = leaves_of(slots);
    groups.push_back(ParamStore::FromParts(rep_->layout, std::move(slots), std::move(leaves)));
    if (rep_->compiled == nullptr) continue;
    internal::ParamStoreAccess::SetFingerprint(rep_->compiled->group_fingerprints[i],
                                               &groups.back());
  }
  return groups;
}

std::vector<ParamStore> Grouping::SplitChecked(ParamStore&& store) const {
  const SlotSet held = store.slots();
  std::vector<Leaf> leaves = std::move(store).TakeLeaves();
  return MakeGroups([&](const SlotSet& group) {
    return internal::GatherLeaves(held, group, leaves, internal::kMoveLeaf);
  });
}

std::vector<ParamStore> Grouping::SplitChecked(const ParamStore& store) const {
  const absl::Span<const Leaf> leaves = store.leaves();
  return MakeGroups([&](const SlotSet& group) {
    return internal::GatherLeaves(store.slots(), group, leaves, internal::kCopyLeaf);
  });
}

absl::StatusOr<Groups> Grouping::Split(ParamStore&& store) const {
  LEAFSTORE_RETURN_IF_ERROR(CheckStore(store));
  return Groups(*this, SplitChecked(std::move(store)));
}

absl::StatusOr<Groups> Grouping::Split(const ParamStore& store) const {
  LEAFSTORE_RETURN_IF_ERROR(CheckStore(store));
  return Groups(*this, SplitChecked(store));
}

}  // namespace leafstore
