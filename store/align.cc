#include "leafstore/store/align.h"

#include <algorithm>
#include <cstddef>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "leafstore/core/path.h"
#include "leafstore/treedef/treedef.h"

namespace leafstore {
namespace {

// Finds nodes of one tree, requested in preorder, in another.
class SideBySide {
 public:
  SideBySide(const TreeDef& from, const TreeDef& to) : from_(from), to_(to) {
    open_.push_back({kRootNode, to.Resolve(kRootNode)});
  }

  // Returns the node of the other tree at the path of `node`, or kNoNode.
  NodeId Find(NodeId node) {
    while (from_.end(open_.back().from) <= node) open_.pop_back();
    below_.clear();
    for (NodeId at = node; at != open_.back().from; at = from_.parent(at)) below_.push_back(at);
    for (; !below_.empty(); below_.pop_back()) {
      const NodeId above = open_.back().to;
      const NodeId at = above == kNoNode ? kNoNode : to_.FindChild(above, from_.key(below_.back()));
      open_.push_back({below_.back(), at == kNoNode ? kNoNode : to_.Resolve(at)});
    }
    return open_.back().to;
  }

 private:
  struct Pair {
    NodeId from;
    NodeId to;  // never an alias
  };

  const TreeDef& from_;
  const TreeDef& to_;
  std::vector<Pair> open_;     // from the root to the last node requested
  std::vector<NodeId> below_;  // nodes between that and the current one, deepest first
};

// These functions return, by place of `from`, the place in `to`.

std::vector<uint32_t> BySlot(const SlotSet& from, const SlotSet& to) {
  std::vector<uint32_t> places(from.size());
  for (uint32_t place = 0; place < places.size(); ++place) places[place] = from.SlotAt(place);
  if (to.is_all()) return places;
  for (uint32_t& place : places) place = to.PlaceOf(place);
  return places;
}

std::vector<uint32_t> ByText(const LeafSpecs& from, const LeafSpecs& to) {
  std::vector<uint32_t> places(from.size());
  const auto match = [&](uint32_t place, absl::string_view path) {
    places[place] = to.slots().PlaceOf(to.layout().SlotOf(path));
  };
  if (from.layout().ForEachPath(from.slots(), PathForm::kCanonical, match).ok()) return places;
  // The paths of `from` are too long to have all their texts in memory. Those of `to` are not,
  // because they are stored as texts.
  std::fill(places.begin(), places.end(), kNoPlace);
  to.layout()
      .ForEachPath(to.slots(), PathForm::kCanonical,
                   [&](uint32_t place, absl::string_view path) {
                     const Slot slot = from.layout().SlotOf(path);
                     const uint32_t found = from.slots().PlaceOf(slot);
                     // Not by an alias.
                     if (found != kNoPlace && from.layout().PathText(slot) == path) {
                       places[found] = place;
                     }
                   })
      .IgnoreError();
  return places;
}

std::vector<uint32_t> ByPath(const LeafSpecs& from, const LeafSpecs& to) {
  if (from.layout() == to.layout()) return BySlot(from.slots(), to.slots());
  const absl::StatusOr<TreeDef> from_def = from.layout().def();
  const absl::StatusOr<TreeDef> to_def = to.layout().def();
  if (!from_def.ok() || !to_def.ok()) return ByText(from, to);
  std::vector<uint32_t> places(from.size(), kNoPlace);
  SideBySide walk(*from_def, *to_def);
  for (uint32_t place = 0; place < places.size(); ++place) {
    const NodeId node = walk.Find(from_def->node_of_leaf(from.slot(place)));
    if (node != kNoNode && to_def->kind(node) == NodeKind::kLeaf) {
      places[place] = to.slots().PlaceOf(to_def->leaf_begin(node));
    }
  }
  return places;
}

// Matches by dotted form those leaves that have no match in `*places`.
std::vector<Alignment::Conflict> MatchDotted(const LeafSpecs& from, const LeafSpecs& to,
                                             absl::Span<const std::string> names,
                                             std::vector<uint32_t>* places) {
  constexpr size_t kMaxText = size_t{1} << 26;
  std::vector<Alignment::Conflict> ambiguous;
  size_t text = 0;
  for (uint32_t place = 0; place < places->size() && text < kMaxText; ++place) {
    if ((*places)[place] != kNoPlace) continue;
    const absl::StatusOr<Path> path =
        names.empty() ? from.layout().PathOf(from.slot(place)) : Path::Parse(names[place]);
    if (!path.ok()) continue;
    const std::string dotted = path->Dotted();
    text += dotted.size();
    uint32_t second = kNoPlace;
    for (const Slot slot : to.layout().SlotsOfDotted(dotted)) {
      const uint32_t found = to.slots().PlaceOf(slot);
      if (found == kNoPlace || found == (*places)[place]) continue;
      ((*places)[place] == kNoPlace ? (*places)[place] : second) = found;
    }
    if (second == kNoPlace) continue;
    ambiguous.push_back({place, (*places)[place], second});
    (*places)[place] = kNoPlace;
  }
  return ambiguous;
}

}  // namespace

Alignment Align(const LeafSpecs& from, const LeafSpecs& to, AlignBy by,
                absl::Span<const std::string> names) {
  Alignment alignment;
  alignment.to_size_ = to.size();
  alignment.by_slot_ = by == AlignBy::kPath && names.empty() && from.layout() == to.layout();
  if (names.empty()) alignment.places_ = ByPath(from, to);
  for (const std::string& name : names) {
    alignment.places_.push_back(to.slots().PlaceOf(to.layout().SlotOf(name)));
  }
  if (by == AlignBy::kDotted) {
    alignment.ambiguous_ = MatchDotted(from, to, names, &alignment.places_);
  }
  return alignment;
}

std::vector<uint32_t> Alignment::Sources() const {
  std::vector<uint32_t> sources(to_size_, kNoPlace);
  for (uint32_t from = 0; from < places_.size(); ++from) {
    if (places_[from] != kNoPlace && sources[places_[from]] == kNoPlace) {
      sources[places_[from]] = from;
    }
  }
  return sources;
}

std::vector<uint32_t> Alignment::Unexpected() const {
  std::vector<uint32_t> unexpected;
  auto ambiguity = ambiguous_.begin();
  for (uint32_t from = 0; from < places_.size(); ++from) {
    if (ambiguity != ambiguous_.end() && ambiguity->place == from) {
      ++ambiguity;
    } else if (places_[from] == kNoPlace) {
      unexpected.push_back(from);
    }
  }
  return unexpected;
}

std::vector<uint32_t> Alignment::Missing() const {
  std::vector<uint32_t> missing;
  const std::vector<uint32_t> sources = Sources();
  for (uint32_t to = 0; to < sources.size(); ++to) {
    if (sources[to] == kNoPlace) missing.push_back(to);
  }
  return missing;
}

std::vector<Alignment::Conflict> Alignment::Collisions() const {
  std::vector<Conflict> collisions;
  if (by_slot_) return collisions;
  const std::vector<uint32_t> sources = Sources();
  for (uint32_t from = 0; from < places_.size(); ++from) {
    const uint32_t to = places_[from];
    if (to != kNoPlace && sources[to] != from) collisions.push_back({to, sources[to], from});
  }
  std::stable_sort(collisions.begin(), collisions.end(),
                   [](const Conflict& a, const Conflict& b) { return a.place < b.place; });
  return collisions;
}

}  // namespace leafstore
