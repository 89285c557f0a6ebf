#include "leafstore/store/update.h"

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "leafstore/core/status_macros.h"
#include "leafstore/store/internal/fit_reporter.h"
#include "leafstore/store/internal/param_store_access.h"

namespace leafstore {
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
                                               AlignBy by) {
  LEAFSTORE_RETURN_IF_ERROR(store.CheckNoBorrow("update from a group"));
  LEAFSTORE_RETURN_IF_ERROR(group.CheckNoBorrow("update a store from this one"));
  Alignment where = Align(group, store, by);
  internal::FitReporter reporter;
  reporter.AddUnexpected(group, where);
  reporter.AddConflicts(group, store, where);
  for (uint32_t place = 0; place < group.size(); ++place) {
    if (where[place] == kNoPlace) continue;
    reporter.CheckSpec(group.layout(), group.slot(place), store.leaf(where[place]).spec(),
                       group.leaf(place).spec());
  }
  if (reporter.ok()) return std::move(where).TakePlaces();
  return DoesNotFit(store, where, by, std::move(reporter.report()));
}

}  // namespace

absl::Status Update(ParamStore* store, const ParamStore& group, AlignBy by) {
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<uint32_t> places, PlacesIn(*store, group, by));
  for (uint32_t i = 0; i < group.size(); ++i) {
    internal::ParamStoreAccess::ReplaceLeaf(store, places[i], group.leaf(i));
  }
  return absl::OkStatus();
}

absl::Status Update(ParamStore* store, ParamStore&& group, AlignBy by) {
  if (&group == store) return store->CheckNoBorrow("update from a group");
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<uint32_t> places, PlacesIn(*store, group, by));
  std::vector<Leaf> leaves = std::move(group).TakeLeaves();
  for (uint32_t i = 0; i < leaves.size(); ++i) {
    internal::ParamStoreAccess::ReplaceLeaf(store, places[i], std::move(leaves[i]));
  }
  return absl::OkStatus();
}

}  // namespace leafstore
