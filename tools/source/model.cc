#include "leafstore/tools/source/model.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/tools/present/errors.h"
#include "leafstore/tools/source/for_each_leaf.h"
#include "leafstore/tools/source/item_rows.h"

namespace leafstore::tools {
namespace {

absl::StatusOr<ModelItem> LoadItem(const ItemRows& rows, Progress* progress) {
  const SourceItem& item = rows.item();
  ModelItem loaded;
  loaded.name = item.name();
  LEAFSTORE_ASSIGN_OR_RETURN(loaded.options, item.SavedWith());
  std::vector<Leaf> leaves(rows.places().size());
  LEAFSTORE_RETURN_IF_ERROR(ForEachLeaf({{&item, rows.places()}}, /*threads=*/1, progress,
                                        [&](size_t i, absl::Span<const Leaf> found) {
                                          leaves[i] = found[0];
                                          return absl::OkStatus();
                                        }));
  loaded.store =
      ParamStore::FromParts(item.layout(), item.slots().AtPlaces(rows.places()), std::move(leaves));
  return loaded;
}

}  // namespace

absl::Status NoteDamage(const Source& source, const SourceItem& item,
                        absl::Span<const uint32_t> places) {
  if (!item.has_checksums()) return absl::OkStatus();
  LEAFSTORE_ASSIGN_OR_RETURN(const SourcePtr verifying, OpenSource({.name = source.file}));
  LEAFSTORE_ASSIGN_OR_RETURN(const SourceItem* verified, verifying->item(item.name()));
  for (const uint32_t place : places) {
    const absl::Status status = verified->Load({place}).status();
    if (!absl::IsDataLoss(status)) continue;
    absl::string_view what = status.message();
    absl::ConsumePrefix(&what, absl::StrCat(source.file, ": "));
    Note(source.file, ": warning: ", what,
         "; it is written unchanged (--no-verify), and the copy will look intact");
  }
  return absl::OkStatus();
}

absl::StatusOr<Model> LoadModel(const Source& source, absl::Span<const SourceItem* const> items,
                                const std::vector<internal::GlobPattern>& match) {
  Model model;
  if (source.format == SourceFormat::kLeaf) model.metadata = source.metadata;
  model.metrics = source.metrics;
  std::vector<ItemRows> rows;
  int64_t total = 0;
  for (const SourceItem* item : items) {
    LEAFSTORE_ASSIGN_OR_RETURN(ItemRows listed, ItemRows::Create(*item, {match}));
    total += listed.ListedTotals().bytes;
    rows.push_back(std::move(listed));
  }
  Progress progress("reading", total);
  for (const ItemRows& one : rows) {
    if (!source.verifies) {
      LEAFSTORE_RETURN_IF_ERROR(NoteDamage(source, one.item(), one.places()));
    }
    LEAFSTORE_ASSIGN_OR_RETURN(ModelItem item, FileError(source.file, LoadItem(one, &progress)));
    model.items.push_back(std::move(item));
  }
  return model;
}

}  // namespace leafstore::tools
