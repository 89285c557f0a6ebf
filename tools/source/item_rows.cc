#include "leafstore/tools/source/item_rows.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"

#include "leafstore/core/shape.h"
#include "leafstore/core/status_macros.h"
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
std::vector<bool> MatchNodes(const TreeDef& def, const std::vector<internal::GlobPattern>& match) {
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

bool MatchesPath(const std::vector<internal::GlobPattern>& match, const Path& path) {
  return match.empty() ||
         std::any_of(match.begin(), match.end(), [&path](const internal::GlobPattern& glob) {
           return glob.MatchesAtOrAbove(path);
         });
}

std::string JoinKeys(const std::vector<KeyRef>& keys_from_last) {
  std::string text;
  for (auto key = keys_from_last.rbegin(); key != keys_from_last.rend(); ++key) {
    absl::StrAppend(&text, text.empty() ? "" : ".", PrintableKey(*key));
  }
  return text.empty() ? "(root)" : text;
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

absl::StatusOr<ItemRows> ItemRows::Create(const SourceItem& item, const RowOptions& options) {
  ItemRows rows(item);
  absl::StatusOr<TreeDef> def = item.layout().def();
  if (def.ok()) {
    rows.def_ = *std::move(def);
    rows.ListTree(options);
    if (options.containers) rows.AddContainers(options);
    return rows;
  }
  if (options.depth || options.containers) {
    return absl::InvalidArgumentError(
        absl::StrCat(options.containers ? "" : "--depth: ", "item '", item.name(),
                     "' has paths that do not form a tree: ", def.status().message()));
  }
  rows.ListPaths(options.match);
  return rows;
}

void ItemRows::ListTree(const RowOptions& options) {
  const std::vector<bool> matched = MatchNodes(*def_, options.match);
  places_.reserve(item_->size());
  const std::optional<uint32_t> depth = options.containers ? std::nullopt : options.depth;
  std::vector<uint32_t> depths(depth ? def_->node_count() : 0);
  for (NodeId node = kRootNode; node < def_->node_count();) {
    bool roll_up = false;
    if (depth) {
      depths[node] = node == kRootNode ? 0 : depths[def_->parent(node)] + 1;
      roll_up = depths[node] >= *depth && IsContainer(def_->kind(node));
    }
    ListNode(node, roll_up, matched);
    node = roll_up ? def_->end(node) : node + 1;
  }
}

void ItemRows::ListNode(NodeId node, bool roll_up, const std::vector<bool>& matched) {
  Row row;
  row.node = node;
  row.begin = static_cast<uint32_t>(places_.size());
  if (roll_up) {
    row.kind = Row::kSubtree;
    const uint32_t end = def_->leaf_begin(def_->end(node));
    for (uint32_t leaf = def_->leaf_begin(node); leaf < end; ++leaf) {
      AddPlace(def_->node_of_leaf(leaf), matched);
    }
  } else if (def_->kind(node) == NodeKind::kLeaf) {
    AddPlace(node, matched);
  } else if (def_->kind(node) == NodeKind::kAlias && matched[node] &&
             HoldsAnyOf(def_->alias_target(node))) {
    row.kind = Row::kAlias;
  }
  row.end = static_cast<uint32_t>(places_.size());
  if (row.kind == Row::kAlias || row.end > row.begin) rows_.push_back(row);
}

void ItemRows::AddContainers(const RowOptions& options) {
  std::vector<bool> shown(def_->node_count());
  for (const Row& row : rows_) {
    for (NodeId node = row.node; node != kNoNode && !shown[node]; node = def_->parent(node)) {
      shown[node] = true;
    }
  }
  const bool complete = options.match.empty() && item_->slots().is_all();
  const auto place_of_leaf = [this](uint32_t leaf) {
    const auto at = std::partition_point(places_.begin(), places_.end(), [&](uint32_t place) {
      return item_->slots().SlotAt(place) < leaf;
    });
    return static_cast<uint32_t>(at - places_.begin());
  };
  rows_.clear();
  std::vector<uint32_t> depths(def_->node_count());
  for (NodeId node = kRootNode; node < def_->node_count(); ++node) {
    if (node != kRootNode) depths[node] = depths[def_->parent(node)] + 1;
    if (options.depth && depths[node] > *options.depth) continue;
    if (!shown[node] && !complete && node != kRootNode) continue;
    const NodeKind kind = def_->kind(node);
    const Row::Kind row = kind == NodeKind::kLeaf    ? Row::kLeaf
                          : kind == NodeKind::kAlias ? Row::kAlias
                                                     : Row::kSubtree;
    rows_.push_back({row, node, place_of_leaf(def_->leaf_begin(node)),
                     place_of_leaf(def_->leaf_begin(def_->end(node))), depths[node]});
  }
}

void ItemRows::AddPlace(NodeId node, const std::vector<bool>& matched) {
  const uint32_t place = item_->slots().PlaceOf(def_->leaf_begin(node));
  if (place != kNoPlace && matched[node]) places_.push_back(place);
}

bool ItemRows::HoldsAnyOf(NodeId node) const {
  if (item_->slots().is_all()) return true;
  const uint32_t end = def_->leaf_begin(def_->end(node));
  for (uint32_t leaf = def_->leaf_begin(node); leaf < end; ++leaf) {
    if (item_->slots().Contains(leaf)) return true;
  }
  return false;
}

void ItemRows::ListPaths(const std::vector<internal::GlobPattern>& match) {
  for (uint32_t place = 0; place < item_->size(); ++place) {
    if (!MatchesPath(match, item_->layout().PathOf(item_->slots().SlotAt(place)))) continue;
    const auto at = static_cast<uint32_t>(places_.size());
    rows_.push_back({Row::kLeaf, kNoNode, at, at + 1});
    places_.push_back(place);
  }
}

std::optional<EntryInfo> ItemRows::EntryOf(const Row& row) const {
  if (row.kind != Row::kLeaf || row.begin == row.end) return std::nullopt;
  return item_->entry(places_[row.begin]);
}

Totals ItemRows::TotalsOf(const Row& row) const {
  Totals totals;
  for (const uint32_t place : PlacesOf(row)) totals.Add(item_->entry(place));
  return totals;
}

Totals ItemRows::ListedTotals() const {
  Totals totals;
  for (const uint32_t place : places_) totals.Add(item_->entry(place));
  return totals;
}

Totals ItemRows::ItemTotals() const {
  Totals totals;
  for (uint32_t place = 0; place < item_->size(); ++place) totals.Add(item_->entry(place));
  return totals;
}

std::string ItemRows::PrintablePath(NodeId node) const {
  std::vector<KeyRef> keys;
  size_t size = 0;
  for (; node != kRootNode && size < kMaxShownPath; node = def_->parent(node)) {
    keys.push_back(def_->key(node));
    size += keys.back().name.size() + 1;
  }
  const std::string text = CutMiddle(JoinKeys(keys), kMaxShownPath);
  return node == kRootNode ? text : absl::StrCat("...", text);
}

std::string ItemRows::PrintablePath(const Row& row) const {
  if (def_) return PrintablePath(row.node);
  const Path path = item_->layout().PathOf(SlotOf(row));
  std::vector<KeyRef> keys;
  for (auto key = path.keys().rbegin(); key != path.keys().rend(); ++key) {
    keys.push_back(key->ref());
  }
  return CutMiddle(JoinKeys(keys), kMaxShownPath);
}

absl::StatusOr<std::string> ItemRows::PathText(const Row& row) const {
  if (def_) return def_->PathText(row.node);
  return item_->layout().PathText(SlotOf(row));
}

absl::Status ItemRows::CheckPathText() const {
  if (!def_) return absl::OkStatus();  // such paths are stored one by one in the file
  const std::vector<uint64_t> sizes = internal::PathTextSizes(*def_);
  const uint64_t most = internal::MaxTotalText(rows_.size());
  uint64_t total = 0;
  for (const Row& row : rows_) {
    total += sizes[row.node];
    if (total <= most) continue;
    return absl::ResourceExhaustedError(
        absl::StrCat("expected paths of at most ", most, " bytes together, for ", rows_.size(),
                     " rows, found more; --depth or --match shows less"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> ItemRows::Dotted(const Row& row) const {
  if (def_) return def_->Dotted(row.node);
  return item_->layout().Dotted(SlotOf(row));
}

}  // namespace leafstore::tools
