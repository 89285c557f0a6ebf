#include "leafstore/checkpoint/reader.h"

#include <algorithm>
#include <functional>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"

#include "leafstore/checkpoint/internal/checkpoint_file.h"
#include "leafstore/checkpoint/internal/restore.h"
#include "leafstore/core/internal/suggest.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/core/value.h"
#include "leafstore/store/internal/path_walk.h"

namespace leafstore {
namespace {

std::vector<uint32_t> AllPlaces(const ManifestItem& item) {
  std::vector<uint32_t> places(item.leaves.size());
  std::iota(places.begin(), places.end(), 0);
  return places;
}

absl::StatusOr<ParamStore> LoadAll(const CheckpointFile& file, const ManifestItem& item) {
  LEAFSTORE_ASSIGN_OR_RETURN(std::vector<Leaf> leaves, file.LoadLeaves(item, AllPlaces(item)));
  return ParamStore::Create(item.layout, item.slots, std::move(leaves));
}

absl::StatusOr<ParamStore> LoadSome(const CheckpointFile& file, const ManifestItem& item,
                                    absl::Span<const uint32_t> places) {
  LEAFSTORE_ASSIGN_OR_RETURN(std::vector<Leaf> leaves, file.LoadLeaves(item, places));
  std::vector<Slot> slots;
  slots.reserve(places.size());
  for (const uint32_t place : places) slots.push_back(item.slots.SlotAt(place));
  return ParamStore::Create(item.layout,
                            internal::SlotSetAccess::Make(item.layout.size(), std::move(slots)),
                            std::move(leaves));
}

// The slot of a path, found by a walk: an index of all paths would cost more than one leaf does.
absl::StatusOr<Slot> FindSlot(const ManifestItem& item, absl::string_view path) {
  if (!item.layout.has_def()) return item.layout.Get(path);
  LEAFSTORE_ASSIGN_OR_RETURN(const TreeDef def, item.layout.def());
  LEAFSTORE_ASSIGN_OR_RETURN(const NodeId node, def.Find(path));
  const NodeId owner = def.Resolve(node);
  if (def.kind(owner) == NodeKind::kLeaf) return def.leaf_begin(owner);
  return absl::InvalidArgumentError(
      absl::StrCat("at '", path, "': expected a leaf, found ", NodeKindName(def.kind(owner))));
}

// `result`, whose error does not name the item yet.
template <typename T>
absl::StatusOr<T> WithItem(const CheckpointFile& file, const ManifestItem& item,
                           absl::StatusOr<T> result) {
  if (result.ok()) return result;
  return file.WithItem(item, result.status());
}

absl::StatusOr<TreeDef> DefOf(const CheckpointFile& file, const ManifestItem& item) {
  return WithItem(file, item, item.layout.def());
}

// The names before a slash in those of all items.
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

absl::Status NoItemsUnder(const CheckpointFile& file, absl::string_view prefix) {
  constexpr size_t kMostNamed = 10;
  const std::vector<ManifestItem>& items = file.manifest().items;
  std::vector<std::string> names;
  for (const ManifestItem& item : items) {
    if (names.size() == kMostNamed) break;
    if (item.name.size() <= kMaxSuggestionSize) names.push_back(Value(item.name).ToString());
  }
  if (names.size() < items.size()) {
    names.push_back(absl::StrCat("and ", items.size() - names.size(), " more"));
  }
  return absl::NotFoundError(
      absl::StrCat(file.path(), ": expected items '", prefix, "/...', found ",
                   names.empty() ? "no items" : absl::StrCat("only ", absl::StrJoin(names, ", ")),
                   DidYouMean(prefix, Prefixes(file.manifest()))));
}

}  // namespace

EntryInfo CheckpointItemInfo::entry(uint32_t place) const {
  const LeafColumns& leaves = item_->leaves;
  EntryInfo info{item_->slots.SlotAt(place), leaves.spec(place)};
  if (!leaves.is_tensor(place)) {
    info.value = &leaves.value(place);
    return info;
  }
  const uint32_t tensor = leaves.tensor(place);
  info.stored_size = item_->stored_size(tensor);
  info.offset = static_cast<int64_t>(item_->segments.offsets[tensor]);
  info.checksum = item_->segments.checksums[tensor];
  info.codec = item_->segments.codec(tensor);
  info.base = item_->segments.base(tensor);
  return info;
}

absl::Status CheckpointItemInfo::ForEachPath(
    absl::FunctionRef<void(uint32_t place, absl::string_view path)> visit) const {
  return internal::WalkPaths(item_->layout, item_->slots, visit);
}

absl::StatusOr<CheckpointReader> CheckpointReader::Open(const std::string& path,
                                                        const ReadOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(auto file, CheckpointFile::Open(path, options));
  return CheckpointReader(std::move(file));
}

const std::string& CheckpointReader::path() const { return file_->path(); }
uint32_t CheckpointReader::producer_version() const { return file_->footer().versions.producer; }
int64_t CheckpointReader::file_size() const { return file_->footer().file_size; }
const Metadata& CheckpointReader::metadata() const { return file_->manifest().metadata; }
const Metrics& CheckpointReader::metrics() const { return file_->manifest().metrics; }
const std::vector<BaseFile>& CheckpointReader::bases() const { return file_->manifest().bases; }

std::vector<std::string> CheckpointReader::items() const {
  std::vector<std::string> names;
  for (const ManifestItem& item : file_->manifest().items) names.push_back(item.name);
  return names;
}

absl::StatusOr<CheckpointItemInfo> CheckpointReader::item(absl::string_view name) const {
  LEAFSTORE_ASSIGN_OR_RETURN(const ManifestItem* found, file_->FindItem(name));
  return CheckpointItemInfo(found);
}

absl::StatusOr<TreeDef> CheckpointReader::def(absl::string_view item) const {
  LEAFSTORE_ASSIGN_OR_RETURN(const ManifestItem* found, file_->FindItem(item));
  return DefOf(*file_, *found);
}

absl::StatusOr<Metadata> CheckpointReader::metadata(absl::string_view item) const {
  LEAFSTORE_ASSIGN_OR_RETURN(const ManifestItem* found, file_->FindItem(item));
  return found->metadata;
}

absl::StatusOr<std::optional<Labels>> CheckpointReader::labels(absl::string_view item) const {
  LEAFSTORE_ASSIGN_OR_RETURN(const ManifestItem* found, file_->FindItem(item));
  return found->labels;
}

absl::StatusOr<ParamStore> CheckpointReader::Load(absl::string_view item) const {
  LEAFSTORE_ASSIGN_OR_RETURN(const ManifestItem* found, file_->FindItem(item));
  return LoadAll(*file_, *found);
}

absl::StatusOr<std::vector<NamedStore>> CheckpointReader::LoadItems(
    absl::string_view prefix) const {
  std::vector<NamedStore> stores;
  for (const ManifestItem& item : file_->manifest().items) {
    absl::string_view name = item.name;
    if (!absl::ConsumePrefix(&name, prefix) || !absl::ConsumePrefix(&name, "/")) continue;
    LEAFSTORE_ASSIGN_OR_RETURN(ParamStore store, LoadAll(*file_, item));
    stores.push_back({std::string(name), std::move(store)});
  }
  if (stores.empty()) return NoItemsUnder(*file_, prefix);
  return stores;
}

absl::StatusOr<Leaf> CheckpointReader::LoadPath(absl::string_view item,
                                                absl::string_view path) const {
  LEAFSTORE_ASSIGN_OR_RETURN(const ManifestItem* found, file_->FindItem(item));
  LEAFSTORE_ASSIGN_OR_RETURN(const Slot slot, WithItem(*file_, *found, FindSlot(*found, path)));
  const uint32_t place = found->slots.PlaceOf(slot);
  if (place == kNoPlace) {
    return absl::NotFoundError(
        absl::StrCat(file_->path(), ": item '", item, "' was saved without '", path, "'"));
  }
  LEAFSTORE_ASSIGN_OR_RETURN(std::vector<Leaf> leaves, file_->LoadLeaves(*found, {place}));
  return std::move(leaves[0]);
}

absl::StatusOr<Flattened> CheckpointReader::LoadSubtree(absl::string_view item,
                                                        absl::string_view path) const {
  LEAFSTORE_ASSIGN_OR_RETURN(const ManifestItem* found, file_->FindItem(item));
  LEAFSTORE_ASSIGN_OR_RETURN(const TreeDef def, DefOf(*file_, *found));
  LEAFSTORE_ASSIGN_OR_RETURN(const NodeId node, WithItem(*file_, *found, def.Find(path)));
  TreeDef::Cut cut = def.Subtree(def.Resolve(node));
  std::vector<uint32_t> places;
  std::vector<Slot> slots;
  for (uint32_t leaf = 0; leaf < cut.leaves.size(); ++leaf) {
    const uint32_t place = found->slots.PlaceOf(cut.leaves[leaf]);
    if (place == kNoPlace) continue;
    places.push_back(place);
    slots.push_back(leaf);
  }
  LEAFSTORE_ASSIGN_OR_RETURN(std::vector<Leaf> leaves, file_->LoadLeaves(*found, places));
  const uint32_t universe = cut.def.leaf_count();
  LEAFSTORE_ASSIGN_OR_RETURN(
      ParamStore params,
      ParamStore::Create(Layout(cut.def), internal::SlotSetAccess::Make(universe, std::move(slots)),
                         std::move(leaves)));
  return Flattened{std::move(cut.def), std::move(params)};
}

absl::StatusOr<PartitionPlan> CheckpointReader::CompilePlan(absl::string_view item,
                                                            std::vector<Filter> filters,
                                                            const PartitionOptions& options) const {
  LEAFSTORE_ASSIGN_OR_RETURN(const ManifestItem* found, file_->FindItem(item));
  if (std::any_of(filters.begin(), filters.end(), std::mem_fn(&Filter::has_callable))) {
    LEAFSTORE_ASSIGN_OR_RETURN(std::vector<Leaf> leaves,
                               file_->LoadLeaves(*found, AllPlaces(*found), /*verify=*/false));
    LEAFSTORE_ASSIGN_OR_RETURN(const ParamStore store,
                               ParamStore::Create(found->layout, found->slots, std::move(leaves)));
    return WithItem(*file_, *found, PartitionPlan::Compile(store, std::move(filters), options));
  }
  const auto spec = [found](uint32_t place) { return found->leaves.spec(place); };
  const LeafSpecs leaves(found->layout, found->slots, spec);
  return WithItem(*file_, *found, PartitionPlan::Compile(leaves, std::move(filters), options));
}

absl::StatusOr<ParamStore> CheckpointReader::LoadMatching(absl::string_view item,
                                                          const Filter& filter) const {
  LEAFSTORE_ASSIGN_OR_RETURN(const ManifestItem* found, file_->FindItem(item));
  LEAFSTORE_ASSIGN_OR_RETURN(const PartitionPlan plan, CompilePlan(item, {filter}));
  const SlotSet& taken = plan.group_slots(0);
  std::vector<uint32_t> places;
  places.reserve(taken.size());
  for (uint32_t i = 0; i < taken.size(); ++i) {
    places.push_back(found->slots.PlaceOf(taken.SlotAt(i)));
  }
  return LoadSome(*file_, *found, places);
}

absl::StatusOr<ParamStore> CheckpointReader::LoadPlaces(absl::string_view item,
                                                        absl::Span<const uint32_t> places) const {
  LEAFSTORE_ASSIGN_OR_RETURN(const ManifestItem* found, file_->FindItem(item));
  for (size_t i = 0; i < places.size(); ++i) {
    if (places[i] >= found->leaves.size() || (i > 0 && places[i] <= places[i - 1])) {
      return file_->WithItem(*found, absl::InvalidArgumentError(absl::StrCat(
                                         "expected places that grow, below ", found->leaves.size(),
                                         ", found ", places[i])));
    }
  }
  return LoadSome(*file_, *found, places);
}

absl::StatusOr<RestoreReport> CheckpointReader::LoadInto(absl::string_view item, ParamStore* store,
                                                         const RestoreOptions& options) const {
  LEAFSTORE_ASSIGN_OR_RETURN(const ManifestItem* found, file_->FindItem(item));
  LEAFSTORE_RETURN_IF_ERROR(file_->WithItem(*found, store->CheckNoBorrow("load into")));
  LEAFSTORE_ASSIGN_OR_RETURN(RestoreMatch match,
                             WithItem(*file_, *found, MatchForRestore(*found, *store, options)));
  LEAFSTORE_ASSIGN_OR_RETURN(std::vector<Leaf> leaves, file_->LoadLeaves(*found, match.places));
  LEAFSTORE_ASSIGN_OR_RETURN(
      ParamStore group,
      ParamStore::Create(store->layout(),
                         internal::SlotSetAccess::Make(store->layout().size(), match.slots),
                         std::move(leaves)));
  LEAFSTORE_RETURN_IF_ERROR(store->Update(std::move(group)));
  return std::move(match.report);
}

absl::Status CheckpointReader::Verify() const { return file_->Verify(); }

}  // namespace leafstore
