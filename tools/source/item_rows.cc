#include "leafstore/tools/source/item_rows.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"

#include "leafstore/core/error_reason.h"
#include "leafstore/select/internal/glob_walk.h"
#include "leafstore/tools/present/text.h"
#include "leafstore/treedef/internal/path_cursor.h"

namespace leafstore::tools {
namespace {

int64_t SaturatingAdd(int64_t a, int64_t b) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  return a > kMax - b ? kMax : a + b;
}

// Returns, for each node, whether a glob matches it or a node above it.
std::vector<bool> MatchNodes(const TreeDef& def, const Globs& match) {
  std::vector<bool> matched(def.node_count(), match.empty());
  if (match.empty()) return matched;
  internal::GlobWalk walk(def);
  for (const internal::GlobPattern& glob : match) walk.Add(glob);
  std::vector<uint32_t> depths(def.node_count());
  for (NodeId node = kRootNode; node < def.node_count(); ++node) {
    if (node != kRootNode) {
      if (matched[def.parent(node)]) {
        matched[node] = true;
        continue;
      }
      depths[node] = depths[def.parent(node)] + 1;
    }
    walk.Enter(node, depths[node]);
    for (size_t glob = 0; glob < match.size() && !matched[node]; ++glob) {
      matched[node] = walk.Accepts(glob);
    }
  }
  return matched;
}

// Returns the end of a path if all of it is longer than is shown.
std::string PrintablePathOf(const TreeDef& def, NodeId node) {
  if (node == kRootNode) return "(root)";
  std::string text;
  for (; node != kRootNode && text.size() < kMaxShownPath; node = def.parent(node)) {
    text = absl::StrCat(PrintableKey(def.key(node)), text.empty() ? "" : ".", text);
  }
  text = CutMiddle(text, kMaxShownPath);
  return node == kRootNode ? text : absl::StrCat("...", text);
}

}  // namespace

void Totals::Add(const EntryInfo& entry) {
  ++leaves;
  if (entry.value != nullptr) return;
  ++tensors;
  parameters = SaturatingAdd(parameters, ElementCount(entry.spec.shape()).value_or(0));
  bytes = SaturatingAdd(bytes, entry.spec.byte_size());
  stored = SaturatingAdd(stored, entry.stored_size);
}

ItemRows::ItemRows(const SourceItem& item, const RowOptions& options,
                   const absl::StatusOr<TreeDef>& def)
    : item_(&item) {
  if (def.ok()) {
    def_ = *def;
    has_def_ = true;
    ListTree(options);
  } else {
    ListPaths(options.match);
  }
}

ItemRows::ItemRows(const SourceItem& item, const Globs& match)
    : ItemRows(item, {match}, item.layout.def()) {}

absl::StatusOr<ItemRows> ItemRows::Create(const SourceItem& item, const RowOptions& options) {
  const absl::StatusOr<TreeDef> def = item.GetDef();
  if (!def.ok() && (options.depth || options.containers)) {
    return absl::InvalidArgumentError(
        absl::StrCat(options.containers ? "" : "--depth: ", def.status().message()));
  }
  return ItemRows(item, options, def);
}

