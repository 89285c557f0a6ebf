#include "leafstore/tools/source/row_order.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/ascii.h"

namespace leafstore::tools {
namespace {

bool IsDigits(const KeyRef& key) {
  if (key.kind == KeyKind::kIndex) return false;  // in order already
  const absl::string_view name = key.name;
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isdigit(static_cast<unsigned char>(c));
  });
}

// Compares texts of digits of any length by their numbers, and equal numbers by bytes.
bool IsLess(absl::string_view a, absl::string_view b) {
  const auto number = [](absl::string_view text) {
    return text.substr(std::min(text.find_first_not_of('0'), text.size()));
  };
  const absl::string_view x = number(a);
  const absl::string_view y = number(b);
  if (x.size() != y.size()) return x.size() < y.size();
  return x != y ? x < y : a < b;
}

// Returns the children of a node in natural order.
std::vector<NodeId> ChildrenOf(const TreeDef& def, NodeId node) {
  std::vector<NodeId> children;
  bool digits = true;
  for (NodeId child = def.first_child(node); child != def.end(node); child = def.end(child)) {
    children.push_back(child);
    digits = digits && IsDigits(def.key(child));
  }
  if (digits) {
    std::sort(children.begin(), children.end(),
              [&def](NodeId a, NodeId b) { return IsLess(def.key(a).name, def.key(b).name); });
  }
  return children;
}

}  // namespace

std::vector<NodeId> NodesInOrder(const TreeDef& def, RowOrder order) {
  std::vector<NodeId> nodes(def.node_count());
  std::iota(nodes.begin(), nodes.end(), kRootNode);
  if (order == RowOrder::kBytes) return nodes;
  // The subtrees that are still to be listed, the next one last.
  std::vector<NodeId> next = {kRootNode};
  for (NodeId& listed : nodes) {
    listed = next.back();
    next.pop_back();
    const std::vector<NodeId> children = ChildrenOf(def, listed);
    next.insert(next.end(), children.rbegin(), children.rend());
  }
  return nodes;
}

std::vector<uint32_t> RanksOfPlaces(const SourceItem& item, RowOrder order) {
  std::vector<uint32_t> ranks(item.size());
  std::iota(ranks.begin(), ranks.end(), 0);
  const absl::StatusOr<TreeDef> def = item.layout.def();
  if (order == RowOrder::kBytes || !def.ok()) return ranks;
  uint32_t rank = 0;
  for (const NodeId node : NodesInOrder(*def, order)) {
    if (def->kind(node) != NodeKind::kLeaf) continue;
    const uint32_t place = item.slots.PlaceOf(def->leaf_begin(node));
    if (place != kNoPlace) ranks[place] = rank++;
  }
  return ranks;
}

}  // namespace leafstore::tools
