#include "leafstore/select/labels.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

#include "leafstore/core/internal/suggest.h"
#include "leafstore/core/internal/utf8.h"
#include "leafstore/core/status_macros.h"

namespace leafstore {
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

Labels::Labels() {
  static const std::shared_ptr<const Rep>* const kEmpty =
      new std::shared_ptr<const Rep>(std::make_shared<Rep>());  // lives as long as the process
  rep_ = *kEmpty;
}

absl::StatusOr<Labels> Labels::Create(Layout layout, const PartitionPlan& plan,
                                      std::vector<std::string> names) {
  if (names.size() != plan.group_count()) {
    return absl::InvalidArgumentError(absl::StrCat("names of groups: expected ", plan.group_count(),
                                                   ", the rest last, found ", names.size()));
  }
  if (!(plan.layout() == layout)) {
    return absl::InvalidArgumentError(
        absl::StrCat("labels of a plan: expected the layout of the plan, of ", plan.layout().size(),
                     " paths, found another one, of ", layout.size()));
  }
  std::vector<uint32_t> groups(layout.size(), kNoGroup);
  for (uint32_t group = 0; group < names.size(); ++group) {
    const SlotSet& slots = plan.group_slots(group);
    for (uint32_t i = 0; i < slots.size(); ++i) groups[slots.SlotAt(i)] = group;
  }
  return Create(std::move(layout), groups, std::move(names));
}

absl::StatusOr<Labels> Labels::Create(Layout layout, absl::Span<const uint32_t> group_of_slot,
                                      std::vector<std::string> names) {
  LEAFSTORE_RETURN_IF_ERROR(CheckNames(names));
  if (group_of_slot.size() != layout.size()) {
    return absl::InvalidArgumentError(absl::StrCat("labels: expected the groups of ", layout.size(),
                                                   " slots, found ", group_of_slot.size()));
  }
  auto rep = std::make_shared<Rep>();
  rep->begins.assign(names.size() + 1, 0);
  for (Slot slot = 0; slot < layout.size(); ++slot) {
    const uint32_t group = group_of_slot[slot];
    if (group == kNoGroup) continue;
    if (group >= names.size()) {
      return absl::InvalidArgumentError(absl::StrCat("labels: at ", layout.PathForMessage(slot),
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
  return Labels(std::move(rep));
}

SlotSet Labels::SlotsOf(uint32_t group) const {
  const auto slots = rep_->slots.begin();
  return SlotSet::FromSorted(rep_->layout.size(),
                             {slots + rep_->begins[group], slots + rep_->begins[group + 1]});
}

std::optional<uint32_t> Labels::Find(absl::string_view name) const {
  const auto found = std::find(rep_->names.begin(), rep_->names.end(), name);
  if (found == rep_->names.end()) return std::nullopt;
  return static_cast<uint32_t>(found - rep_->names.begin());
}

absl::StatusOr<uint32_t> Labels::Get(absl::string_view name) const {
  if (const std::optional<uint32_t> group = Find(name)) return *group;
  return absl::NotFoundError(absl::StrCat("no group is called \"", absl::CHexEscape(name), "\"",
                                          internal::DidYouMean(name, rep_->names)));
}

std::string Labels::ToString() const {
  std::string text;
  uint32_t in_groups = 0;
  for (uint32_t group = 0; group < group_count(); ++group) {
    const uint32_t size = rep_->begins[group + 1] - rep_->begins[group];
    in_groups += size;
    absl::StrAppend(&text, text.empty() ? "" : ", ", name(group), ": ", size,
                    size == 1 ? " leaf" : " leaves");
  }
  if (in_groups < layout().size()) {
    absl::StrAppend(&text, text.empty() ? "" : ", ", "in no group: ", layout().size() - in_groups);
  }
  return text;
}

bool Labels::Equals(const Labels& other) const {
  if (rep_ == other.rep_) return true;
  return layout() == other.layout() && rep_->names == other.rep_->names &&
         rep_->narrow == other.rep_->narrow && rep_->wide == other.rep_->wide;
}

}  // namespace leafstore
