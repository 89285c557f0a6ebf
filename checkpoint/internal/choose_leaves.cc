#include "leafstore/checkpoint/internal/choose_leaves.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/treedef/treedef.h"

namespace leafstore::internal {
namespace {

// The leaves to load, and the Layout and slots of the result.
struct ChosenLeaves {
  std::vector<uint32_t> places;  // in the source, ascending
  Layout layout;
  SlotSet slots;
};

absl::Status CheckPlaces(absl::Span<const uint32_t> places, uint32_t count) {
  for (size_t i = 0; i < places.size(); ++i) {
    if (places[i] < count && (i == 0 || places[i] > places[i - 1])) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("expected ascending places below ", count, ", found ", places[i]));
  }
  return absl::OkStatus();
}

std::vector<uint32_t> AllPlaces(const LeafSpecs& part) {
  std::vector<uint32_t> places(part.slots().size());
  std::iota(places.begin(), places.end(), 0);
  return places;
}

absl::StatusOr<ChosenLeaves> Subtree(const LeafSpecs& part, absl::string_view path) {
  LEAFSTORE_ASSIGN_OR_RETURN(const TreeDef def, part.layout().def());
  LEAFSTORE_ASSIGN_OR_RETURN(const NodeId node, def.Find(path));
  TreeDef::Cut cut = def.Subtree(def.Resolve(node));
  std::vector<uint32_t> places;
  std::vector<Slot> chosen;
  for (uint32_t leaf = 0; leaf < cut.leaves.size(); ++leaf) {
    const uint32_t place = part.slots().PlaceOf(cut.leaves[leaf]);
    if (place == kNoPlace) continue;
    places.push_back(place);
    chosen.push_back(leaf);
  }
  const uint32_t size = cut.def.leaf_count();
  return ChosenLeaves{std::move(places), Layout(std::move(cut.def)),
                      SlotSet::FromSorted(size, std::move(chosen))};
}

// `matched` has the slots that the filter matches, if there is a filter.
absl::StatusOr<ChosenLeaves> Choose(const LeafSpecs& part, const LoadOptions& options,
                                    const std::optional<SlotSet>& matched) {
  const int set = static_cast<int>(options.filter.has_value()) +
                  static_cast<int>(options.subtree.has_value()) +
                  static_cast<int>(options.places.has_value());
  if (set > 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected one of filter, subtree and places, found ", set));
  }
  if (options.subtree.has_value()) return Subtree(part, *options.subtree);
  if (options.places.has_value()) {
    LEAFSTORE_RETURN_IF_ERROR(CheckPlaces(*options.places, part.slots().size()));
    return ChosenLeaves{*options.places, part.layout(), part.slots().AtPlaces(*options.places)};
  }
  if (!matched.has_value()) return ChosenLeaves{AllPlaces(part), part.layout(), part.slots()};
  ChosenLeaves chosen{{}, part.layout(), *matched};
  chosen.places.reserve(matched->size());
  for (uint32_t i = 0; i < matched->size(); ++i) {
    chosen.places.push_back(part.slots().PlaceOf(matched->SlotAt(i)));
  }
  return chosen;
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

absl::StatusOr<ParamStore> LoadChosen(const LeafSource& source, const LoadOptions& options) {
  std::optional<SlotSet> matched;
  if (options.filter.has_value()) {
    LEAFSTORE_ASSIGN_OR_RETURN(
        const Grouping grouping,
        CompileGrouping(source, {{"matching", *options.filter}, {"rest", Rest()}},
                        {.allow_empty = true}));
    matched = grouping.SlotsOf(0);
  }
  absl::StatusOr<ChosenLeaves> chosen = Choose(source.leaves, options, matched);
  if (!chosen.ok()) return source.named(chosen.status());
  LEAFSTORE_ASSIGN_OR_RETURN(std::vector<Leaf> leaves, source.load(chosen->places));
  return ParamStore::Create(std::move(chosen->layout), std::move(chosen->slots), std::move(leaves));
}

absl::StatusOr<Leaf> LoadLeaf(const LeafSource& source, absl::string_view path) {
  const absl::StatusOr<Slot> slot = GetSlot(source.leaves.layout(), path);
  if (!slot.ok()) return source.named(slot.status());
  const uint32_t place = source.leaves.slots().PlaceOf(*slot);
  if (place == kNoPlace) {
    return source.named(absl::NotFoundError(absl::StrCat("it was saved without '", path, "'")));
  }
  LEAFSTORE_ASSIGN_OR_RETURN(std::vector<Leaf> leaves, source.load({place}));
  return std::move(leaves[0]);
}

absl::StatusOr<Grouping> CompileGrouping(const LeafSource& source, std::vector<NamedFilter> filters,
                                         const GroupingOptions& options) {
  const LeafSpecs& part = source.leaves;
  absl::StatusOr<Grouping> grouping;
  if (std::any_of(filters.begin(), filters.end(), std::mem_fn(&NamedFilter::has_callable))) {
    LEAFSTORE_ASSIGN_OR_RETURN(std::vector<Leaf> leaves, source.load(AllPlaces(part)));
    LEAFSTORE_ASSIGN_OR_RETURN(const ParamStore store,
                               ParamStore::Create(part.layout(), part.slots(), std::move(leaves)));
    grouping = Grouping::Compile(store, std::move(filters), options);
  } else {
    grouping = Grouping::Compile(part, std::move(filters), options);
  }
  if (!grouping.ok()) return source.named(grouping.status());
  return grouping;
}

}  // namespace leafstore::internal
