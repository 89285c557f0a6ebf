#include "leafstore/tools/commands/leaf_choice.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/select/glob.h"
#include "leafstore/tools/commands/command.h"
#include "leafstore/tools/commands/match_check.h"
#include "leafstore/tools/present/text.h"
#include "leafstore/tools/source/item_rows.h"

namespace leafstore::tools {
namespace {

void AddPlace(const SourceItem& item, Slot slot, std::vector<uint32_t>* places) {
  const uint32_t place = item.slots().PlaceOf(slot);
  if (place != kNoPlace) places->push_back(place);
}

// The leaves at and below a node.
void AddBelow(const SourceItem& item, const TreeDef& def, NodeId node,
              std::vector<uint32_t>* places) {
  node = def.Resolve(node);
  const uint32_t end = def.leaf_begin(def.end(node));
  for (uint32_t leaf = def.leaf_begin(node); leaf < end; ++leaf) AddPlace(item, leaf, places);
}

std::vector<uint32_t> PlacesIn(const SourceItem& item, const std::string& text) {
  std::vector<uint32_t> places;
  if (const std::optional<Slot> slot = item.layout().Find(text)) {
    AddPlace(item, *slot, &places);
    return places;
  }
  if (const absl::StatusOr<Slot> slot = item.layout().FindDotted(text); slot.ok()) {
    AddPlace(item, *slot, &places);
    return places;
  }
  if (const absl::StatusOr<TreeDef> def = item.layout().def(); def.ok()) {
    if (const absl::StatusOr<NodeId> node = def->Find(text); node.ok()) {
      AddBelow(item, *def, *node, &places);
      return places;
    }
  }
  absl::StatusOr<GlobPattern> glob = GlobPattern::Parse(text);
  if (!glob.ok()) return places;
  const absl::StatusOr<ItemRows> rows = ItemRows::Create(item, {{*std::move(glob)}, std::nullopt});
  if (!rows.ok()) return places;
  places = rows->places();
  // An alias that is asked for by its own name is its owner.
  for (const Row& row : rows->rows()) {
    if (places.empty() && row.kind == Row::kAlias) AddBelow(item, *rows->def(), row.node, &places);
  }
  return places;
}

void FindIn(absl::Span<const SourceItem* const> items, const std::string& text,
            const std::optional<Slice>& slice, std::vector<ChosenLeaf>* leaves) {
  for (const SourceItem* item : items) {
    for (const uint32_t place : PlacesIn(*item, text)) leaves->push_back({item, place, slice});
  }
}

absl::Status NotThere(absl::Span<const SourceItem* const> items, const std::string& text) {
  std::string why = absl::StrCat("no leaf '", text, "'");
  const absl::StatusOr<GlobPattern> glob = GlobPattern::Parse(text);
  if (glob.ok() && !glob->wildcards().empty()) {
    return UsageError(
        absl::StrCat("'", text, "' is a glob that takes no leaf", NearGlob(items, *glob)));
  }
  if (!glob.ok() && absl::StrContains(text, "..")) {
    return UsageError(absl::StrCat(why, ": ", glob.status().message()));
  }
  if (items.size() != 1) {
    const bool is_item = std::any_of(items.begin(), items.end(), [&text](const SourceItem* item) {
      return item->name() == text;
    });
    return UsageError(absl::StrCat(why, " in any of ", items.size(), " items",
                                   is_item     ? "; an item is called so: --item shows it"
                                   : glob.ok() ? NearGlob(items, *glob)
                                               : ""));
  }
  const bool canonical = absl::StartsWith(text, ".") || absl::StartsWith(text, "[");
  const absl::Status status = canonical ? items[0]->layout().Get(text).status()
                                        : items[0]->layout().FindDotted(text).status();
  return UsageError(status.ok() ? absl::StrCat(why, " in this part of the structure")
                                : std::string(status.message()));
}

}  // namespace

absl::StatusOr<std::vector<ChosenLeaf>> FindLeaves(absl::Span<const SourceItem* const> items,
                                                   const std::string& text) {
  if (text.empty())
    return UsageError("expected a path, found ''; without any, all leaves are meant");
  std::vector<ChosenLeaf> leaves;
  FindIn(items, text, std::nullopt, &leaves);
  if (!leaves.empty()) return leaves;
  const size_t open = text.rfind('[');
  if (open == std::string::npos || open == 0 || text.back() != ']') return NotThere(items, text);
  absl::StatusOr<Slice> slice =
      Slice::Parse(absl::string_view(text).substr(open + 1, text.size() - open - 2));
  const std::string path = text.substr(0, open);
  FindIn(items, path, std::nullopt, &leaves);
  if (leaves.empty()) return NotThere(items, path);
  if (!slice.ok()) return UsageError(absl::StrCat("'", text, "': ", slice.status().message()));
  for (ChosenLeaf& leaf : leaves) leaf.slice = *slice;
  return leaves;
}

absl::Status KeepMatched(const std::vector<GlobPattern>& match, std::vector<ChosenLeaf>* leaves) {
  if (match.empty()) return absl::OkStatus();
  std::map<const SourceItem*, std::vector<uint32_t>> matched;
  const auto is_matched = [&](const ChosenLeaf& leaf) {
    auto at = matched.find(leaf.item);
    if (at == matched.end()) {
      const absl::StatusOr<ItemRows> rows = ItemRows::Create(*leaf.item, {match, std::nullopt});
      at = matched.emplace(leaf.item, rows.ok() ? rows->places() : std::vector<uint32_t>()).first;
    }
    return std::binary_search(at->second.begin(), at->second.end(), leaf.place);
  };
  leaves->erase(std::remove_if(leaves->begin(), leaves->end(),
                               [&](const ChosenLeaf& leaf) { return !is_matched(leaf); }),
                leaves->end());
  if (!leaves->empty()) return absl::OkStatus();
  return UsageError("--match takes none of the leaves that are named");
}

std::string PrintableName(const ChosenLeaf& leaf) {
  return PrintablePath(leaf.item->layout().PathOf(leaf.item->slots().SlotAt(leaf.place)));
}

}  // namespace leafstore::tools
