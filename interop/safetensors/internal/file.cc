#include "leafstore/interop/safetensors/internal/file.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "leafstore/core/error_reason.h"
#include "leafstore/core/internal/suggest.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/interop/internal/json_text.h"
#include "leafstore/interop/names.h"
#include "leafstore/interop/safetensors/internal/header_builder.h"

namespace leafstore::internal {
namespace {

constexpr absl::string_view kIndexOfDirectory = "model.safetensors.index.json";
constexpr absl::string_view kFileOfDirectory = "model.safetensors";

// Adds "a.safetensors: " before an error, unless it is from the file system, which does so itself.
absl::Status WithName(absl::string_view name, const absl::Status& status) {
  return WithContext(status, name);
}

// The size of the first read. It includes the header of most files and needs no new page from the
// system; longer headers are cheaper to map than to copy.
constexpr int64_t kFirstRead = int64_t{16} << 10;
constexpr int64_t kLongHeader = int64_t{1} << 20;

absl::string_view AsText(absl::Span<const std::byte> bytes) {
  return absl::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

// Reads the first bytes of a file into `*scratch`.
absl::StatusOr<absl::Span<const std::byte>> ReadBegin(const ReadableFile& file, int64_t size,
                                                      Buffer* scratch) {
  LEAFSTORE_ASSIGN_OR_RETURN(*scratch, Buffer::AllocateUninitialized(size));
  const absl::Span<std::byte> out(scratch->mutable_data(), static_cast<size_t>(size));
  LEAFSTORE_RETURN_IF_ERROR(file.ReadAt(0, out));
  return absl::Span<const std::byte>(out);
}

absl::StatusOr<SafetensorsHeader> ReadHeader(const std::string& path, const ReadableFile& file,
                                             ReadMode mode, const SafetensorsLeniency& lenient) {
  constexpr int64_t kPrefix = sizeof(uint64_t);
  const int64_t size = file.size();
  Buffer scratch;
  LEAFSTORE_ASSIGN_OR_RETURN(absl::Span<const std::byte> bytes,
                             ReadBegin(file, std::min(size, kFirstRead), &scratch));
  const absl::StatusOr<int64_t> found = SafetensorsHeader::ParseLength(bytes, size, lenient);
  if (!found.ok()) return WithName(path, found.status());
  const int64_t length = *found;
  Buffer map;
  if (kPrefix + length > static_cast<int64_t>(bytes.size())) {
    if (mode == ReadMode::kMap && length >= kLongHeader) {
      LEAFSTORE_ASSIGN_OR_RETURN(map, file.Map());
      bytes = map.bytes();
      LEAFSTORE_RETURN_IF_ERROR(
          file.MakeResident(0, bytes.subspan(0, static_cast<size_t>(kPrefix + length))));
    } else {
      LEAFSTORE_ASSIGN_OR_RETURN(bytes, ReadBegin(file, kPrefix + length, &scratch));
    }
  }
  const auto behind = static_cast<int64_t>(bytes.size()) - kPrefix - length;
  absl::StatusOr<SafetensorsHeader> header = SafetensorsHeader::Parse(
      AsText(bytes.subspan(kPrefix, static_cast<size_t>(length))), size, lenient, behind);
  if (!header.ok()) return WithName(path, header.status());
  return header;
}

}  // namespace

absl::Status SafetensorsFile::WithPath(const absl::Status& status) const {
  return WithName(path_, status);
}

absl::StatusOr<std::shared_ptr<const SafetensorsFile>> SafetensorsFile::Open(
    const std::string& path, const SafetensorsReadOptions& options) {
  std::shared_ptr<SafetensorsFile> file(new SafetensorsFile());
  file->path_ = path;
  file->options_ = options;
  file->file_system_ = &options.io.files();
  LEAFSTORE_RETURN_IF_ERROR(file->OpenPath());
  return file;
}

absl::Status SafetensorsFile::OpenPath() {
  if (absl::EndsWith(path_, ".json")) return OpenIndex(path_);
  const absl::Status opened = OpenShard(path_);
  if (opened.ok()) return Finish();
  if (opened.code() != absl::StatusCode::kInvalidArgument) return opened;
  const absl::StatusOr<std::vector<std::string>> names = file_system_->List(path_);
  if (!names.ok()) return opened;  // not a directory either
  const auto has = [&](absl::string_view name) {
    return std::binary_search(names->begin(), names->end(), name);
  };
  const std::string beginning = absl::StrCat(path_, absl::EndsWith(path_, "/") ? "" : "/");
  if (has(kIndexOfDirectory)) return OpenIndex(absl::StrCat(beginning, kIndexOfDirectory));
  if (!has(kFileOfDirectory)) {
    return absl::NotFoundError(absl::StrCat(path_, ": expected ", kIndexOfDirectory, " or ",
                                            kFileOfDirectory, " in it, found neither"));
  }
  LEAFSTORE_RETURN_IF_ERROR(OpenShard(absl::StrCat(beginning, kFileOfDirectory)));
  return Finish();
}

absl::Status SafetensorsFile::OpenShard(const std::string& path) {
  Shard shard;
  shard.path = path;
  LEAFSTORE_ASSIGN_OR_RETURN(shard.file, file_system_->Open(path));
  LEAFSTORE_ASSIGN_OR_RETURN(shard.header,
                             ReadHeader(path, *shard.file, options_.io.mode, options_.lenient));
  files_.push_back(std::move(shard));
  return absl::OkStatus();
}

absl::Status SafetensorsFile::OpenIndex(const std::string& path) {
  is_set_ = true;
  LEAFSTORE_ASSIGN_OR_RETURN(const auto file, file_system_->Open(path));
  if (const int64_t most = MostSafetensorsHeader(options_.lenient); file->size() > most) {
    return absl::ResourceExhaustedError(absl::StrCat(path, ": expected an index of at most ", most,
                                                     " bytes, found ", file->size()));
  }
  Buffer scratch;
  LEAFSTORE_ASSIGN_OR_RETURN(const auto bytes, ReadBegin(*file, file->size(), &scratch));
  const absl::StatusOr<SafetensorsIndex> index =
      ParseSafetensorsIndex(AsText(bytes), options_.lenient, options_.any_total_size);
  if (!index.ok()) return WithName(path, index.status());
  for (const std::string& name : index->files) {
    LEAFSTORE_RETURN_IF_ERROR(OpenShard(InDirectoryOf(path, name)));
  }
  LEAFSTORE_RETURN_IF_ERROR(Finish());
  return WithName(path, CheckIndex(*index));
}

absl::Status SafetensorsFile::Finish() {
  uint64_t size = 0;
  uint64_t bytes = 0;
  for (Shard& shard : files_) {
    shard.first_tensor = static_cast<uint32_t>(size);
    size += shard.header.size();
    for (uint32_t i = 0; i < shard.header.size(); ++i) {
      bytes += static_cast<uint64_t>(shard.header.byte_size(i));
    }
    if (size >= kNoSlot || bytes > std::numeric_limits<int64_t>::max()) {
      return WithPath(absl::ResourceExhaustedError(
          "expected shards of less than 2^32 tensors and 2^63 bytes in all, found more"));
    }
    shards_.push_back({FileNameOf(shard.path), shard.file->size(), shard.first_tensor,
                       shard.header.size(), shard.header.metadata()});
    if (!shard.header.metadata().has_value()) continue;
    if (!metadata_.has_value()) metadata_.emplace();
    metadata_->insert(shard.header.metadata()->begin(), shard.header.metadata()->end());
  }
  size_ = static_cast<uint32_t>(size);
  tensor_bytes_ = static_cast<int64_t>(bytes);
  if (options_.structure == StructureUse::kIgnore) return absl::OkStatus();
  return TakeStructure();
}

// Skipped tensors are checked like the others.
absl::Status SafetensorsFile::CheckIndex(const SafetensorsIndex& index) const {
  LEAFSTORE_RETURN_IF_ERROR(CheckNamesOf(index));
  LEAFSTORE_RETURN_IF_ERROR(CheckAllNamedBy(index));
  int64_t size = tensor_bytes_;
  for (const Shard& shard : files_) size += shard.header.left_out_bytes();
  if (index.total_size.has_value() && *index.total_size != size && !options_.any_total_size) {
    return absl::DataLossError(absl::StrCat("index: expected a total_size of ", size,
                                            ", as the shards have, found ", *index.total_size));
  }
  return absl::OkStatus();
}

// Checks that each tensor of the index is in the shard that the index names.
absl::Status SafetensorsFile::CheckNamesOf(const SafetensorsIndex& index) const {
  absl::flat_hash_set<std::pair<absl::string_view, uint32_t>> left_out;
  for (uint32_t file = 0; file < files_.size(); ++file) {
    for (const std::string& name : files_[file].header.left_out()) left_out.emplace(name, file);
  }
  for (const auto& [name, file] : index.tensors) {
    if (left_out.contains(std::make_pair(absl::string_view(name), file))) continue;
    const std::optional<uint32_t> tensor = Find(name);
    if (tensor.has_value() && ShardOf(*tensor) == file) continue;
    return DamagedJson(
        absl::StrCat("index, tensor ", QuotedForMessage(name)),
        absl::StrCat("it in ", index.files[file]),
        tensor.has_value() ? absl::StrCat("it in ", shards_[ShardOf(*tensor)].name) : "none there");
  }
  return absl::OkStatus();
}

// Checks that each tensor of the shards is in the index. The names in an index are unique and all
// exist in the shards, so equal counts mean equal sets.
absl::Status SafetensorsFile::CheckAllNamedBy(const SafetensorsIndex& index) const {
  size_t tensors = size_;
  for (const Shard& shard : files_) tensors += shard.header.left_out().size();
  if (index.tensors.size() == tensors) return absl::OkStatus();
  const auto check = [&](absl::string_view name, uint32_t file) {
    const auto at = std::lower_bound(
        index.tensors.begin(), index.tensors.end(), name,
        [](const auto& entry, absl::string_view wanted) { return entry.first < wanted; });
    if (at != index.tensors.end() && at->first == name && at->second == file) {
      return absl::OkStatus();
    }
    return DamagedJson("index", absl::StrCat("all tensors of ", index.files[file]),
                       absl::StrCat("none called ", QuotedForMessage(name)));
  };
  for (uint32_t tensor = 0; tensor < size_; ++tensor) {
    LEAFSTORE_RETURN_IF_ERROR(check(name(tensor), ShardOf(tensor)));
  }
  for (uint32_t file = 0; file < files_.size(); ++file) {
    for (const std::string& name : files_[file].header.left_out()) {
      LEAFSTORE_RETURN_IF_ERROR(check(name, file));
    }
  }
  return absl::OkStatus();
}

absl::Status SafetensorsFile::TakeStructure() {
  const std::string key(kSafetensorsStructureKey);
  const std::string* text = nullptr;
  for (const SafetensorsShard& shard : shards_) {
    const std::string* found = nullptr;
    if (shard.metadata.has_value()) {
      if (const auto at = shard.metadata->find(key); at != shard.metadata->end()) {
        found = &at->second;
      }
    }
    if (&shard == &shards_.front()) text = found;
    const bool same = text == nullptr ? found == nullptr : found != nullptr && *found == *text;
    if (same) continue;
    return WithPath(absl::DataLossError(absl::StrCat(
        "metadata ", key, ": expected the same in all shards, found another in ", shard.name)));
  }
  if (text == nullptr) return absl::OkStatus();
  absl::StatusOr<SafetensorsStructure> structure = DecodeSafetensorsStructure(*text);
  if (!structure.ok()) {
    return WithPath(WithMessage(structure.status(),
                                absl::StrCat(structure.status().message(),
                                             "; the tensors can be had without the structure")));
  }
  structure_ = *std::move(structure);
  metadata_->erase(key);
  if (metadata_->empty()) metadata_.reset();
  return WithPath(leaves().status());
}

absl::StatusOr<bool> SafetensorsFile::IsCanonical() const {
  for (const Shard& shard : files_) {
    std::vector<SafetensorsEntry> entries;
    for (uint32_t i = 0; i < shard.header.size(); ++i) {
      entries.push_back({shard.header.name(i), shard.header.spec(i)});
    }
    const std::vector<uint32_t> order = SafetensorsOrder(entries);
    if (!std::is_sorted(order.begin(), order.end())) return false;
    const absl::StatusOr<std::string> expected =
        EncodeSafetensorsHeader(entries, shard.header.metadata());
    if (!expected.ok()) return false;  // the writer would reject it
    const auto size = static_cast<int64_t>(expected->size());
    if (shard.file->size() < size) return false;
    Buffer scratch;
    LEAFSTORE_ASSIGN_OR_RETURN(const auto found, ReadBegin(*shard.file, size, &scratch));
    int64_t end = size;
    for (const SafetensorsEntry& entry : entries) end += entry.spec.byte_size();
    if (AsText(found) != *expected || shard.file->size() != end) return false;
  }
  return true;
}

absl::StatusOr<const Buffer*> SafetensorsFile::MapOf(const Shard& shard) const {
  static const Buffer* const kNone = new Buffer();
  if (options_.io.mode != ReadMode::kMap) return kNone;
  return shard.map->TryGet([&] { return shard.file->Map(); });
}

uint32_t SafetensorsFile::ShardOf(uint32_t tensor) const {
  if (files_.size() == 1) return 0;
  const auto after = std::upper_bound(
      files_.begin(), files_.end(), tensor,
      [](uint32_t wanted, const Shard& shard) { return wanted < shard.first_tensor; });
  return static_cast<uint32_t>(after - files_.begin() - 1);
}

absl::string_view SafetensorsFile::name(uint32_t tensor) const {
  const Shard& shard = files_[ShardOf(tensor)];
  return shard.header.name(tensor - shard.first_tensor);
}

SafetensorsInfo SafetensorsFile::entry(uint32_t tensor) const {
  const uint32_t number = ShardOf(tensor);
  const Shard& shard = files_[number];
  const uint32_t at = tensor - shard.first_tensor;
  return {shard.header.spec(at), shard.header.offset(at), number};
}

std::optional<uint32_t> SafetensorsFile::Find(absl::string_view wanted) const {
  const auto& index = index_.Get([&] {
    absl::flat_hash_map<absl::string_view, uint32_t> made;
    made.reserve(size_);
    for (uint32_t tensor = 0; tensor < size_; ++tensor) made.try_emplace(name(tensor), tensor);
    return made;
  });
  const auto at = index.find(wanted);
  if (at == index.end()) return std::nullopt;
  return at->second;
}

absl::StatusOr<uint32_t> SafetensorsFile::Get(absl::string_view wanted) const {
  if (const std::optional<uint32_t> tensor = Find(wanted)) return *tensor;
  std::vector<absl::string_view> names;
  names.reserve(size_);
  for (uint32_t tensor = 0; tensor < size_; ++tensor) names.push_back(name(tensor));
  return absl::NotFoundError(absl::StrCat(path_, ": no tensor ", QuotedForMessage(wanted),
                                          internal::DidYouMean(wanted, names)));
}

absl::StatusOr<const SafetensorsLeaves*> SafetensorsFile::leaves() const {
  return leaves_.TryGet([&]() -> absl::StatusOr<SafetensorsLeaves> {
    return structure_.has_value() ? LeavesOfStructure() : LeavesOfNames();
  });
}

absl::StatusOr<SafetensorsLeaves> SafetensorsFile::LeavesOfNames() const {
  std::vector<absl::string_view> names;
  names.reserve(size_);
  for (uint32_t tensor = 0; tensor < size_; ++tensor) names.push_back(name(tensor));
  LEAFSTORE_ASSIGN_OR_RETURN(std::vector<Path> paths, PathsOfNames(names, options_.names));
  std::vector<uint32_t> order(size_);
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [&](uint32_t a, uint32_t b) { return paths[a] < paths[b]; });
  std::vector<Path> sorted;
  sorted.reserve(size_);
  for (const uint32_t tensor : order) sorted.push_back(std::move(paths[tensor]));
  SafetensorsLeaves made;
  LEAFSTORE_ASSIGN_OR_RETURN(made.layout_, Layout::Create(std::move(sorted)));
  made.slots_ = SlotSet::All(size_);
  made.numbers_.assign(order.begin(), order.end());
  return made;
}

absl::StatusOr<SafetensorsLeaves> SafetensorsFile::LeavesOfStructure() const {
  const StoreSpec& spec = structure_->spec;
  const auto wrong = [](absl::string_view expected, absl::string_view found) {
    return absl::DataLossError(absl::StrCat("metadata ", kSafetensorsStructureKey, ": expected ",
                                            expected, ", found ", found));
  };
  absl::StatusOr<std::vector<std::string>> names =
      NamesOf(spec.layout, spec.slots, structure_->names);
  if (!names.ok()) return wrong("names that differ", names.status().message());
  SafetensorsLeaves made;
  made.layout_ = spec.layout;
  made.slots_ = spec.slots;
  made.grouping_ = spec.grouping;
  for (uint32_t place = 0; place < spec.leaves.size(); ++place) {
    if (!spec.leaves.is_tensor(place)) {
      made.numbers_.push_back(-1 - static_cast<int64_t>(made.values_.size()));
      made.values_.push_back(spec.leaves.value(place));
      continue;
    }
    const auto quoted = [&] { return QuotedForMessage((*names)[place]); };
    const std::optional<uint32_t> tensor = Find((*names)[place]);
    if (!tensor.has_value()) return wrong(absl::StrCat("a tensor ", quoted()), "none in the file");
    const LeafSpec expected = spec.leaves.spec(place);
    const LeafSpec found = entry(*tensor).spec;
    if (!(found == expected)) {
      return wrong(absl::StrCat("tensor ", quoted(), " to be ", expected.ToString()),
                   found.ToString());
    }
    made.numbers_.push_back(*tensor);
  }
  // Names are unique, so equal counts mean equal sets.
  if (spec.leaves.tensor_count() != size_) {
    return wrong(absl::StrCat(spec.leaves.tensor_count(), " tensors"),
                 absl::StrCat(size_, " in the file"));
  }
  return made;
}

}  // namespace leafstore::internal
