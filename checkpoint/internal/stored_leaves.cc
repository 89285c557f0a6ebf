#include "leafstore/checkpoint/internal/stored_leaves.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/select/internal/leaf_matches.h"
#include "leafstore/treedef/treedef.h"

namespace leafstore::internal {
namespace {

// The leaves to load, and the Layout and slots of the result.
struct ChosenLeaves {
  std::vector<uint32_t> places;  // in the source, ascending
  Layout layout;
  SlotSet slots;
};

absl::StatusOr<ChosenLeaves> AtPlaces(const StoredLeaves& stored,
                                      const std::vector<uint32_t>& places) {
  const uint32_t count = stored.slots().size();
  for (size_t i = 0; i < places.size(); ++i) {
    if (places[i] < count && (i == 0 || places[i] > places[i - 1])) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("expected ascending places below ", count, ", found ", places[i]));
  }
  return ChosenLeaves{places, stored.layout(), stored.slots().AtPlaces(places)};
}

absl::StatusOr<ChosenLeaves> Subtree(const StoredLeaves& stored, absl::string_view path) {
  LEAFSTORE_ASSIGN_OR_RETURN(const TreeDef def, stored.layout().def());
  LEAFSTORE_ASSIGN_OR_RETURN(const NodeId node, def.Find(path));
  TreeDef::Cut cut = def.Subtree(def.Resolve(node));
  std::vector<uint32_t> places;
  std::vector<Slot> chosen;
  for (uint32_t leaf = 0; leaf < cut.leaves.size(); ++leaf) {
    const uint32_t place = stored.slots().PlaceOf(cut.leaves[leaf]);
    if (place == kNoPlace) continue;
    places.push_back(place);
    chosen.push_back(leaf);
  }
  const uint32_t size = cut.def.leaf_count();
  return ChosenLeaves{std::move(places), Layout(std::move(cut.def)),
                      SlotSet::FromSorted(size, std::move(chosen))};
}

absl::StatusOr<Slot> GetSlot(const Layout& layout, absl::string_view path) {
  if (!layout.has_def()) return layout.Get(path);
  LEAFSTORE_ASSIGN_OR_RETURN(const TreeDef def, layout.def());
  LEAFSTORE_ASSIGN_OR_RETURN(const NodeId node, def.Find(path));
  const NodeId owner = def.Resolve(node);
  if (def.kind(owner) == NodeKind::kLeaf) return def.leaf_begin(owner);
  return absl::InvalidArgumentError(
      absl::StrCat("at '", path, "': expected a leaf, found ", NodeKindName(def.kind(owner))));
}

}  // namespace

absl::StatusOr<ParamStore> LoadChosen(const StoredLeaves& stored, const LoadOptions& options) {
  const int set = static_cast<int>(options.filter.has_value()) +
                  static_cast<int>(options.subtree.has_value()) +
                  static_cast<int>(options.places.has_value());
  if (set > 1) {
    return stored.Named(absl::InvalidArgumentError(
        absl::StrCat("expected one of filter, subtree and places, found ", set)));
  }
  absl::StatusOr<ChosenLeaves> chosen = ChosenLeaves{{}, stored.layout(), stored.slots()};
  if (options.filter.has_value()) {
    LEAFSTORE_ASSIGN_OR_RETURN(
        const Grouping grouping,
        CompileGrouping(stored, {{"matching", *options.filter}, {"rest", Rest()}},
                        {.allow_empty = true}));
    chosen->slots = grouping.SlotsOf(0);
    for (uint32_t i = 0; i < chosen->slots.size(); ++i) {
      chosen->places.push_back(stored.slots().PlaceOf(chosen->slots.SlotAt(i)));
    }
  } else if (options.subtree.has_value()) {
    chosen = Subtree(stored, *options.subtree);
  } else if (options.places.has_value()) {
    chosen = AtPlaces(stored, *options.places);
  } else {
    chosen->places.resize(stored.slots().size());
    std::iota(chosen->places.begin(), chosen->places.end(), 0);
  }
  if (!chosen.ok()) return stored.Named(chosen.status());
  LEAFSTORE_ASSIGN_OR_RETURN(std::vector<Leaf> leaves, stored.Load(chosen->places));
  return ParamStore::Create(std::move(chosen->layout), std::move(chosen->slots), std::move(leaves));
}

absl::StatusOr<Leaf> LoadLeaf(const StoredLeaves& stored, absl::string_view path) {
  LEAFSTORE_ASSIGN_OR_RETURN(const uint32_t place, GetPlace(stored, path));
  LEAFSTORE_ASSIGN_OR_RETURN(std::vector<Leaf> leaves, stored.Load({place}));
  return std::move(leaves[0]);
}

absl::StatusOr<uint32_t> GetPlace(const StoredLeaves& stored, absl::string_view path) {
  const absl::StatusOr<Slot> slot = GetSlot(stored.layout(), path);
  if (!slot.ok()) return stored.Named(slot.status());
  const uint32_t place = stored.slots().PlaceOf(*slot);
  if (place != kNoPlace) return place;
  return stored.Named(absl::NotFoundError(absl::StrCat("it was saved without '", path, "'")));
}

absl::StatusOr<Grouping> CompileGrouping(const StoredLeaves& stored,
                                         std::vector<NamedFilter> filters,
                                         const GroupingOptions& options) {
  absl::StatusOr<Grouping> grouping;
  if (std::any_of(filters.begin(), filters.end(), std::mem_fn(&NamedFilter::has_callable))) {
    LEAFSTORE_ASSIGN_OR_RETURN(const ParamStore store, LoadChosen(stored, {}));
    grouping = Grouping::Compile(store, std::move(filters), options);
  } else {
    const auto spec = [&stored](uint32_t place) { return stored.spec(place); };
    grouping = Grouping::Compile(LeafSpecs(stored.layout(), stored.slots(), spec),
                                 std::move(filters), options);
  }
  if (!grouping.ok()) return stored.Named(grouping.status());
  return grouping;
}

absl::StatusOr<RestoreReport> LoadInto(const StoredLeaves& stored, ParamStore* store,
                                       const RestoreOptions& options) {
  const auto spec = [&stored](uint32_t place) { return stored.spec(place); };
  absl::StatusOr<LeafMatches> matches =
      MatchLeaves(LeafSpecs(stored.layout(), stored.slots(), spec), *store, options);
  if (!matches.ok()) return stored.Named(matches.status());
  LEAFSTORE_ASSIGN_OR_RETURN(std::vector<Leaf> leaves, stored.Load(matches->places));
  return ReplaceLeaves(*std::move(matches), std::move(leaves), store);
}

}  // namespace leafstore::internal
