#include "leafstore/checkpoint/internal/restore.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"

#include "leafstore/core/path.h"
#include "leafstore/core/shape.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/core/value.h"
#include "leafstore/select/partition.h"
#include "leafstore/select/rename_map.h"
#include "leafstore/store/internal/path_texts.h"
#include "leafstore/store/internal/slot_match.h"
#include "leafstore/store/merge.h"

namespace leafstore {
namespace {

// Where leaves of an item go in a store: by place of the store, the item's slot or kNoSlot; and
// where the item's paths were renamed, the new ones, by place of the item.
struct Meeting {
  std::vector<Slot> slots;
  std::vector<RenamedPath> renamed;
};

// Finds leaves of a store by dotted form. The index is made for the first one.
class DottedLeaves {
 public:
  explicit DottedLeaves(const ParamStore& store) : store_(store) {}

  // The place of the leaf with the dotted form of `path`, or kNoPlace. error InvalidArgument: two
  // leaves have it.
  absl::StatusOr<uint32_t> Find(absl::string_view path) {
    if (index_.empty()) LEAFSTORE_RETURN_IF_ERROR(MakeIndex());
    LEAFSTORE_ASSIGN_OR_RETURN(const Path parsed, Path::Parse(path));
    const std::string dotted = parsed.Dotted();
    const auto found = index_.find(dotted);
    if (found == index_.end()) return kNoPlace;
    const auto& [first, second] = found->second;
    if (second == kNoPlace) return first;
    return absl::InvalidArgumentError(absl::StrCat("'", dotted, "' could be '",
                                                   store_.PathText(first), "' or '",
                                                   store_.PathText(second), "' of the store"));
  }

 private:
  absl::Status MakeIndex() {
    const Layout& layout = store_.layout();
    if (layout.has_def()) {  // the texts may be too long to be made
      LEAFSTORE_ASSIGN_OR_RETURN(const TreeDef def, layout.def());
      LEAFSTORE_RETURN_IF_ERROR(def.paths().status());
    }
    for (uint32_t place = 0; place < store_.size(); ++place) {
      const auto [entry, is_new] =
          index_.try_emplace(layout.Dotted(store_.slot(place)), place, kNoPlace);
      if (!is_new) entry->second.second = place;
    }
    return absl::OkStatus();
  }

  const ParamStore& store_;
  absl::flat_hash_map<std::string, std::pair<uint32_t, uint32_t>> index_;
};

// Meets the store under new paths.
absl::StatusOr<Meeting> MeetRenamed(const ManifestItem& item, const ParamStore& store,
                                    const RestoreOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(const RenameMap map, RenameMap::Create(options.renames));
  Meeting meeting;
  LEAFSTORE_ASSIGN_OR_RETURN(
      meeting.renamed,
      map.Apply(item.layout, item.slots, {.allow_unused_rules = options.allow_unused_renames}));
  meeting.slots.assign(store.size(), kNoSlot);
  std::vector<uint32_t> sources(store.size());
  DottedLeaves dotted(store);
  for (uint32_t from = 0; from < item.leaves.size(); ++from) {
    const RenamedPath& path = meeting.renamed[from];
    uint32_t place = store.slots().PlaceOf(store.layout().SlotOf(path.to));
    if (place == kNoPlace && path.rule) {
      LEAFSTORE_ASSIGN_OR_RETURN(place, dotted.Find(path.to));
    }
    if (place == kNoPlace) continue;
    if (meeting.slots[place] != kNoSlot) {
      return absl::InvalidArgumentError(
          absl::StrCat("renames: '", meeting.renamed[sources[place]].from, "' and '", path.from,
                       "' would both go to '", store.PathText(place), "' of the store"));
    }
    meeting.slots[place] = item.slots.SlotAt(from);
    sources[place] = from;
  }
  return meeting;
}

// Aliases are no leaves and keep their names: a leaf of the store that no leaf of the item goes to
// may be one of the item's aliases.
void MeetAliases(const ManifestItem& item, const ParamStore& store, std::vector<Slot>* slots) {
  const std::vector<Slot> by_name = internal::SlotsIn(item.layout, store);
  for (uint32_t place = 0; place < store.size(); ++place) {
    if ((*slots)[place] != kNoSlot || by_name[place] == kNoSlot) continue;
    const bool is_alias = item.layout.PathText(by_name[place]) != store.PathText(place);
    if (is_alias) (*slots)[place] = by_name[place];
  }
}

absl::StatusOr<Meeting> Meet(const ManifestItem& item, const ParamStore& store,
                             const RestoreOptions& options) {
  if (options.renames.empty()) return Meeting{internal::SlotsIn(item.layout, store), {}};
  LEAFSTORE_ASSIGN_OR_RETURN(Meeting meeting, MeetRenamed(item, store, options));
  MeetAliases(item, store, &meeting.slots);
  return meeting;
}

// The slots of the store whose leaves are to be replaced.
absl::StatusOr<SlotSet> SelectedSlots(const ParamStore& store, const RestoreOptions& options) {
  if (!options.filter) return store.slots();
  LEAFSTORE_ASSIGN_OR_RETURN(
      const PartitionPlan plan,
      PartitionPlan::Compile(store, {*options.filter}, {.no_empty_groups = true}));
  return plan.group_slots(0);
}

// Matches leaves whose paths have met.
class Matcher {
 public:
  Matcher(const ManifestItem& item, const ParamStore& store, Meeting meeting)
      : item_(item),
        store_(store),
        meeting_(std::move(meeting)),
        by_position_(item.layout == store.layout() && meeting_.renamed.empty()) {
    if (!by_position_) used_.resize(item_.leaves.size());
    match_.places.reserve(store_.size());
    match_.slots.reserve(store_.size());
  }

