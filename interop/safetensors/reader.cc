#include "leafstore/interop/safetensors/reader.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "absl/strings/str_cat.h"

#include "leafstore/checkpoint/internal/choose_leaves.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/interop/safetensors/internal/file.h"
#include "leafstore/select/internal/leaf_source.h"

namespace leafstore {

using internal::SafetensorsFile;

namespace {

absl::StatusOr<const SafetensorsLeaves*> LeavesOf(const SafetensorsFile& file) {
  const absl::StatusOr<const SafetensorsLeaves*> leaves = file.leaves();
  return leaves.ok() ? leaves : file.WithPath(leaves.status());
}

absl::StatusOr<std::vector<Leaf>> LoadLeaves(const SafetensorsFile& file,
                                             const SafetensorsLeaves& leaves,
                                             absl::Span<const uint32_t> places) {
  std::vector<uint32_t> tensors;
  tensors.reserve(places.size());
  for (const uint32_t place : places) {
    if (const auto tensor = leaves.tensor(place)) tensors.push_back(*tensor);
  }
  LEAFSTORE_ASSIGN_OR_RETURN(std::vector<Tensor> loaded, file.Load(tensors));
  std::vector<Leaf> out;
  out.reserve(places.size());
  size_t next = 0;
  for (const uint32_t place : places) {
    const Value* value = leaves.value(place);
    out.push_back(value != nullptr ? Leaf(*value) : Leaf(std::move(loaded[next++])));
  }
  return out;
}

// Valid while the file is open.
LeafSpec SpecAt(const SafetensorsFile& file, const SafetensorsLeaves& leaves, uint32_t place) {
  if (const Value* value = leaves.value(place)) return LeafSpec(value->kind());
  return file.entry(*leaves.tensor(place)).spec;
}

}  // namespace

absl::StatusOr<SafetensorsReader> SafetensorsReader::Open(const std::string& path,
                                                          const SafetensorsReadOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(auto file, SafetensorsFile::Open(path, options));
  return SafetensorsReader(std::move(file));
}

const std::string& SafetensorsReader::path() const& { return file_->path(); }
bool SafetensorsReader::is_set() const { return file_->is_set(); }
absl::Span<const SafetensorsShard> SafetensorsReader::shards() const& { return file_->shards(); }
uint32_t SafetensorsReader::size() const { return file_->size(); }
absl::string_view SafetensorsReader::name(uint32_t tensor) const& { return file_->name(tensor); }
SafetensorsInfo SafetensorsReader::entry(uint32_t tensor) const& { return file_->entry(tensor); }
int64_t SafetensorsReader::tensor_bytes() const { return file_->tensor_bytes(); }
bool SafetensorsReader::has_structure() const { return file_->has_structure(); }
const std::optional<Metadata>& SafetensorsReader::metadata() const& { return file_->metadata(); }

int64_t SafetensorsReader::file_size() const {
  int64_t size = 0;
  for (const SafetensorsShard& shard : file_->shards()) size += shard.file_size;
  return size;
}

absl::StatusOr<uint32_t> SafetensorsReader::GetIndex(absl::string_view name) const {
  return file_->Get(name);
}

std::vector<std::string> SafetensorsReader::left_out() const {
  std::vector<std::string> names;
  for (const SafetensorsFile::Shard& shard : file_->files()) {
    const std::vector<std::string>& here = shard.header.left_out();
    names.insert(names.end(), here.begin(), here.end());
  }
  return names;
}

absl::StatusOr<Tensor> SafetensorsReader::LoadTensor(uint32_t tensor) const {
  if (tensor >= size()) {
    return file_->WithPath(absl::InvalidArgumentError(
        absl::StrCat("expected a tensor's number below ", size(), ", found ", tensor)));
  }
  LEAFSTORE_ASSIGN_OR_RETURN(std::vector<Tensor> loaded, file_->Load({tensor}));
  return std::move(loaded[0]);
}

absl::StatusOr<Tensor> SafetensorsReader::LoadTensor(absl::string_view name) const {
  LEAFSTORE_ASSIGN_OR_RETURN(const uint32_t tensor, file_->Get(name));
  return LoadTensor(tensor);
}

absl::StatusOr<const SafetensorsLeaves*> SafetensorsReader::GetLeaves() const& {
  return LeavesOf(*file_);
}

absl::StatusOr<TreeDef> SafetensorsReader::GetDef() const {
  LEAFSTORE_ASSIGN_OR_RETURN(const SafetensorsLeaves* leaves, LeavesOf(*file_));
  absl::StatusOr<TreeDef> def = leaves->layout().def();
  return def.ok() ? def : file_->WithPath(def.status());
}

absl::StatusOr<ParamStore> SafetensorsReader::Load(const LoadOptions& options) const {
  LEAFSTORE_ASSIGN_OR_RETURN(const SafetensorsLeaves* leaves, LeavesOf(*file_));
  std::optional<SlotSet> matched;
  if (options.filter.has_value()) {
    LEAFSTORE_ASSIGN_OR_RETURN(
        const Grouping grouping,
        CompileGrouping({{"matching", *options.filter}, {"rest", Rest()}}, {.allow_empty = true}));
    matched = grouping.SlotsOf(0);
  }
  absl::StatusOr<internal::ChosenLeaves> chosen =
      internal::ChooseLeaves(leaves->layout(), leaves->slots(), options, matched);
  if (!chosen.ok()) return file_->WithPath(chosen.status());
  LEAFSTORE_ASSIGN_OR_RETURN(std::vector<Leaf> loaded, LoadLeaves(*file_, *leaves, chosen->places));
  return ParamStore::Create(std::move(chosen->layout), std::move(chosen->slots), std::move(loaded));
}

absl::StatusOr<Leaf> SafetensorsReader::LoadLeaf(absl::string_view path) const {
  LEAFSTORE_ASSIGN_OR_RETURN(const SafetensorsLeaves* leaves, LeavesOf(*file_));
  const absl::StatusOr<uint32_t> place =
      internal::GetPlace(leaves->layout(), leaves->slots(), path);
  if (!place.ok()) return file_->WithPath(place.status());
  LEAFSTORE_ASSIGN_OR_RETURN(std::vector<Leaf> loaded, LoadLeaves(*file_, *leaves, {*place}));
  return std::move(loaded[0]);
}

absl::StatusOr<Grouping> SafetensorsReader::CompileGrouping(std::vector<NamedFilter> filters,
                                                            const GroupingOptions& options) const {
  LEAFSTORE_ASSIGN_OR_RETURN(const SafetensorsLeaves* leaves, LeavesOf(*file_));
  absl::StatusOr<Grouping> grouping;
  if (std::any_of(filters.begin(), filters.end(), std::mem_fn(&NamedFilter::has_callable))) {
    LEAFSTORE_ASSIGN_OR_RETURN(const ParamStore store, Load());
    grouping = Grouping::Compile(store, std::move(filters), options);
  } else {
    const auto spec = [&](uint32_t place) { return SpecAt(*file_, *leaves, place); };
    grouping = Grouping::Compile(LeafSpecs(leaves->layout(), leaves->slots(), spec),
                                 std::move(filters), options);
  }
  return grouping.ok() ? std::move(grouping) : file_->WithPath(grouping.status());
}

absl::StatusOr<RestoreReport> SafetensorsReader::LoadInto(ParamStore* store,
                                                          const RestoreOptions& options) const {
  LEAFSTORE_ASSIGN_OR_RETURN(const SafetensorsLeaves* leaves, LeavesOf(*file_));
  const auto spec = [&](uint32_t place) { return SpecAt(*file_, *leaves, place); };
  return internal::LoadInto(
      {.leaves = {leaves->layout(), leaves->slots(), spec},
       .load =
           [&](absl::Span<const uint32_t> places) { return LoadLeaves(*file_, *leaves, places); },
       .named = [&](const absl::Status& status) { return file_->WithPath(status); }},
      store, options);
}

absl::StatusOr<bool> SafetensorsReader::IsCanonical() const { return file_->IsCanonical(); }

NameStyle SafetensorsReader::name_style() const {
  return file_->has_structure() ? file_->structure_names() : file_->options().names;
}

absl::Status SafetensorsReader::Verify() const {
  // In pieces, so that verification does not allocate as much memory as the file has bytes.
  constexpr int64_t kPiece = int64_t{64} << 20;
  std::vector<uint32_t> tensors;
  int64_t bytes = 0;
  for (uint32_t tensor = 0; tensor < size(); ++tensor) {
    tensors.push_back(tensor);
    bytes += entry(tensor).spec.byte_size();
    if (bytes < kPiece && tensor + 1 < size()) continue;
    LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<Tensor> loaded, file_->Load(tensors));
    LEAFSTORE_RETURN_IF_ERROR(file_->MakeResident(tensors));
    tensors.clear();
    bytes = 0;
  }
  return absl::OkStatus();
}

absl::StatusOr<ParamStore> LoadSafetensors(const std::string& path,
                                           const SafetensorsReadOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(const SafetensorsReader reader,
                             SafetensorsReader::Open(path, options));
  return reader.Load();
}

}  // namespace leafstore
