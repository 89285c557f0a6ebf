#include "leafstore/checkpoint/reader.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"

#include "leafstore/checkpoint/internal/checkpoint_file.h"
#include "leafstore/checkpoint/internal/stored_leaves.h"
#include "leafstore/core/internal/suggest.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/core/value.h"

namespace leafstore {
namespace {

// Returns the parts of all item names that precede a slash.
std::vector<std::string> Prefixes(const Manifest& manifest) {
  std::vector<std::string> prefixes;
  for (const ManifestItem& item : manifest.items) {
    for (size_t at = item.name.find('/'); at != std::string::npos;
         at = item.name.find('/', at + 1)) {
      prefixes.push_back(item.name.substr(0, at));
    }
  }
  return prefixes;
}

absl::Status NoItemsUnder(const internal::CheckpointFile& file, absl::string_view prefix) {
  constexpr size_t kMaxNamed = 10;
  const std::vector<ManifestItem>& items = file.manifest().items;
  std::vector<std::string> names;
  for (const ManifestItem& item : items) {
    if (names.size() == kMaxNamed) break;
    if (item.name.size() <= internal::kMaxSuggestionSize) {
      names.push_back(Value(item.name).ToString());
    }
  }
  if (names.size() < items.size()) {
    names.push_back(absl::StrCat("and ", items.size() - names.size(), " more"));
  }
  return absl::NotFoundError(
      absl::StrCat(file.path(), ": expected items '", prefix, "/...', found ",
                   names.empty() ? "no items" : absl::StrCat("only ", absl::StrJoin(names, ", ")),
                   internal::DidYouMean(prefix, Prefixes(file.manifest()))));
}

}  // namespace

EntryInfo CheckpointItemInfo::entry(uint32_t place) const {
  return internal::EntryOf(*item_, place);
}

absl::Status CheckpointItemInfo::ForEachPath(
    absl::FunctionRef<void(uint32_t place, absl::string_view path)> visit) const {
  return item_->layout.ForEachPath(item_->slots, PathForm::kCanonical, visit);
}

absl::StatusOr<CheckpointReader> CheckpointReader::Open(const std::string& path,
                                                        const ReadOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(auto file, internal::CheckpointFile::Open(path, options));
  return CheckpointReader(std::move(file));
}

const std::string& CheckpointReader::path() const { return file_->path(); }
uint32_t CheckpointReader::producer_version() const { return file_->footer().versions.producer; }
int64_t CheckpointReader::file_size() const { return file_->footer().file_size; }
const Metadata& CheckpointReader::metadata() const { return file_->manifest().metadata; }
const Metrics& CheckpointReader::metrics() const { return file_->manifest().metrics; }
const std::vector<FileIdentity>& CheckpointReader::bases() const { return file_->manifest().bases; }
const std::optional<RunInfo>& CheckpointReader::run() const { return file_->manifest().run; }
ReadMode CheckpointReader::read_mode() const {
  const absl::StatusOr<const internal::FileBytes*> file = file_->FileOf(0);
  return (*file)->ModeFor(file_size());
}

std::vector<std::string> CheckpointReader::items() const {
  std::vector<std::string> names;
  for (const ManifestItem& item : file_->manifest().items) names.push_back(item.name);
  return names;
}

absl::StatusOr<CheckpointItemInfo> CheckpointReader::GetItem(absl::string_view name) const {
  LEAFSTORE_ASSIGN_OR_RETURN(const ManifestItem* found, file_->GetItem(name));
  return CheckpointItemInfo(found);
}

absl::StatusOr<TreeDef> CheckpointReader::GetDef(absl::string_view item) const {
  LEAFSTORE_ASSIGN_OR_RETURN(const ManifestItem* found, file_->GetItem(item));
  absl::StatusOr<TreeDef> def = found->layout.def();
  return def.ok() ? def : file_->WithItem(*found, def.status());
}

absl::StatusOr<ParamStore> CheckpointReader::Load(absl::string_view item,
                                                  const LoadOptions& options) const {
  LEAFSTORE_ASSIGN_OR_RETURN(const ManifestItem* found, file_->GetItem(item));
  return internal::LoadChosen(internal::ItemLeaves(*file_, *found), options);
}

absl::StatusOr<std::vector<NamedStore>> CheckpointReader::LoadItems(
    absl::string_view prefix) const {
  std::vector<NamedStore> stores;
  for (const ManifestItem& item : file_->manifest().items) {
    absl::string_view name = item.name;
    if (!absl::ConsumePrefix(&name, prefix) || !absl::ConsumePrefix(&name, "/")) continue;
    LEAFSTORE_ASSIGN_OR_RETURN(ParamStore store, Load(item.name));
    stores.push_back({std::string(name), std::move(store)});
  }
  if (stores.empty()) return NoItemsUnder(*file_, prefix);
  return stores;
}

absl::StatusOr<Leaf> CheckpointReader::LoadLeaf(absl::string_view item,
                                                absl::string_view path) const {
  LEAFSTORE_ASSIGN_OR_RETURN(const ManifestItem* found, file_->GetItem(item));
  return internal::LoadLeaf(internal::ItemLeaves(*file_, *found), path);
}

absl::StatusOr<Tensor> CheckpointReader::LoadRows(absl::string_view item, absl::string_view path,
                                                  const RowRange& rows) const {
  LEAFSTORE_ASSIGN_OR_RETURN(const ManifestItem* found, file_->GetItem(item));
  const internal::ItemLeaves leaves(*file_, *found);
  LEAFSTORE_ASSIGN_OR_RETURN(const uint32_t place, internal::GetPlace(leaves, path));
  return leaves.LoadRows(place, rows);
}

absl::StatusOr<Groups> CheckpointReader::LoadGroups(absl::string_view item) const {
  LEAFSTORE_ASSIGN_OR_RETURN(const ManifestItem* found, file_->GetItem(item));
  if (!found->grouping.has_value()) {
    return file_->WithItem(*found, absl::FailedPreconditionError(
                                       "expected an item that was saved with groups, found one "
                                       "without"));
  }
  LEAFSTORE_ASSIGN_OR_RETURN(ParamStore store, Load(item));
  absl::StatusOr<Groups> groups = found->grouping->Split(std::move(store));
  return groups.ok() ? std::move(groups) : file_->WithItem(*found, groups.status());
}

absl::StatusOr<Grouping> CheckpointReader::CompileGrouping(absl::string_view item,
                                                           std::vector<NamedFilter> filters,
                                                           const GroupingOptions& options) const {
  LEAFSTORE_ASSIGN_OR_RETURN(const ManifestItem* found, file_->GetItem(item));
  return internal::CompileGrouping(internal::ItemLeaves(*file_, *found), std::move(filters),
                                   options);
}

absl::StatusOr<RestoreReport> CheckpointReader::LoadInto(absl::string_view item, ParamStore* store,
                                                         const RestoreOptions& options) const {
  LEAFSTORE_ASSIGN_OR_RETURN(const ManifestItem* found, file_->GetItem(item));
  return internal::LoadInto(internal::ItemLeaves(*file_, *found), store, options);
}

absl::Status CheckpointReader::InItem(absl::string_view item, const absl::Status& status) const {
  LEAFSTORE_ASSIGN_OR_RETURN(const ManifestItem* found, file_->GetItem(item));
  return file_->WithItem(*found, status);
}

absl::Status CheckpointReader::Verify() const { return internal::Verify(*file_); }

absl::StatusOr<ParamStore> LoadCheckpoint(const std::string& path, absl::string_view item,
                                          const ReadOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(const CheckpointReader reader, CheckpointReader::Open(path, options));
  return reader.Load(item);
}

absl::StatusOr<std::vector<NamedStore>> LoadCheckpoint(const std::string& path,
                                                       const ReadOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(const CheckpointReader reader, CheckpointReader::Open(path, options));
  std::vector<NamedStore> stores;
  for (const std::string& item : reader.items()) {
    LEAFSTORE_ASSIGN_OR_RETURN(ParamStore store, reader.Load(item));
    stores.push_back({item, std::move(store)});
  }
  return stores;
}

}  // namespace leafstore
