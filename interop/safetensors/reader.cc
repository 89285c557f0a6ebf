#include "leafstore/interop/safetensors/reader.h"

#include <utility>

#include "absl/strings/str_cat.h"

#include "leafstore/checkpoint/internal/stored_leaves.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/interop/safetensors/internal/file.h"

namespace leafstore {

using internal::FileLeaves;
using internal::SafetensorsFile;

EntryInfo SafetensorsLeaves::entry(uint32_t place) const {
  if (const std::optional<uint32_t> index = tensor(place)) return file_->entry(*index);
  const Value* value = &values_[static_cast<size_t>(-1 - indices_[place])];
  return {LeafSpec(value->kind()), value};
}

absl::StatusOr<SafetensorsReader> SafetensorsReader::Open(const std::string& path,
                                                          const SafetensorsReadOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(auto file, SafetensorsFile::Open(path, options));
  return SafetensorsReader(std::move(file));
}

const std::string& SafetensorsReader::path() const& { return file_->path(); }
const std::string& SafetensorsReader::file() const& { return file_->file(); }
const std::vector<std::string>& SafetensorsReader::notes() const& { return file_->notes(); }
bool SafetensorsReader::is_set() const { return file_->is_set(); }
uint32_t SafetensorsReader::size() const { return file_->size(); }
absl::string_view SafetensorsReader::name(uint32_t tensor) const& { return file_->name(tensor); }
EntryInfo SafetensorsReader::entry(uint32_t tensor) const& { return file_->entry(tensor); }
bool SafetensorsReader::has_structure() const { return file_->has_structure(); }
NameStyle SafetensorsReader::name_style() const { return file_->name_style(); }
const std::optional<Metadata>& SafetensorsReader::metadata() const& { return file_->metadata(); }

std::vector<std::string> SafetensorsReader::shards() const {
  std::vector<std::string> names;
  for (const SafetensorsFile::Shard& shard : file_->shards()) {
    names.push_back(shard.name);
  }
  return names;
}

int64_t SafetensorsReader::file_size() const {
  int64_t size = 0;
  for (const SafetensorsFile::Shard& shard : file_->shards()) size += shard.bytes->size();
  return size;
}

absl::StatusOr<uint32_t> SafetensorsReader::GetIndex(absl::string_view name) const {
  return file_->Get(name);
}

std::vector<UnreadableLeaf> SafetensorsReader::unreadable() const { return file_->unreadable(); }
std::vector<UnreadableLeaf> SafetensorsReader::unlisted() const { return file_->unlisted(); }

absl::StatusOr<Tensor> SafetensorsReader::LoadTensor(uint32_t tensor) const {
  if (tensor >= size()) {
    return file_->WithPath(absl::InvalidArgumentError(
        absl::StrCat("expected the index of a tensor, below ", size(), ", found ", tensor)));
  }
  return file_->LoadTensor(tensor);
}

absl::StatusOr<Tensor> SafetensorsReader::LoadTensor(absl::string_view name) const {
  LEAFSTORE_ASSIGN_OR_RETURN(const uint32_t tensor, file_->Get(name));
  return LoadTensor(tensor);
}

absl::StatusOr<const SafetensorsLeaves*> SafetensorsReader::GetLeaves() const& {
  const absl::StatusOr<const SafetensorsLeaves*> leaves = file_->leaves();
  return leaves.ok() ? leaves : file_->WithPath(leaves.status());
}

absl::StatusOr<TreeDef> SafetensorsReader::GetDef() const {
  LEAFSTORE_ASSIGN_OR_RETURN(const SafetensorsLeaves* leaves, GetLeaves());
  absl::StatusOr<TreeDef> def = leaves->layout().def();
  return def.ok() ? def : file_->WithPath(def.status());
}

absl::StatusOr<ParamStore> SafetensorsReader::Load(const LoadOptions& options) const {
  if (!options.filter && !options.subtree && !options.places)
    LEAFSTORE_RETURN_IF_ERROR(file_->CheckReadable());
  LEAFSTORE_ASSIGN_OR_RETURN(const SafetensorsLeaves* leaves, GetLeaves());
  return internal::LoadChosen(FileLeaves(*file_, *leaves), options);
}

absl::StatusOr<Leaf> SafetensorsReader::LoadLeaf(absl::string_view path) const {
  LEAFSTORE_ASSIGN_OR_RETURN(const SafetensorsLeaves* leaves, GetLeaves());
  return internal::LoadLeaf(FileLeaves(*file_, *leaves), path);
}

absl::StatusOr<Grouping> SafetensorsReader::CompileGrouping(std::vector<NamedFilter> filters,
                                                            const GroupingOptions& options) const {
  LEAFSTORE_ASSIGN_OR_RETURN(const SafetensorsLeaves* leaves, GetLeaves());
  return internal::CompileGrouping(FileLeaves(*file_, *leaves), std::move(filters), options);
}

absl::StatusOr<RestoreReport> SafetensorsReader::LoadInto(ParamStore* store,
                                                          const RestoreOptions& options) const {
  LEAFSTORE_ASSIGN_OR_RETURN(const SafetensorsLeaves* leaves, GetLeaves());
  return internal::LoadInto(FileLeaves(*file_, *leaves), store, options);
}

absl::StatusOr<bool> SafetensorsReader::IsCanonical() const { return file_->IsCanonical(); }

absl::Status SafetensorsReader::Verify() const { return file_->Verify(); }

absl::StatusOr<ParamStore> LoadSafetensors(const std::string& path,
                                           const SafetensorsReadOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(const SafetensorsReader reader,
                             SafetensorsReader::Open(path, options));
  return reader.Load();
}

}  // namespace leafstore
