#include "leafstore/store/update.h"

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "leafstore/core/status_macros.h"
#include "leafstore/store/internal/fit_reporter.h"

namespace leafstore {
namespace {

// Returns the report as a Status, with suggestions for leaves that are not in the store.
absl::Status DoesNotFit(const ParamStore& store, const Alignment& where, AlignBy by,
                        FitReport report) {
  constexpr size_t kMaxCandidates = 10'000;
  const bool dotted = by == AlignBy::kDotted;
  std::vector<std::string> candidates;
  if (!report.unexpected.empty()) {
    for (const uint32_t place : where.Missing()) {
      if (candidates.size() == kMaxCandidates) break;
      const Slot slot = store.slot(place);
      candidates.push_back(dotted ? store.layout().Dotted(slot)
                                  : store.layout().PathForMessage(slot));
    }
  }
  if (dotted) {
    for (std::string& path : report.unexpected) {
      if (const absl::StatusOr<Path> parsed = Path::Parse(path); parsed.ok()) {
        path = parsed->Dotted();
      }
    }
  }
  return report.ToStatus("the group does not fit the store", candidates);
}

// Returns the place in `store` of each leaf of `group`.
absl::StatusOr<std::vector<uint32_t>> PlacesIn(const ParamStore& store, const ParamStore& group,
                                               const UpdateOptions& options) {
  LEAFSTORE_RETURN_IF_ERROR(store.CheckNoBorrow("update from a group"));
  LEAFSTORE_RETURN_IF_ERROR(group.CheckNoBorrow("give a group back"));
  Alignment where = Align(group, store, {.by = options.by});
  internal::FitReporter reporter;
  reporter.AddUnexpected(group, where);
  reporter.AddAmbiguous(group, store, where);
  reporter.AddCollisions(group, store, where);
  if (options.check == SetCheck::kSameSpec) {
    const absl::Span<const Leaf> expected = store.leaves();
    const absl::Span<const Leaf> found = group.leaves();
    for (uint32_t place = 0; place < group.size(); ++place) {
      if (where[place] == kNoPlace) continue;
      if (expected[where[place]].spec() == found[place].spec()) continue;
      reporter.CheckSpec(group.layout(), group.slot(place), expected[where[place]].spec(),
                         found[place].spec());
    }
  }
  if (reporter.ok()) return std::move(where).TakePlaces();
  return DoesNotFit(store, where, options.by, std::move(reporter.report()));
}

}  // namespace

absl::Status Update(ParamStore* store, const ParamStore& group, const UpdateOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<uint32_t> places, PlacesIn(*store, group, options));
  const bool same_spec = options.check == SetCheck::kSameSpec;
  for (uint32_t i = 0; i < group.size(); ++i) {
    internal::ParamStoreAccess::ReplaceLeaf(store, places[i], group.leaf(i), same_spec);
  }
  return absl::OkStatus();
}

absl::Status Update(ParamStore* store, ParamStore&& group, const UpdateOptions& options) {
  if (&group == store) return store->CheckNoBorrow("update from a group");
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<uint32_t> places, PlacesIn(*store, group, options));
  std::vector<Leaf> leaves = std::move(group).TakeLeaves();
  const bool same_spec = options.check == SetCheck::kSameSpec;
  for (uint32_t i = 0; i < leaves.size(); ++i) {
    internal::ParamStoreAccess::ReplaceLeaf(store, places[i], std::move(leaves[i]), same_spec);
  }
  return absl::OkStatus();
}

}  // namespace leafstore
