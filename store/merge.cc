#include "leafstore/store/merge.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/store/internal/fit_reporter.h"
#include "leafstore/store/internal/param_store_access.h"

namespace leafstore {

using internal::MergeInput;

namespace {

// The source of a leaf; `group` is kNoGroupYet if none was found yet.
struct Source {
  static constexpr uint32_t kNoGroupYet = 0xffffffff;
  uint32_t group = kNoGroupYet;
  uint32_t place = 0;
};

template <typename T>
void SortUnique(std::vector<T>* items) {
  std::sort(items->begin(), items->end());
  items->erase(std::unique(items->begin(), items->end()), items->end());
}

// Finds the source of each expected leaf, and all mismatches.
class Matcher {
 public:
  Matcher(const LeafSpecs& expected, absl::Span<const MergeInput> inputs, const LeafSpecs* like,
          AlignBy by)
      : expected_(expected), inputs_(inputs), sources_(expected.size()) {
    for (uint32_t group = 0; group < inputs.size(); ++group) MatchGroup(group, by);
    AddMissing();
    SortUnique(&reporter_.report().unexpected);
    SortUnique(&duplicate_);
    for (const uint32_t place : duplicate_) {
      reporter_.AddDuplicate(expected_.layout(), expected_.slot(place));
    }
    if (like != nullptr) CheckSpecs(*like);
  }

  absl::Span<const Source> sources() const { return sources_; }
  FitReport& report() { return reporter_.report(); }

 private:
  void MatchGroup(uint32_t index, AlignBy by) {
    const ParamStore& group = *inputs_[index].group;
    const Alignment where = Align(group, expected_, by);
    uint32_t found = 0;
    for (uint32_t place = 0; place < group.size(); ++place) {
      const uint32_t to = where[place];
      if (to == kNoPlace) continue;
      ++found;
      if (sources_[to].group != Source::kNoGroupYet) {
        duplicate_.push_back(to);
      } else {
        sources_[to] = {index, place};
      }
    }
    if (found == group.size()) return;
    reporter_.AddUnexpected(group, where);
    reporter_.AddAmbiguous(group, expected_, where);
  }

  void AddMissing() {
    const auto is_missing = [](const Source& source) {
      return source.group == Source::kNoGroupYet;
    };
    // Counting first is faster than a loop that may stop.
    if (std::count_if(sources_.begin(), sources_.end(), is_missing) == 0) return;
    for (uint32_t place = 0; place < sources_.size(); ++place) {
      if (!is_missing(sources_[place])) continue;
      reporter_.AddMissing(expected_.layout(), expected_.slot(place));
    }
  }

  void CheckSpecs(const LeafSpecs& like) {
    const std::vector<uint32_t> places = Align(like, expected_).Sources();
    for (uint32_t place = 0; place < sources_.size(); ++place) {
      const Source& source = sources_[place];
      if (source.group == Source::kNoGroupYet || places[place] == kNoPlace) continue;
      const Leaf& found = inputs_[source.group].group->leaf(source.place);
      reporter_.CheckSpec(expected_.layout(), expected_.slot(place), like.spec(places[place]),
                          found.spec());
    }
  }

  const LeafSpecs& expected_;
  absl::Span<const MergeInput> inputs_;
  std::vector<Source> sources_;      // by place of `expected`
  std::vector<uint32_t> duplicate_;  // places
  internal::FitReporter reporter_;
};

std::vector<MergeInput> Movable(std::vector<ParamStore>* groups) {
  return {std::make_move_iterator(groups->begin()), std::make_move_iterator(groups->end())};
}

// Returns the leaves by their sources. Those of movable groups are moved.
std::vector<Leaf> Join(absl::Span<const MergeInput> inputs, absl::Span<const Source> sources) {
  std::vector<std::vector<Leaf>> taken(inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].movable != nullptr) taken[i] = std::move(*inputs[i].movable).TakeLeaves();
  }
  std::vector<Leaf> leaves;
  leaves.reserve(sources.size());
  for (const Source& source : sources) {
    if (inputs[source.group].movable != nullptr) {
      leaves.push_back(std::move(taken[source.group][source.place]));
    } else {
      leaves.push_back(inputs[source.group].group->leaf(source.place));
    }
  }
  return leaves;
}

// Returns the fingerprint of the leaves of all groups together; 0 if not known without hashing.
uint64_t KnownFingerprint(const Layout& expected, absl::Span<const MergeInput> inputs) {
  uint64_t sum = 0;
  for (const MergeInput& input : inputs) {
    const uint64_t own = input.group->known_spec_fingerprint();
    if (input.group->empty()) continue;
    if (own == 0 || !(input.group->layout() == expected)) return 0;
    sum += own;
  }
  return sum;
}

absl::Status CheckSameLayout(absl::Span<const MergeInput> inputs) {
  if (inputs.empty()) return absl::InvalidArgumentError("merge: expected groups, found none");
  const Layout& layout = inputs[0].group->layout();
  for (size_t i = 1; i < inputs.size(); ++i) {
    if (inputs[i].group->layout() == layout) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("merge: expected groups of one layout, found group ", i, " on another one (",
                     inputs[i].group->layout().size(), " paths, not ", layout.size(),
                     "): pass the expected layout"));
  }
  return absl::OkStatus();
}

absl::StatusOr<ParamStore> MergeWith(const Layout& expected, absl::Span<const MergeInput> inputs,
                                     const MergeOptions& options) {
  if (options.like == nullptr) {
    return internal::MergeInputs(expected, inputs, nullptr, options.by);
  }
  const LeafSpecs like = *options.like;
  return internal::MergeInputs(expected, inputs, &like, options.by);
}

}  // namespace

