#include "leafstore/checkpoint/internal/choose_leaves.h"

#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/treedef/treedef.h"

namespace leafstore::internal {
namespace {

absl::Status CheckPlaces(absl::Span<const uint32_t> places, uint32_t count) {
  for (size_t i = 0; i < places.size(); ++i) {
    if (places[i] < count && (i == 0 || places[i] > places[i - 1])) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("expected ascending places below ", count, ", found ", places[i]));
  }
  return absl::OkStatus();
}

ChosenLeaves GroupOf(const Layout& layout, const SlotSet& slots, std::vector<uint32_t> places) {
  SlotSet chosen = slots.AtPlaces(places);
  return {std::move(places), layout, std::move(chosen)};
}

absl::StatusOr<ChosenLeaves> Subtree(const Layout& layout, const SlotSet& slots,
                                     absl::string_view path) {
  LEAFSTORE_ASSIGN_OR_RETURN(const TreeDef def, layout.def());
  LEAFSTORE_ASSIGN_OR_RETURN(const NodeId node, def.Find(path));
  TreeDef::Cut cut = def.Subtree(def.Resolve(node));
  std::vector<uint32_t> places;
  std::vector<Slot> chosen;
  for (uint32_t leaf = 0; leaf < cut.leaves.size(); ++leaf) {
    const uint32_t place = slots.PlaceOf(cut.leaves[leaf]);
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

absl::StatusOr<ChosenLeaves> ChooseLeaves(const Layout& layout, const SlotSet& slots,
                                          const LoadOptions& options,
                                          const std::optional<SlotSet>& matched) {
  const int set = static_cast<int>(options.filter.has_value()) +
                  static_cast<int>(options.subtree.has_value()) +
                  static_cast<int>(options.places.has_value());
  if (set > 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected one of filter, subtree and places, found ", set));
  }
  if (options.subtree.has_value()) return Subtree(layout, slots, *options.subtree);
  if (options.places.has_value()) {
    LEAFSTORE_RETURN_IF_ERROR(CheckPlaces(*options.places, slots.size()));
    return GroupOf(layout, slots, *options.places);
  }
  if (matched.has_value()) {
    std::vector<uint32_t> places;
    places.reserve(matched->size());
    for (uint32_t i = 0; i < matched->size(); ++i) {
      places.push_back(slots.PlaceOf(matched->SlotAt(i)));
    }
    return ChosenLeaves{std::move(places), layout, *matched};
  }
  std::vector<uint32_t> all(slots.size());
  std::iota(all.begin(), all.end(), 0);
  return ChosenLeaves{std::move(all), layout, slots};
}

absl::StatusOr<uint32_t> GetPlace(const Layout& layout, const SlotSet& slots,
                                  absl::string_view path) {
  LEAFSTORE_ASSIGN_OR_RETURN(const Slot slot, GetSlot(layout, path));
  const uint32_t place = slots.PlaceOf(slot);
  if (place != kNoPlace) return place;
  return absl::NotFoundError(absl::StrCat("it was saved without '", path, "'"));
}

}  // namespace leafstore::internal
