#include "leafstore/store/merge.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"

#include "leafstore/core/internal/suggest.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/store/internal/path_texts.h"
#include "leafstore/store/internal/slot_match.h"

namespace leafstore {

using internal::MergeInput;
using internal::PathTexts;

namespace {

// Where a leaf comes from: nothing yet for a group of kNobody.
struct Source {
  static constexpr uint32_t kNobody = 0xffffffff;
  uint32_t group = kNobody;
  uint32_t place = 0;
};

template <typename T>
void SortUnique(std::vector<T>* items) {
  std::sort(items->begin(), items->end());
  items->erase(std::unique(items->begin(), items->end()), items->end());
}

// Finds where each expected leaf comes from. Paths that do not fit are kept as numbers, and turned
// into text only when a report is made.
class Matcher {
 public:
  Matcher(const Layout& expected, absl::Span<const MergeInput> inputs, const MergeOptions& options)
      : expected_(expected), inputs_(inputs), like_(options.like), sources_(expected.size()) {
    for (uint32_t group = 0; group < inputs.size(); ++group) MatchGroup(group);
    for (const Source& source : sources_) missing_ += source.group == Source::kNobody;
    if (like_ != nullptr) MatchSpecs();
  }

  bool ok() const {
    return missing_ == 0 && unexpected_.empty() && duplicate_.empty() && different_.empty();
  }
  absl::Span<const Source> sources() const { return sources_; }

  MergeReport Report() const {
    MergeReport report;
    PathTexts missing;
    for (Slot slot = 0; slot < sources_.size(); ++slot) {
      if (sources_[slot].group == Source::kNobody) {
        report.missing.push_back(missing.Of(expected_, slot));
      }
    }
    PathTexts unexpected;
    for (const Source& at : unexpected_) {
      const ParamStore& group = *inputs_[at.group].group;
      report.unexpected.push_back(unexpected.Of(group.layout(), group.slot(at.place)));
    }
    SortUnique(&report.unexpected);
    std::vector<Slot> duplicates = duplicate_;
    SortUnique(&duplicates);
    PathTexts duplicate;
    for (const Slot slot : duplicates) report.duplicate.push_back(duplicate.Of(expected_, slot));
    PathTexts different;
    for (const Slot slot : different_) AddMismatch(slot, different.Of(expected_, slot), &report);
    return report;
  }

 private:
  void MatchGroup(uint32_t index) {
    const ParamStore& group = *inputs_[index].group;
    const std::vector<Slot> slots = internal::SlotsIn(expected_, group);
    for (uint32_t place = 0; place < group.size(); ++place) {
      const Slot slot = slots[place];
      if (slot == kNoSlot) {
        unexpected_.push_back({index, place});
      } else if (sources_[slot].group != Source::kNobody) {
        duplicate_.push_back(slot);
      } else {
        sources_[slot] = {index, place};
      }
    }
  }

  const Leaf& LeafOf(const Source& source) const {
    return inputs_[source.group].group->leaf(source.place);
  }

  void MatchSpecs() {
    like_places_.assign(sources_.size(), kNoPlace);
    const std::vector<Slot> slots = internal::SlotsIn(expected_, *like_);
    for (uint32_t place = 0; place < like_->size(); ++place) {
      if (slots[place] != kNoSlot) like_places_[slots[place]] = place;
    }
    for (Slot slot = 0; slot < sources_.size(); ++slot) {
      if (sources_[slot].group == Source::kNobody || like_places_[slot] == kNoPlace) continue;
      if (!(like_->leaf(like_places_[slot]).spec() == LeafOf(sources_[slot]).spec())) {
        different_.push_back(slot);
      }
    }
  }

  void AddMismatch(Slot slot, std::string path, MergeReport* report) const {
    const LeafSpec expected = like_->leaf(like_places_[slot]).spec();
    const LeafSpec found = LeafOf(sources_[slot]).spec();
    SpecMismatch mismatch{std::move(path), expected.ToString(), found.ToString()};
    const bool same_dtype = expected.is_tensor() && expected.dtype() == found.dtype();
    (same_dtype ? report->shape_mismatch : report->dtype_mismatch).push_back(std::move(mismatch));
  }

