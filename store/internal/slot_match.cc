#include "leafstore/store/internal/slot_match.h"

#include <cstdint>

#include "absl/status/statusor.h"

#include "leafstore/treedef/treedef.h"

namespace leafstore::internal {
namespace {

// Follows nodes of one tree, asked for in preorder, in another.
class SideBySide {
 public:
  SideBySide(const TreeDef& from, const TreeDef& to) : from_(from), to_(to) {
    open_.push_back({kRootNode, to.Resolve(kRootNode)});
  }

  // What is at the path of `node` in the other tree, or kNoNode.
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
  std::vector<Pair> open_;     // from the root to the last node asked for
  std::vector<NodeId> below_;  // nodes between that and the one asked for now, from below
};

}  // namespace

std::vector<Slot> SlotsIn(const Layout& layout, const Layout& from, const SlotSet& slots) {
  std::vector<Slot> found(slots.size(), kNoSlot);
  if (layout == from) {
    for (uint32_t place = 0; place < slots.size(); ++place) found[place] = slots.SlotAt(place);
    return found;
  }
  const absl::StatusOr<TreeDef> from_def = from.def();
  const absl::StatusOr<TreeDef> to_def = layout.def();
  if (!from_def.ok() || !to_def.ok()) {
    for (uint32_t place = 0; place < slots.size(); ++place) {
      found[place] = layout.SlotOf(from.PathText(slots.SlotAt(place)));
    }
    return found;
  }
  SideBySide walk(*from_def, *to_def);
  for (uint32_t place = 0; place < slots.size(); ++place) {
    const NodeId node = walk.Find(from_def->node_of_leaf(slots.SlotAt(place)));
    if (node != kNoNode && to_def->kind(node) == NodeKind::kLeaf) {
      found[place] = to_def->leaf_begin(node);
    }
  }
  return found;
}

}  // namespace leafstore::internal
