#include "leafstore/select/load_into.h"

#include <utility>

#include "leafstore/core/status_macros.h"
#include "leafstore/select/grouping.h"
#include "leafstore/select/internal/leaf_matches.h"
#include "leafstore/store/internal/fit_reporter.h"
#include "leafstore/store/merge.h"
#include "leafstore/treedef/internal/path_cursor.h"

namespace leafstore {
namespace {

using internal::LeafMatches;

// Returns the slots of the store whose leaves are to be replaced.
absl::StatusOr<SlotSet> SelectedSlots(const ParamStore& store, const RestoreOptions& options) {
  if (!options.filter) return store.slots();
  LEAFSTORE_ASSIGN_OR_RETURN(
      const Grouping grouping,
      Grouping::Compile(store, std::vector<Filter>{*options.filter}, {.allow_empty = false}));
  return grouping.SlotsOf(0);
}

// Determines which leaf of a source replaces which of a store, and all mismatches.
class Matcher {
 public:
  Matcher(const LeafSpecs& source, const ParamStore& store, const RestoreOptions& options)
      : part_(source),
        store_(store),
        options_(options),
        used_(source.size()),
        budget_(uint64_t{source.size()} + store.size()) {}

  absl::StatusOr<LeafMatches> Run() {
    LEAFSTORE_ASSIGN_OR_RETURN(const SlotSet selected, SelectedSlots(store_, options_));
    if (options_.renames.empty() && options_.by == AlignBy::kPath) {
      places_ = Align(store_, part_).TakePlaces();
    } else {
      if (!options_.renames.empty()) LEAFSTORE_RETURN_IF_ERROR(Rename());
      FindByName();
      LEAFSTORE_RETURN_IF_ERROR(FindAliases());
    }
    LeafMatches matches = Select(selected);
    AddUnexpected();
    FitReport& misfits = reporter_.report();
    matches.report.restored = static_cast<uint32_t>(matches.places.size());
    if (options_.allow_missing) matches.report.missing = std::exchange(misfits.missing, {});
    if (options_.allow_unexpected || options_.filter) {
      matches.report.unexpected = std::exchange(misfits.unexpected, {});
    }
    LEAFSTORE_RETURN_IF_ERROR(misfits.ToStatus("the leaves do not fit the store"));
    return matches;
  }

 private:
  // Returns the matches in the selected slots. Reports leaves that are missing or differ.
  LeafMatches Select(const SlotSet& selected) {
    LeafMatches matches;
    for (uint32_t place = 0; place < store_.size(); ++place) {
      const uint32_t from = places_[place];
      if (from != kNoPlace) used_[from] = true;
      const Slot slot = store_.slot(place);
      if (!selected.Contains(slot)) continue;
      if (from == kNoPlace) {
        reporter_.AddMissing(store_.layout(), slot);
        continue;
      }
      reporter_.CheckSpec(store_.layout(), slot, store_.leaf(place).spec(), part_.spec(from));
      matches.places.push_back(from);
      matches.slots.push_back(slot);
    }
    return matches;
  }

  // Computes the new names. As replacements are in dotted form, a renamed leaf without a match at
  // its new path gets the path of the store's leaf with the same dotted form.
  absl::Status Rename() {
    LEAFSTORE_ASSIGN_OR_RETURN(const RenameMap map, RenameMap::Create(options_.renames));
    LEAFSTORE_ASSIGN_OR_RETURN(std::vector<RenamedPath> renamed,
                               map.Apply(part_, options_.allow_unused_renames));
    std::vector<uint32_t> sought;
    std::vector<std::string> names;
    for (uint32_t from = 0; from < part_.size(); ++from) {
      names_.push_back(std::move(renamed[from].to));
      if (!renamed[from].rule || options_.by == AlignBy::kDotted) continue;
      if (store_.Find(names_[from]) != nullptr) continue;
      sought.push_back(from);
      names.push_back(names_[from]);
    }
    const LeafSpecs part(part_.layout(), part_.slots().AtPlaces(sought));
    const Alignment where = Align(part, store_, AlignBy::kDotted, names);
    for (uint32_t i = 0; i < sought.size(); ++i) {
      if (where[i] == kNoPlace) continue;
      LEAFSTORE_ASSIGN_OR_RETURN(names_[sought[i]], TextOf(store_.layout(), store_.slot(where[i])));
    }
    reporter_.AddAmbiguous(part, store_, where);
    for (const Alignment::Conflict& at : where.ambiguous()) used_[sought[at.place]] = true;
    return absl::OkStatus();
  }