  // Matches the leaf at `place` of the store.
  void Match(uint32_t place, bool selected) {
    const uint32_t from = item_.slots.PlaceOf(meeting_.slots[place]);
    if (from != kNoPlace) TakeNote(from);
    if (!selected) return;
    if (from == kNoPlace) {
      report_.missing.push_back(missing_texts_.Of(store_.layout(), store_.slot(place)));
      return;
    }
    CheckSpec(place, from);
    match_.places.push_back(from);
    match_.slots.push_back(store_.slot(place));
  }

  absl::StatusOr<RestoreMatch> Finish(const RestoreOptions& options) && {
    if (used_count_ < item_.leaves.size()) FindUnexpected();
    match_.report.restored = static_cast<uint32_t>(match_.places.size());
    if (options.allow_missing) match_.report.missing = std::exchange(report_.missing, {});
    if (options.allow_unexpected || options.filter) {
      match_.report.unexpected = std::exchange(report_.unexpected, {});
    }
    LEAFSTORE_RETURN_IF_ERROR(report_.ToStatus("it does not fit the store"));
    return std::move(match_);
  }

 private:
  // Two leaves of a store may be one of the item: a path, and an alias of it.
  void TakeNote(uint32_t from) {
    if (!by_position_) {
      if (used_[from]) return;
      used_[from] = true;
    }
    ++used_count_;
  }

  void CheckSpec(uint32_t place, uint32_t from) {
    const LeafSpec expected = store_.leaf(place).spec();
    const LeafSpec found = item_.leaves.spec(from);
    if (expected == found) return;
    const bool same_dtype = expected.is_tensor() && expected.dtype() == found.dtype();
    (same_dtype ? report_.shape_mismatch : report_.dtype_mismatch)
        .push_back({mismatch_texts_.Of(store_.layout(), store_.slot(place)), expected.ToString(),
                    found.ToString()});
  }

  void FindUnexpected() {
    internal::PathTexts texts;
    for (uint32_t from = 0; from < item_.leaves.size(); ++from) {
      const Slot slot = item_.slots.SlotAt(from);
      const bool used = by_position_ ? store_.slots().Contains(slot) : used_[from];
      if (used) continue;
      report_.unexpected.push_back(meeting_.renamed.empty() ? texts.Of(item_.layout, slot)
                                                            : meeting_.renamed[from].to);
    }
  }

  const ManifestItem& item_;
  const ParamStore& store_;
  const Meeting meeting_;
  const bool by_position_;  // the Layouts are equal
  RestoreMatch match_;
  MergeReport report_;
  internal::PathTexts missing_texts_;
  internal::PathTexts mismatch_texts_;
  uint32_t used_count_ = 0;  // leaves of the item that the store has
  std::vector<bool> used_;   // which; not kept where all is by position
};

}  // namespace

absl::StatusOr<RestoreMatch> MatchForRestore(const ManifestItem& item, const ParamStore& store,
                                             const RestoreOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(const SlotSet selected, SelectedSlots(store, options));
  LEAFSTORE_ASSIGN_OR_RETURN(Meeting meeting, Meet(item, store, options));
  Matcher matcher(item, store, std::move(meeting));
  for (uint32_t place = 0; place < store.size(); ++place) {
    matcher.Match(place, selected.Contains(store.slot(place)));
  }
  return std::move(matcher).Finish(options);
}

}  // namespace leafstore
