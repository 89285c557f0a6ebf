#include "leafstore/tools/source/model.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/tools/present/errors.h"
#include "leafstore/tools/present/progress.h"
#include "leafstore/tools/source/item_rows.h"
#include "leafstore/tools/source/leaf_batch.h"

namespace leafstore::tools {
namespace {

int64_t TensorBytes(const SourceItem& item) {
  Totals totals;
  for (uint32_t place = 0; place < item.size(); ++place) totals.Add(item.entry(place));
  return totals.bytes;
}

// Returns the places to load, ascending.
absl::StatusOr<std::vector<uint32_t>> PlacesOf(const SourceItem& item,
                                               const std::vector<internal::GlobPattern>& match) {
  LEAFSTORE_ASSIGN_OR_RETURN(const ItemRows rows, ItemRows::Create(item, {match, std::nullopt}));
  return rows.places();
}

absl::StatusOr<ModelItem> LoadItem(const SourceItem& item,
                                   const std::vector<internal::GlobPattern>& match,
                                   Progress* progress) {
  ModelItem loaded;
  loaded.name = item.name();
  LEAFSTORE_ASSIGN_OR_RETURN(loaded.options, item.SavedWith());
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<uint32_t> places, PlacesOf(item, match));
  std::vector<Leaf> leaves;
  leaves.reserve(places.size());
  LEAFSTORE_RETURN_IF_ERROR(
      ForEachBatch(item, places, progress, [&leaves](const ParamStore& batch) {
        leaves.insert(leaves.end(), batch.leaves().begin(), batch.leaves().end());
        return absl::OkStatus();
      }));
  loaded.store =
      ParamStore::FromParts(item.layout(), item.slots().AtPlaces(places), std::move(leaves));
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
    Note(absl::StrCat(source.file, ": warning: ", what,
                      "; it is written unchanged (--no-verify), and the copy will look intact"));
  }
  return absl::OkStatus();
}

absl::StatusOr<Model> LoadModel(const Source& source, absl::Span<const SourceItem* const> items,
                                const std::vector<internal::GlobPattern>& match) {
  Model model;
  if (source.format == SourceFormat::kLeaf) model.metadata = source.metadata;
  model.metrics = source.metrics;
  int64_t total = 0;
  for (const SourceItem* item : items) total += TensorBytes(*item);
  Progress progress("reading", total);
  for (const SourceItem* item : items) {
    if (!source.verifies) {
      LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<uint32_t> places, PlacesOf(*item, match));
      LEAFSTORE_RETURN_IF_ERROR(NoteDamage(source, *item, places));
    }
    absl::StatusOr<ModelItem> one = LoadItem(*item, match, &progress);
    if (!one.ok()) return FileError(source.file, one.status());
    model.items.push_back(*std::move(one));
  }
  return model;
}

}  // namespace leafstore::tools