FitReport CheckMerge(const Layout& expected, absl::Span<const ParamStore* const> groups,
                     const MergeOptions& options) {
  const std::vector<MergeInput> inputs(groups.begin(), groups.end());
  if (options.like == nullptr) {
    return internal::CheckMergeInputs(expected, inputs, nullptr, options.by);
  }
  const LeafSpecs like = *options.like;
  return internal::CheckMergeInputs(expected, inputs, &like, options.by);
}

absl::StatusOr<ParamStore> MergeGroups(const Layout& expected, std::vector<ParamStore>&& groups,
                                       const MergeOptions& options) {
  return MergeWith(expected, Movable(&groups), options);
}

absl::StatusOr<ParamStore> MergeGroups(const Layout& expected,
                                       absl::Span<const ParamStore* const> groups,
                                       const MergeOptions& options) {
  return MergeWith(expected, std::vector<MergeInput>(groups.begin(), groups.end()), options);
}

absl::StatusOr<ParamStore> MergeGroups(std::vector<ParamStore>&& groups) {
  return internal::MergeInputs(std::nullopt, Movable(&groups));
}

namespace internal {

absl::StatusOr<ParamStore> MergeInputs(std::optional<LeafSpecs> expected,
                                       absl::Span<const MergeInput> inputs, const LeafSpecs* like,
                                       AlignBy by) {
  if (!expected) {
    LEAFSTORE_RETURN_IF_ERROR(CheckSameLayout(inputs));
    expected.emplace(inputs[0].group->layout());
  }
  for (const MergeInput& input : inputs) {
    LEAFSTORE_RETURN_IF_ERROR(input.group->CheckNoBorrow("merge"));
  }
  Matcher matcher(*expected, inputs, like, by);
  // A single store is not a group: it is being moved to another Layout, as by Unflatten.
  LEAFSTORE_RETURN_IF_ERROR(matcher.report().ToStatus(
      inputs.size() == 1 ? "the store does not fit the structure"
                         : "the groups together do not fit the structure"));
  const uint64_t fingerprint = KnownFingerprint(expected->layout(), inputs);
  // Nothing can fail from here on, so groups may be moved from.
  ParamStore merged =
      ParamStore::FromParts(expected->layout(), expected->slots(), Join(inputs, matcher.sources()));
  ParamStoreAccess::SetFingerprint(fingerprint, &merged);
  return merged;
}

FitReport CheckMergeInputs(const LeafSpecs& expected, absl::Span<const MergeInput> inputs,
                           const LeafSpecs* like, AlignBy by) {
  return std::move(Matcher(expected, inputs, like, by).report());
}

}  // namespace internal

namespace {

// Returns the report as a Status, with suggestions for leaves that are not in the store.
absl::Status DoesNotFit(const ParamStore& store, const Alignment& where, AlignBy by,
                        FitReport report) {
  constexpr size_t kMaxCandidates = 10'000;
  const bool dotted = by == AlignBy::kDotted;
  std::vector<uint32_t> missing = where.Missing();
  if (report.unexpected.empty()) missing.clear();
  if (missing.size() > kMaxCandidates) missing.resize(kMaxCandidates);
  std::vector<std::string> candidates;
  for (const uint32_t place : missing) {
    const Slot slot = store.slot(place);
    candidates.push_back(dotted ? store.layout().Dotted(slot)
                                : store.layout().PathForMessage(slot));
  }
  for (std::string& path : report.unexpected) {
    const absl::StatusOr<Path> parsed = Path::Parse(path);
    if (dotted && parsed.ok()) path = parsed->Dotted();
  }
  return report.ToStatus("the group does not fit the store", candidates);
}

// Returns the place in `store` of each leaf of `group`.
absl::StatusOr<std::vector<uint32_t>> PlacesIn(const ParamStore& store, const ParamStore& group,
                                               const UpdateOptions& options) {
  LEAFSTORE_RETURN_IF_ERROR(store.CheckNoBorrow("update from a group"));
  LEAFSTORE_RETURN_IF_ERROR(group.CheckNoBorrow("update a store from this one"));
  Alignment where = Align(group, store, options.by);
  internal::FitReporter reporter;
  reporter.AddUnexpected(group, where);
  reporter.AddConflicts(group, store, where);
  const absl::Span<const Leaf> expected = store.leaves();
  const absl::Span<const Leaf> found = group.leaves();
  for (uint32_t place = 0; !options.any_spec && place < group.size(); ++place) {
    if (where[place] == kNoPlace) continue;
    if (expected[where[place]].HasSameSpec(found[place])) continue;
    reporter.CheckSpec(group.layout(), group.slot(place), expected[where[place]].spec(),
                       found[place].spec());
  }
  if (reporter.ok()) return std::move(where).TakePlaces();
  return DoesNotFit(store, where, options.by, std::move(reporter.report()));
}

template <typename Group>
absl::Status UpdateFrom(Group&& group, const UpdateOptions& options, ParamStore* store) {
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<uint32_t> places, PlacesIn(*store, group, options));
  auto leaves = internal::AllLeaves(std::forward<Group>(group));
  for (size_t i = 0; i < leaves.size(); ++i) {  // copies const leaves
    internal::ParamStoreAccess::ReplaceLeaf(store, places[i], std::move(leaves[i]),
                                            !options.any_spec);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Update(ParamStore* store, const ParamStore& group, const UpdateOptions& options) {
  return UpdateFrom(group, options, store);
}

absl::Status Update(ParamStore* store, ParamStore&& group, const UpdateOptions& options) {
  if (&group == store) return store->CheckNoBorrow("update from a group");
  return UpdateFrom(std::move(group), options, store);
}

}  // namespace leafstore