void ItemRows::ListTree(const RowOptions& options) {
  const std::vector<bool> matched = MatchNodes(def_, options.match);
  const std::vector<NodeId> order = NodesInOrder(def_, options.order);
  // The counts of listed leaves, and of listed leaves and aliases, before each node of the order.
  std::vector<uint32_t> leaves(order.size() + 1);
  std::vector<uint32_t> entries(order.size() + 1);
  for (size_t at = 0; at < order.size(); ++at) {
    const NodeId node = order[at];
    const NodeKind kind = def_.kind(node);
    const uint32_t place = kind == NodeKind::kLeaf && matched[node]
                               ? item_->slots.PlaceOf(def_.leaf_begin(node))
                               : kNoPlace;
    if (place != kNoPlace) places_.push_back(place);
    const bool is_entry = place != kNoPlace || (kind == NodeKind::kAlias && matched[node] &&
                                                HoldsAnyOf(def_.alias_target(node)));
    leaves[at + 1] = static_cast<uint32_t>(places_.size());
    entries[at + 1] = entries[at] + (is_entry ? 1 : 0);
  }
  const bool complete = options.match.empty() && item_->slots.is_all();
  std::vector<uint32_t> depths(order.size());
  for (size_t at = 0; at < order.size();) {
    const NodeId node = order[at];
    if (node != kRootNode) depths[node] = depths[def_.parent(node)] + 1;
    const NodeKind kind = def_.kind(node);
    const size_t end = at + (def_.end(node) - node);
    const bool is_deepest = options.depth && depths[node] >= *options.depth && IsContainer(kind);
    const Row row = {kind == NodeKind::kLeaf    ? Row::kLeaf
                     : kind == NodeKind::kAlias ? Row::kAlias
                                                : Row::kSubtree,
                     node, leaves[at], leaves[end], depths[node]};
    bool listed = entries[end] > entries[at];
    if (row.kind == Row::kSubtree) {
      listed = options.containers ? listed || complete || node == kRootNode
                                  : is_deepest && row.end > row.begin;
    }
    if (listed) rows_.push_back(row);
    at = is_deepest ? end : at + 1;
  }
}

bool ItemRows::HoldsAnyOf(NodeId node) const {
  if (item_->slots.is_all()) return true;
  const uint32_t end = def_.leaf_begin(def_.end(node));
  for (uint32_t leaf = def_.leaf_begin(node); leaf < end; ++leaf) {
    if (item_->slots.Contains(leaf)) return true;
  }
  return false;
}

void ItemRows::ListPaths(const Globs& match) {
  for (uint32_t place = 0; place < item_->size(); ++place) {
    const auto matches = [path = item_->PathOf(place)](const internal::GlobPattern& glob) {
      return glob.Matches(path, /*or_above=*/true);
    };
    if (!match.empty() && std::none_of(match.begin(), match.end(), matches)) continue;
    const auto at = static_cast<uint32_t>(places_.size());
    rows_.push_back({Row::kLeaf, kNoNode, at, at + 1});
    places_.push_back(place);
  }
}

std::optional<EntryInfo> ItemRows::EntryOf(const Row& row) const {
  if (row.kind != Row::kLeaf || row.begin == row.end) return std::nullopt;
  return item_->entry(places_[row.begin]);
}

Totals ItemRows::SumOf(absl::Span<const uint32_t> places) const {
  Totals totals;
  for (const uint32_t place : places) totals.Add(item_->entry(place));
  return totals;
}

std::string SourceItem::PrintablePath(uint32_t place) const {
  const Slot slot = slots.SlotAt(place);
  if (!layout.has_def()) return tools::PrintablePath(layout.PathOf(slot));
  const TreeDef def = layout.def().value();
  return PrintablePathOf(def, def.node_of_leaf(slot));
}

std::string ItemRows::PrintablePath(NodeId node) const { return PrintablePathOf(def_, node); }

std::string ItemRows::PrintablePath(const Row& row) const {
  return has_def_ ? PrintablePath(row.node)
                  : tools::PrintablePath(item_->layout.PathOf(SlotOf(row)));
}

absl::StatusOr<std::string> ItemRows::PathText(const Row& row) const {
  if (has_def_) return def_.PathText(row.node);
  return item_->layout.PathText(SlotOf(row));
}

absl::Status ItemRows::CheckPathText() const {
  if (!has_def_) return absl::OkStatus();  // such paths are stored one by one in the file
  const std::vector<uint64_t> sizes = internal::PathTextSizes(def_);
  internal::TextBudget budget(rows_.size());
  absl::Status status;
  for (const Row& row : rows_) {
    status = budget.Spend(sizes[row.node]);
    if (!status.ok()) break;
  }
  if (status.ok()) return status;
  return WithMessage(status,
                     absl::StrCat(status.message(), "; select fewer with --depth or --match"));
}

absl::StatusOr<std::string> ItemRows::Dotted(const Row& row) const {
  if (has_def_) return def_.Dotted(row.node);
  return item_->layout.Dotted(SlotOf(row));
}

}  // namespace leafstore::tools