  // Matches leaves by name. Follows aliases of the store, but not those of the source.
  void FindByName() {
    const Alignment where = Align(part_, store_, options_.by, names_);
    places_ = where.Sources();
    for (uint32_t from = 0; from < part_.size(); ++from) {
      if (where[from] != kNoPlace) used_[from] = true;
    }
    reporter_.AddConflicts(part_, store_, where);
    for (const Alignment::Conflict& at : where.ambiguous()) used_[at.place] = true;
  }

  // Matches the remaining leaves of the store with aliases of the source, which are not leaves and
  // so are not renamed.
  absl::Status FindAliases() {
    const Alignment by_path = Align(store_, part_);
    for (uint32_t place = 0; place < store_.size(); ++place) {
      if (places_[place] != kNoPlace || by_path[place] == kNoPlace) continue;
      LEAFSTORE_ASSIGN_OR_RETURN(const std::string owner,
                                 TextOf(part_.layout(), part_.slot(by_path[place])));
      LEAFSTORE_ASSIGN_OR_RETURN(const std::string path,
                                 TextOf(store_.layout(), store_.slot(place)));
      if (owner != path) places_[place] = by_path[place];
    }
    return absl::OkStatus();
  }

  // Returns the path of a leaf. error ResourceExhausted: a hostile file has gigabytes of paths.
  absl::StatusOr<std::string> TextOf(const Layout& layout, Slot slot) {
    std::string text = layout.PathText(slot);
    LEAFSTORE_RETURN_IF_ERROR(budget_.Spend(text.size()));
    return text;
  }

  void AddUnexpected() {
    for (uint32_t from = 0; from < part_.size(); ++from) {
      if (used_[from]) continue;
      if (names_.empty()) {
        reporter_.AddUnexpected(part_.layout(), part_.slot(from));
      } else {
        reporter_.AddUnexpected(names_[from]);
      }
    }
  }

  const LeafSpecs& part_;
  const ParamStore& store_;
  const RestoreOptions& options_;
  std::vector<std::string> names_;  // by place of the source; empty: no renames
  std::vector<uint32_t> places_;    // by place of the store: the place in the source, or kNoPlace
  std::vector<bool> used_;          // by place of the source: whether it is expected
  internal::FitReporter reporter_;
  internal::TextBudget budget_;
};

}  // namespace

namespace internal {

absl::StatusOr<LeafMatches> MatchLeaves(const LeafSpecs& source, const ParamStore& store,
                                        const RestoreOptions& options) {
  LEAFSTORE_RETURN_IF_ERROR(store.CheckNoBorrow("load into"));
  return Matcher(source, store, options).Run();
}

absl::StatusOr<RestoreReport> ReplaceLeaves(LeafMatches matches, std::vector<Leaf> leaves,
                                            ParamStore* store) {
  const Layout& layout = store->layout();
  LEAFSTORE_ASSIGN_OR_RETURN(
      ParamStore group,
      ParamStore::Create(layout, SlotSet::FromSorted(layout.size(), std::move(matches.slots)),
                         std::move(leaves)));
  LEAFSTORE_RETURN_IF_ERROR(Update(store, std::move(group)));
  return std::move(matches.report);
}

}  // namespace internal

absl::StatusOr<RestoreReport> LoadInto(const ParamStore& from, ParamStore* store,
                                       const RestoreOptions& options) {
  LEAFSTORE_RETURN_IF_ERROR(from.CheckNoBorrow("load from"));
  LEAFSTORE_ASSIGN_OR_RETURN(LeafMatches matches, internal::MatchLeaves(from, *store, options));
  std::vector<Leaf> leaves;
  leaves.reserve(matches.places.size());
  for (const uint32_t place : matches.places) leaves.push_back(from.leaf(place));
  return internal::ReplaceLeaves(std::move(matches), std::move(leaves), store);
}

}  // namespace leafstore