  const Layout& expected_;
  absl::Span<const MergeInput> inputs_;
  const ParamStore* like_;
  std::vector<Source> sources_;        // by slot
  std::vector<uint32_t> like_places_;  // by slot: where `like` has it, or kNoPlace
  size_t missing_ = 0;
  std::vector<Source> unexpected_;
  std::vector<Slot> duplicate_;
  std::vector<Slot> different_;
};

// `expected` by value: it may be the layout of a group that is taken.
absl::StatusOr<ParamStore> MergeMatched(Layout expected, absl::Span<const MergeInput> inputs,
                                        const MergeOptions& options) {
  for (const MergeInput& input : inputs) {
    LEAFSTORE_RETURN_IF_ERROR(input.group->CheckNoBorrow("merge"));
  }
  const Matcher matcher(expected, inputs, options);
  if (!matcher.ok()) {
    // One is no group of others: it is brought onto a Layout, as Unflatten does.
    return inputs.size() == 1 ? matcher.Report().ToStatus("the store does not fit the structure")
                              : matcher.Report().ToStatus();
  }

  // Nothing can fail from here on, so what is given may be taken.
  std::vector<std::vector<Leaf>> taken(inputs.size());
  bool fingerprint_known = true;
  uint64_t fingerprint = 0;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const uint64_t of_group =
        inputs[i].group->layout() == expected ? inputs[i].group->known_spec_fingerprint() : 0;
    fingerprint_known = fingerprint_known && (of_group != 0 || inputs[i].group->empty());
    fingerprint += of_group;
    if (inputs[i].given != nullptr) taken[i] = std::move(*inputs[i].given).TakeLeaves();
  }
  std::vector<Leaf> leaves;
  leaves.reserve(expected.size());
  for (const Source& source : matcher.sources()) {
    if (inputs[source.group].given != nullptr) {
      leaves.push_back(std::move(taken[source.group][source.place]));
    } else {
      leaves.push_back(inputs[source.group].group->leaf(source.place));
    }
  }
  return internal::ParamStoreAccess::Make(expected, SlotSet::All(expected.size()),
                                          std::move(leaves), fingerprint_known ? fingerprint : 0);
}

std::vector<MergeInput> ReadOnly(absl::Span<const ParamStore* const> groups) {
  std::vector<MergeInput> inputs;
  for (const ParamStore* group : groups) inputs.push_back({group, nullptr});
  return inputs;
}

std::vector<MergeInput> Given(std::vector<ParamStore>* groups) {
  std::vector<MergeInput> inputs;
  for (ParamStore& group : *groups) inputs.push_back({&group, &group});
  return inputs;
}

// Appends "missing (2):" and a line with what `text` makes of each item, while there is room.
template <typename Items, typename Text>
void AppendItems(absl::string_view title, const Items& items, Text text, std::string* out) {
  constexpr size_t kRoom = size_t{1} << 20;
  if (items.empty()) return;
  absl::StrAppend(out, out->empty() ? "" : "\n", title, " (", items.size(), "):");
  const size_t end = out->size() + kRoom;
  size_t shown = 0;
  for (; shown < items.size() && out->size() < end; ++shown) {
    absl::StrAppend(out, "\n  ", text(items[shown]));
  }
  if (shown < items.size()) absl::StrAppend(out, "\n  and ", items.size() - shown, " more");
}

}  // namespace

std::string MergeReport::ToString() const {
  std::string text;
  const auto plain = [](const std::string& path) { return absl::StrCat("'", path, "'"); };
  const auto mismatch = [](const SpecMismatch& m) {
    return absl::StrCat("'", m.path, "': expected ", m.expected, ", found ", m.found);
  };
  // What is missing has often only been misspelt, so that it is among the unexpected.
  int suggestions = 0;
  const auto with_near_names = [this, &suggestions](const std::string& path) {
    constexpr int kMaxSuggestions = 10;  // each is a search through all that is unexpected
    const bool few = suggestions++ < kMaxSuggestions;
    return absl::StrCat("'", path, "'", few ? DidYouMean(path, unexpected) : "");
  };
  AppendItems("missing", missing, with_near_names, &text);
  AppendItems("unexpected", unexpected, plain, &text);
  AppendItems("there twice", duplicate, plain, &text);
  AppendItems("of another dtype", dtype_mismatch, mismatch, &text);
  AppendItems("of another shape", shape_mismatch, mismatch, &text);
  return text;
}

absl::Status MergeReport::ToStatus(absl::string_view what) const {
  if (ok()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(what, ":\n", ToString()));
}

MergeReport CheckMerge(const Layout& expected, absl::Span<const ParamStore* const> groups,
                       const MergeOptions& options) {
  const std::vector<MergeInput> inputs = ReadOnly(groups);
  return Matcher(expected, inputs, options).Report();
}

absl::StatusOr<ParamStore> MergeGroups(const Layout& expected, std::vector<ParamStore>&& groups,
                                       const MergeOptions& options) {
  return MergeMatched(expected, Given(&groups), options);
}

absl::StatusOr<ParamStore> MergeGroups(const Layout& expected,
                                       absl::Span<const ParamStore* const> groups,
                                       const MergeOptions& options) {
  return MergeMatched(expected, ReadOnly(groups), options);
}

absl::StatusOr<ParamStore> MergeGroups(std::vector<ParamStore>&& groups,
                                       const MergeOptions& options) {
  return internal::MergeInputs(Given(&groups), options);
}

namespace internal {

absl::StatusOr<ParamStore> MergeInputs(absl::Span<const MergeInput> inputs,
                                       const MergeOptions& options) {
  if (inputs.empty()) return absl::InvalidArgumentError("merge: expected groups, found none");
  const Layout layout = inputs[0].group->layout();
  for (size_t i = 1; i < inputs.size(); ++i) {
    if (inputs[i].group->layout() == layout) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("merge: expected groups of one layout, found group ", i, " on another one (",
                     inputs[i].group->layout().size(), " paths, not ", layout.size(),
                     "): say which layout is expected"));
  }
  return MergeMatched(layout, inputs, options);
}

absl::StatusOr<ParamStore> MergeInputs(const Layout& expected, absl::Span<const MergeInput> inputs,
                                       const MergeOptions& options) {
  return MergeMatched(expected, inputs, options);
}

}  // namespace internal
}  // namespace leafstore
