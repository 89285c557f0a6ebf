#include "leafstore/tools/commands/choose_leaves.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/tools/present/errors.h"
#include "leafstore/treedef/internal/path_cursor.h"

namespace leafstore::tools {
namespace {

// Returns the places of the leaves at and below a node.
std::vector<uint32_t> PlacesBelow(const SourceItem& item, const TreeDef& def, NodeId node) {
  node = def.Resolve(node);
  std::vector<uint32_t> places;
  const uint32_t end = def.leaf_begin(def.end(node));
  for (uint32_t leaf = def.leaf_begin(node); leaf < end; ++leaf) {
    if (item.slots.Contains(leaf)) places.push_back(item.slots.PlaceOf(leaf));
  }
  return places;
}

// Returns the places of the leaves whose names are printed like `text`, with quotes because of
// characters that a terminal cannot show.
std::vector<uint32_t> PlacesShownAs(const SourceItem& item, absl::string_view text) {
  std::vector<uint32_t> places;
  if (!absl::StrContains(text, '\'')) return places;
  for (uint32_t place = 0; place < item.size(); ++place) {
    if (item.PrintablePath(place) == text) places.push_back(place);
  }
  return places;
}

std::vector<uint32_t> PlacesIn(const SourceItem& item, const std::string& text) {
  std::optional<Slot> slot = item.layout.Find(text);
  if (!slot) {
    if (const absl::StatusOr<Slot> dotted = item.layout.GetDotted(text); dotted.ok()) {
      slot = *dotted;
    }
  }
  if (slot) {
    if (!item.slots.Contains(*slot)) return {};
    return {item.slots.PlaceOf(*slot)};
  }
  if (const absl::StatusOr<TreeDef> def = item.layout.def(); def.ok()) {
    const absl::StatusOr<NodeId> node = def->Find(text);
    if (node.ok()) return PlacesBelow(item, *def, *node);
  }
  if (const std::vector<uint32_t> quoted = PlacesShownAs(item, text); quoted.size() == 1) {
    return quoted;
  }
  absl::StatusOr<internal::GlobPattern> glob = internal::GlobPattern::Parse(text);
  if (!glob.ok()) return {};
  const ItemRows rows(item, {*std::move(glob)});
  // If only aliases match, the first selects its owner.
  if (rows.places().empty() && !rows.rows().empty()) {
    return PlacesBelow(item, *rows.def(), rows.rows()[0].node);
  }
  return rows.places();
}

std::vector<ChosenLeaf> FindIn(const SourceItems& items, const std::string& text) {
  std::vector<ChosenLeaf> leaves;
  for (const SourceItem* item : items) {
    for (const uint32_t place : PlacesIn(*item, text)) leaves.push_back({item, place, {}});
  }
  return leaves;
}

absl::Status NotFound(const SourceItems& items, const std::string& text) {
  for (const SourceItem* item : items) {
    for (const UnreadableLeaf& one : item->unreadable) {
      if (one.name != text) continue;
      return absl::UnimplementedError(
          absl::StrCat(item->file, ": '", one.name, "' is not readable: ", one.what));
    }
  }
  const std::string why = absl::StrCat("no leaf '", text, "'");
  const absl::StatusOr<internal::GlobPattern> glob = internal::GlobPattern::Parse(text);
  if (glob.ok() && !glob->wildcards().empty()) {
    return UsageError("'", text, "' is a glob that matches no leaf", NearGlob(items, *glob));
  }
  if (!glob.ok() && absl::StrContains(text, "..")) {
    return UsageError(why, ": ", glob.status().message());
  }
  if (items.size() != 1) {
    const bool is_item = std::any_of(
        items.begin(), items.end(), [&text](const SourceItem* item) { return item->name == text; });
    return UsageError(why, " in any of ", items.size(), " items",
                      is_item     ? "; there is an item with this name: --item selects it"
                      : glob.ok() ? NearGlob(items, *glob)
                                  : "");
  }
  const bool canonical = absl::StartsWith(text, ".") || absl::StartsWith(text, "[");
  const absl::Status status =
      canonical ? items[0]->layout.Get(text).status() : items[0]->layout.GetDotted(text).status();
  if (status.ok()) return UsageError(why, " in this part of the structure");
  return UsageError(status.message());
}

absl::StatusOr<std::vector<ChosenLeaf>> FindLeaves(const SourceItems& items,
                                                   const std::string& text) {
  if (text.empty()) {
    return UsageError(
        "expected a path, found ''; without any path, all leaves are shown; the empty name is "
        "\"''\"");
  }
  std::vector<ChosenLeaf> leaves = FindIn(items, text);
  if (!leaves.empty()) return leaves;
  const size_t open = text.rfind('[');
  if (open == std::string::npos || open == 0 || text.back() != ']') return NotFound(items, text);
  absl::StatusOr<Slice> slice =
      Slice::Parse(absl::string_view(text).substr(open + 1, text.size() - open - 2));
  const std::string path = text.substr(0, open);
  leaves = FindIn(items, path);
  if (leaves.empty()) return NotFound(items, slice.ok() ? path : text);
  if (!slice.ok()) return UsageError("'", text, "': ", slice.status().message());
  const auto shared = std::make_shared<const Slice>(*std::move(slice));
  for (ChosenLeaf& leaf : leaves) leaf.slice = shared;
  return leaves;
}

// Keeps only the leaves that --match matches; all without it.
absl::Status KeepMatched(const Input& input, std::vector<ChosenLeaf>* leaves) {
  if (input.match.empty()) return absl::OkStatus();
  std::map<const SourceItem*, std::vector<uint32_t>> matched;
  for (const ChosenLeaf& leaf : *leaves) {
    const auto [at, is_new] = matched.try_emplace(leaf.item);
    if (is_new) at->second = ItemRows(*leaf.item, input.match).places();
  }
  std::erase_if(*leaves, [&matched](const ChosenLeaf& leaf) {
    const std::vector<uint32_t>& places = matched[leaf.item];
    return !std::binary_search(places.begin(), places.end(), leaf.place);
  });
  return leaves->empty() ? UsageError("--match matches none of the named leaves")
                         : absl::OkStatus();
}

// Sorts the leaves that one path selects, item by item. Keeps the ranks of each item in `*ranks`.
void SortRows(RowOrder order, std::map<const SourceItem*, std::vector<uint32_t>>* ranks,
              std::vector<ChosenLeaf>* leaves) {
  for (auto begin = leaves->begin(); begin != leaves->end();) {
    const SourceItem* const item = begin->item;
    const auto end = std::find_if(begin, leaves->end(),
                                  [item](const ChosenLeaf& leaf) { return leaf.item != item; });
    if (end - begin > 1) {
      const auto [at, is_new] = ranks->try_emplace(item);
      if (is_new) at->second = RanksOfPlaces(*item, order);
      std::sort(begin, end, [&rank = at->second](const ChosenLeaf& a, const ChosenLeaf& b) {
        return rank[a.place] < rank[b.place];
      });
    }
    begin = end;
  }
}

}  // namespace

absl::StatusOr<std::vector<ChosenLeaf>> ChooseLeaves(const Input& input,
                                                     const std::vector<std::string>& paths,
                                                     absl::string_view no_slice) {
  std::map<const SourceItem*, std::vector<uint32_t>> ranks;
  std::vector<ChosenLeaf> leaves;
  for (const SourceItem* item : input.items) {
    if (!paths.empty()) break;
    for (uint32_t place = 0; place < item->size(); ++place) leaves.push_back({item, place, {}});
  }
  SortRows(input.order, &ranks, &leaves);
  for (const std::string& path : paths) {
    LEAFSTORE_ASSIGN_OR_RETURN(auto found, FindLeaves(input.items, path));
    SortRows(input.order, &ranks, &found);
    if (found[0].slice && !no_slice.empty()) return UsageError("'", path, "': ", no_slice);
    leaves.insert(leaves.end(), found.begin(), found.end());
  }
  LEAFSTORE_RETURN_IF_ERROR(KeepMatched(input, &leaves));
  return leaves;
}

absl::Status CheckPathText(const std::vector<ChosenLeaf>& leaves) {
  internal::TextBudget budget(leaves.size());
  const SourceItem* item = nullptr;
  std::vector<uint64_t> sizes;  // of its nodes; empty if its paths are stored one by one
  TreeDef def;
  for (const ChosenLeaf& leaf : leaves) {
    if (leaf.item != item) {
      item = leaf.item;
      sizes.clear();
      if (item->layout.has_def()) {
        def = item->layout.def().value();
        sizes = internal::PathTextSizes(def);
      }
    }
    if (sizes.empty()) continue;
    LEAFSTORE_RETURN_IF_ERROR(
        FileError(item->file, budget.Spend(sizes[def.node_of_leaf(leaf.slot())])));
  }
  return absl::OkStatus();
}

std::string PrintableName(const ChosenLeaf& leaf) { return leaf.item->PrintablePath(leaf.place); }

}  // namespace leafstore::tools
