#include "leafstore/tools/commands/load_model.h"

#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/tools/commands/input.h"
#include "leafstore/tools/present/errors.h"
#include "leafstore/tools/present/text.h"

namespace leafstore::tools {
namespace {

// Returns the leaves that are not readable, and that a glob matches. See LoadModel.
absl::StatusOr<std::vector<UnreadableLeaf>> LeftOut(const Source& source, const SourceItems& items,
                                                    bool skip_unreadable, const Globs& match) {
  std::vector<UnreadableLeaf> left_out;
  for (const SourceItem* item : items) {
    for (const UnreadableLeaf& one : item->unreadable) {
      if (match.empty() || MatchesName(match, one.name)) left_out.push_back(one);
    }
  }
  if (left_out.empty()) return left_out;
  const std::string what = CountOf(static_cast<int64_t>(left_out.size()), "leaf is", "leaves are");
  if (!skip_unreadable) {
    return UsageError(source.file, ": ", what, " not readable, such as '", left_out[0].name, "' (",
                      left_out[0].what, "); --skip-unreadable leaves such leaves out");
  }
  Note(source.file, ": note: ", what, " left out (--skip-unreadable)");
  return left_out;
}

// Returns the tensors that an index does not list, and that a glob matches, with a note.
std::vector<UnreadableLeaf> Unlisted(const Source& source, const SourceItems& items,
                                     const Globs& match) {
  std::vector<UnreadableLeaf> unlisted;
  for (const SourceItem* item : items) {
    for (const UnreadableLeaf& one : item->unlisted) {
      if (match.empty() || MatchesName(match, one.name)) unlisted.push_back(one);
    }
  }
  if (unlisted.empty()) return unlisted;
  Note(source.file,
       ": note: ", CountOf(static_cast<int64_t>(unlisted.size()), "tensor is", "tensors are"),
       " left out, such as '", unlisted[0].name, "': the index does not list it");
  return unlisted;
}

absl::StatusOr<ModelItem> LoadItem(const ItemRows& rows, Progress* progress) {
  const SourceItem& item = rows.item();
  ModelItem loaded;
  loaded.name = item.name;
  loaded.options = {item.grouping, item.metadata};
  if (item.save_options) {
    LEAFSTORE_ASSIGN_OR_RETURN(loaded.options, item.save_options());
  }
  std::vector<Leaf> leaves(rows.places().size());
  LEAFSTORE_RETURN_IF_ERROR(ForEachLeaf({{&item, rows.places()}}, /*threads=*/1, progress,
                                        [&](size_t i, absl::Span<const Leaf> found) {
                                          leaves[i] = found[0];
                                          return absl::OkStatus();
                                        }));
  loaded.store =
      ParamStore::FromParts(item.layout, item.slots.AtPlaces(rows.places()), std::move(leaves));
  return loaded;
}

}  // namespace

absl::Status NoteDamage(const Source& source, const std::vector<ItemPlaces>& items) {
  if (!source.has_checksums()) return absl::OkStatus();
  LEAFSTORE_ASSIGN_OR_RETURN(const SourcePtr verifying, OpenSource({.name = source.file}));
  for (const auto& [item, places] : items) {
    LEAFSTORE_ASSIGN_OR_RETURN(const SourceItem* verified, verifying->item(item->name));
    for (const uint32_t place : places) {
      const absl::Status status = verified->load(std::vector{place}).status();
      if (!absl::IsDataLoss(status)) continue;
      absl::string_view what = status.message();
      absl::ConsumePrefix(&what, absl::StrCat(source.file, ": "));
      Note(source.file, ": warning: ", what,
           "; it is written unchanged (--no-verify), and the copy will look intact");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Model> LoadModel(const Source& source, const SourceItems& items,
                                bool skip_unreadable, const Globs& match) {
  Model model;
  LEAFSTORE_ASSIGN_OR_RETURN(model.left_out, LeftOut(source, items, skip_unreadable, match));
  std::vector<UnreadableLeaf> unlisted = Unlisted(source, items, match);
  model.left_out.insert(model.left_out.end(), std::make_move_iterator(unlisted.begin()),
                        std::make_move_iterator(unlisted.end()));
  model.notes = source.notes;
  if (source.format == SourceFormat::kLeaf) model.metadata = source.metadata;
  model.metrics = source.metrics;
  std::vector<ItemRows> rows;
  int64_t total = 0;
  for (const SourceItem* item : items) {
    total += rows.emplace_back(*item, match).ListedTotals().bytes;
  }
  if (!source.verifies) {
    std::vector<ItemPlaces> places;
    for (const ItemRows& one : rows) places.push_back({&one.item(), one.places()});
    LEAFSTORE_RETURN_IF_ERROR(NoteDamage(source, places));
  }
  Progress progress("reading", total);
  for (const ItemRows& one : rows) {
    LEAFSTORE_ASSIGN_OR_RETURN(ModelItem item, FileError(source.file, LoadItem(one, &progress)));
    model.items.push_back(std::move(item));
  }
  return model;
}

}  // namespace leafstore::tools
