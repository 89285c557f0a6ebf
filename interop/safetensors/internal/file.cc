#include "leafstore/interop/safetensors/internal/file.h"

#include <algorithm>
#include <filesystem>
#include <numeric>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "leafstore/core/error_reason.h"
#include "leafstore/core/internal/hash_tables.h"
#include "leafstore/core/internal/list_for_message.h"
#include "leafstore/core/internal/suggest.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/interop/internal/foreign.h"
#include "leafstore/interop/internal/json_text.h"

namespace leafstore::internal {
namespace {

constexpr absl::string_view kExpected = "a file of safetensors";

// The size of the first read. It includes the header of most files and needs no new page from the
// system; longer headers are cheaper to map than to copy.
constexpr int64_t kFirstRead = int64_t{16} << 10;
constexpr int64_t kLongHeader = int64_t{1} << 20;

// Reads the first bytes of a file, without mapping it, into `*scratch`.
absl::StatusOr<absl::Span<const std::byte>> ReadBegin(const FileBytes& file, int64_t size,
                                                      Buffer* scratch) {
  LEAFSTORE_ASSIGN_OR_RETURN(*scratch, Buffer::AllocateUninitialized(size));
  const absl::Span<std::byte> out(scratch->mutable_data(), static_cast<size_t>(size));
  LEAFSTORE_RETURN_IF_ERROR(file.ReadAt(0, out));
  return absl::Span<const std::byte>(out);
}

// Reads the header of a file whose first bytes are `bytes`.
absl::StatusOr<SafetensorsHeader> ReadHeader(const FileBytes& file,
                                             absl::Span<const std::byte> bytes,
                                             const SafetensorsReadOptions& options) {
  constexpr int64_t kPrefix = sizeof(uint64_t);
  Buffer scratch;
  const absl::string_view begin = AsText(bytes);
  if (FileKindOf(begin, file.size()) != FileKind::kSafetensors) {
    LEAFSTORE_RETURN_IF_ERROR(WithContext(CheckNotForeign(begin, kExpected), file.path()));
  }
  LEAFSTORE_ASSIGN_OR_RETURN(
      const int64_t length,
      WithContext(SafetensorsHeader::ParseLength(bytes, file.size(), options.lenient),
                  file.path()));
  const int64_t end = kPrefix + length;
  auto behind = static_cast<int64_t>(bytes.size()) - end;
  if (behind < 0 && options.io.mode != ReadMode::kRead && length >= kLongHeader) {
    LEAFSTORE_ASSIGN_OR_RETURN(bytes, file.Get(0, end, &scratch));
    behind = file.size() - end;
  } else if (behind < 0) {
    LEAFSTORE_ASSIGN_OR_RETURN(bytes, ReadBegin(file, end, &scratch));
  }
  const absl::string_view text = AsText(bytes.subspan(kPrefix, static_cast<size_t>(length)));
  return WithContext(SafetensorsHeader::Parse(text, file.size(), options.lenient, behind),
                     file.path());
}

// Returns the path whose name may be that of a shard: `path`, or the file that it links to if its
// own name is not that of a shard.
std::string AsNamed(const std::string& path, const IoOptions& io) {
  std::error_code ignored;
  if (io.file_system != nullptr || ParseShardName(FileNameOf(path)).has_value() ||
      !std::filesystem::is_symlink(path, ignored)) {
    return path;
  }
  const std::string target = std::filesystem::canonical(path, ignored).string();
  return ParseShardName(FileNameOf(target)).has_value() ? target : path;
}

// Returns whether the error of an index or a directory may concern only them, and not this process.
bool IsOfFile(const absl::Status& status) {
  return absl::IsDataLoss(status) || absl::IsInvalidArgument(status) ||
         absl::IsPermissionDenied(status);
}

// Returns whether an error is that of a set, and not of one of its files.
bool IsOfSet(const absl::Status& status) {
  const ErrorReason reason = ReasonOf(status);
  return reason == ErrorReason::kIncomplete || reason == ErrorReason::kAmbiguous;
}

// Adds to the error of a set what to do if the named file is not part of a set.
absl::Status WithOneShard(const absl::Status& status, const std::string& path) {
  return WithMessage(status, absl::StrCat(status.message(), "; if ", FileNameOf(path),
                                          " is a complete model, one_shard (--one-shard) reads it "
                                          "alone"));
}

}  // namespace

absl::Status SafetensorsFile::WithPath(const absl::Status& status) const {
  return WithContext(status, path_);
}

absl::Status SafetensorsFile::Named(uint32_t tensor, const absl::Status& status) const {
  return WithContext(status, absl::StrCat(ShardOf(tensor).bytes->path(), ": tensor ",
                                          QuotedForMessage(name(tensor))));
}

absl::StatusOr<std::shared_ptr<const SafetensorsFile>> SafetensorsFile::Open(
    const std::string& path, const SafetensorsReadOptions& options) {
  std::shared_ptr<SafetensorsFile> file(new SafetensorsFile());
  file->path_ = path;
  file->file_ = path;
  file->options_ = options;
  LEAFSTORE_RETURN_IF_ERROR(file->OpenPath());
  // Only now: damage matters more than what is unusual.
  if (options.strict) LEAFSTORE_RETURN_IF_ERROR(file->CheckStrict());
  file->note_lines_ = file->notes_.Lines();
  return file;
}

absl::Status SafetensorsFile::OpenPath() {
  LEAFSTORE_ASSIGN_OR_RETURN(const bool is_open, OpenSetOf(AsNamed(path_, options_.io)));
  if (is_open) return absl::OkStatus();
  absl::StatusOr<std::unique_ptr<FileBytes>> bytes = FileBytes::Open(path_, options_.io);
  if (bytes.ok()) return OpenFile(*std::move(bytes));
  if (!absl::IsInvalidArgument(bytes.status())) return bytes.status();
  absl::StatusOr<std::vector<std::string>> names = options_.io.files().List(path_);
  if (!names.ok()) return bytes.status();  // not a directory either
  LEAFSTORE_ASSIGN_OR_RETURN(const SafetensorsPlace place,
                             WithContext(FindInDirectory(path_, *names, &notes_), path_));
  beside_ = *std::move(names);
  return OpenPlace(place);
}

absl::StatusOr<bool> SafetensorsFile::OpenSetOf(const std::string& path) {
  const std::string name = FileNameOf(path);
  const std::optional<ShardName> shard = ParseShardName(name);
  const auto advised = [&](const absl::Status& status, bool may_help) {
    return may_help ? WithOneShard(status, path_) : status;
  };
  if (options_.one_shard || !IsModelName(name) || IsIndexName(name)) return false;
  const absl::StatusOr<std::vector<std::string>> names =
      options_.io.files().List(DirectoryOf(path));
  if (!names.ok()) {
    if (!shard.has_value() || absl::IsNotFound(names.status())) return false;
    return advised(names.status(), IsOfFile(names.status()));
  }
  if (!std::binary_search(names->begin(), names->end(), name)) return false;
  for (const std::string& other : IndexesThatMayList(name, *names)) {
    const std::string index_path = InDirectoryOf(path, other);
    const auto bytes = FileBytes::Open(index_path, options_.io);
    absl::StatusOr<SafetensorsIndex> index = bytes.ok() ? ReadIndex(**bytes) : bytes.status();
    if (!index.ok() && shard.has_value() && IsIndexOf(other, shard->stem)) {
      return advised(index.status(), IsOfFile(index.status()));
    }
    if (!index.ok() || !std::binary_search(index->files.begin(), index->files.end(), name)) {
      continue;  // an index of another set
    }
    if (!shard.has_value() && index->files.size() == 1) continue;
    AddOneShard(path, &notes_);
    const absl::Status opened = OpenIndex(index_path, *std::move(index));
    if (!opened.ok()) return advised(opened, IsOfSet(opened));
    return true;
  }
  if (!shard.has_value()) return false;
  const absl::StatusOr<SafetensorsPlace> place = FindShards(path, *shard, *names, &notes_);
  if (!place.ok()) return advised(WithContext(place.status(), path_), true);
  const absl::Status opened = OpenPlace(*place);
  if (!opened.ok()) return advised(opened, IsOfSet(opened));
  return true;
}

absl::Status SafetensorsFile::OpenPlace(const SafetensorsPlace& place) {
  file_ = place.file;
  if (place.kind == SafetensorsPlace::kFile) {
    LEAFSTORE_ASSIGN_OR_RETURN(auto bytes, FileBytes::Open(file_, options_.io));
    return OpenFile(std::move(bytes));
  }
  is_set_ = true;
  LEAFSTORE_RETURN_IF_ERROR(
      OpenShards(absl::StrCat(absl::StripSuffix(file_, "/"), "/"), place.shards));
  LEAFSTORE_RETURN_IF_ERROR(WithPath(CheckDifferentNames()));
  return Finish();
}

absl::Status SafetensorsFile::OpenFile(std::unique_ptr<FileBytes> bytes) {
  Buffer scratch;
  LEAFSTORE_ASSIGN_OR_RETURN(const auto begin,
                             ReadBegin(*bytes, std::min(bytes->size(), kFirstRead), &scratch));
  const FileKind kind = FileKindOf(AsText(begin), bytes->size());
  if (kind == FileKind::kJson ||
      (kind != FileKind::kSafetensors && absl::EndsWith(bytes->path(), ".json"))) {
    LEAFSTORE_ASSIGN_OR_RETURN(SafetensorsIndex index, ReadIndex(*bytes));
    return OpenIndex(bytes->path(), std::move(index));
  }
  if (kind == FileKind::kSafetensors && !options_.one_shard) {
    const absl::Status whole = CheckNoShardWithoutSuffix(FileNameOf(bytes->path()));
    if (!whole.ok()) return WithOneShard(WithContext(whole, bytes->path()), bytes->path());
  }
  std::string name = FileNameOf(bytes->path());
  LEAFSTORE_RETURN_IF_ERROR(AddShard(std::move(name), std::move(bytes), begin));
  return Finish();
}

absl::Status SafetensorsFile::AddShard(std::string name, std::unique_ptr<FileBytes> bytes,
                                       absl::Span<const std::byte> begin) {
  Shard shard;
  shard.name = std::move(name);
  shard.bytes = std::move(bytes);
  LEAFSTORE_ASSIGN_OR_RETURN(shard.header, ReadHeader(*shard.bytes, begin, options_));
  shards_.push_back(std::move(shard));
  return absl::OkStatus();
}

absl::Status SafetensorsFile::OpenShards(const std::string& beside,
                                         absl::Span<const std::string> names) {
  std::vector<std::string> missing;
  for (const std::string& name : names) {
    const std::string path = InDirectoryOf(beside, name);
    if (!missing.empty()) {  // only what else is missing matters, and not why
      const absl::Status exists = options_.io.files().Open(path).status();
      if (absl::IsNotFound(exists)) missing.push_back(name);
      if (!exists.ok() && !absl::IsNotFound(exists)) return exists;
      continue;
    }
    auto bytes = FileBytes::Open(path, options_.io);
    if (absl::IsNotFound(bytes.status())) {
      missing.push_back(name);
      continue;
    }
    if (!bytes.ok()) return bytes.status();
    Buffer scratch;
    LEAFSTORE_ASSIGN_OR_RETURN(
        const auto begin, ReadBegin(**bytes, std::min((*bytes)->size(), kFirstRead), &scratch));
    LEAFSTORE_RETURN_IF_ERROR(AddShard(name, *std::move(bytes), begin));
  }
  if (missing.empty()) return absl::OkStatus();
  return WithReason(
      absl::NotFoundError(absl::StrCat(
          file_, ": expected the ", names.size(), " shards that it names, found ",
          names.size() - missing.size(), "; these do not exist: ", ListForMessage(missing))),
      ErrorReason::kIncomplete);
}

absl::StatusOr<SafetensorsIndex> SafetensorsFile::ReadIndex(const FileBytes& bytes) const {
  if (const int64_t most = MaxSafetensorsHeader(options_.lenient); bytes.size() > most) {
    return absl::ResourceExhaustedError(absl::StrCat(
        bytes.path(), ": expected an index of at most ", most, " bytes, found ", bytes.size()));
  }
  Buffer scratch;
  LEAFSTORE_ASSIGN_OR_RETURN(const auto text, ReadBegin(bytes, bytes.size(), &scratch));
  return WithContext(ParseSafetensorsIndex(AsText(text)), bytes.path());
}

absl::Status SafetensorsFile::OpenIndex(const std::string& path, SafetensorsIndex index) {
  is_set_ = true;
  file_ = path;
  LEAFSTORE_RETURN_IF_ERROR(OpenShards(path, index.files));
  notes_.AddAll("", index.notes);
  LEAFSTORE_RETURN_IF_ERROR(WithContext(ApplyIndex(index), path));
  return Finish();
}

absl::Status SafetensorsFile::Finish() {
  uint64_t size = 0;
  AddNotRead();
  CombineMetadata();
  for (Shard& shard : shards_) {
    shard.first_tensor = static_cast<uint32_t>(size);
    size += shard.header.size();
    if (size >= kNoSlot ||
        __builtin_add_overflow(tensor_bytes_, shard.header.total_bytes(), &tensor_bytes_)) {
      return WithPath(absl::ResourceExhaustedError(
          "expected shards of less than 2^32 tensors and 2^63 bytes in all, found more"));
    }
    notes_.AddAll(is_set_ ? absl::StrCat(shard.name, ": ") : "", shard.header.notes());
  }
  size_ = static_cast<uint32_t>(size);
  return options_.ignore_structure ? absl::OkStatus() : WithPath(ReadStructure());
}

void SafetensorsFile::AddNotRead() {
  for (const std::string& name : beside_) {
    const bool is_read = name == FileNameOf(file_) ||
                         std::any_of(shards_.begin(), shards_.end(),
                                     [&name](const Shard& shard) { return shard.name == name; });
    if (is_read || !IsModelName(name)) continue;
    const std::string read = FileNameOf(is_set_ && !IsIndexName(file_) ? shards_[0].name : file_);
    internal::AddNotRead(read, name, &notes_);
  }
}

void SafetensorsFile::CombineMetadata() {
  for (const Shard& shard : shards_) {
    const std::optional<Metadata>& metadata = shard.header.metadata();
    if (!metadata.has_value()) continue;
    if (!metadata_.has_value()) metadata_.emplace();
    for (const auto& [key, value] : *metadata) {
      const auto [at, is_new] = metadata_->emplace(key, value);
      if (is_new || at->second == value || key == kSafetensorsStructureKey) continue;
      notes_.Add("metadata", [&, key = key] {
        return absl::DataLossError(absl::StrCat("metadata ", QuotedForMessage(key),
                                                ": expected the same in all shards, found another ",
                                                "in ", shard.name, "; the first is used"));
      });
    }
  }
}

absl::Status SafetensorsFile::CheckStrict() const {
  LEAFSTORE_RETURN_IF_ERROR(WithPath(notes_.CheckNone()));
  const std::vector<UnreadableLeaf> leaves = unreadable();
  return leaves.empty() ? absl::OkStatus() : NotReadable(leaves[0]);
}

absl::Status SafetensorsFile::ReadStructure() {
  const std::string key(kSafetensorsStructureKey);
  std::optional<std::string> text;
  for (const Shard& shard : shards_) {
    std::optional<std::string> here;
    if (const std::optional<Metadata>& metadata = shard.header.metadata(); metadata.has_value()) {
      if (const auto at = metadata->find(key); at != metadata->end()) here = at->second;
    }
    if (&shard == &shards_.front()) text = here;
    if (here != text) {
      return DamagedStructure("the same in all shards", absl::StrCat("another in ", shard.name));
    }
  }
  if (!text.has_value()) return absl::OkStatus();
  absl::StatusOr<SafetensorsStructure> structure = DecodeSafetensorsStructure(*text);
  const auto advised = [](const absl::Status& status) {
    return WithMessage(status, absl::StrCat(status.message(),
                                            "; without the structure, the tensors can be loaded "
                                            "(ignore_structure, --ignore-structure)"));
  };
  if (!structure.ok()) return advised(structure.status());
  structure_ = *std::move(structure);
  metadata_->erase(key);
  if (metadata_->empty()) metadata_.reset();
  const absl::Status fits = leaves().status();
  if (!absl::IsDataLoss(fits)) return fits;
  return WithReason(advised(fits),
                    ErrorReason::kAmbiguous);  // written by a program that kept the old structure
}

const SafetensorsFile::Shard& SafetensorsFile::ShardOf(uint32_t tensor) const {
  if (shards_.size() == 1) return shards_[0];
  const auto after = std::upper_bound(
      shards_.begin(), shards_.end(), tensor,
      [](uint32_t wanted, const Shard& shard) { return wanted < shard.first_tensor; });
  return *(after - 1);
}

absl::string_view SafetensorsFile::name(uint32_t tensor) const {
  const Shard& shard = ShardOf(tensor);
  return shard.header.name(tensor - shard.first_tensor);
}

EntryInfo SafetensorsFile::entry(uint32_t tensor) const {
  const Shard& shard = ShardOf(tensor);
  const uint32_t at = tensor - shard.first_tensor;
  EntryInfo info{shard.header.spec(at)};
  info.stored_size = shard.header.byte_size(at);
  info.offset = shard.header.offset(at);
  if (is_set_) info.base = static_cast<uint32_t>(&shard - shards_.data()) + 1;
  return info;
}

std::optional<uint32_t> SafetensorsFile::Find(absl::string_view wanted) const {
  const auto& index = index_.Get([&] {
    HashMap<absl::string_view, uint32_t> made;
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
  for (const UnreadableLeaf& one : unreadable()) {
    if (one.name == wanted) return NotReadable(one);
  }
  std::vector<absl::string_view> names;
  for (uint32_t tensor = 0; tensor < size_; ++tensor) names.push_back(name(tensor));
  return absl::NotFoundError(
      absl::StrCat(path_, ": no tensor ", QuotedForMessage(wanted), DidYouMean(wanted, names)));
}

std::vector<UnreadableLeaf> SafetensorsFile::unreadable() const {
  std::vector<UnreadableLeaf> all;
  for (const Shard& shard : shards_) {
    const std::vector<UnreadableLeaf>& here = shard.header.unreadable();
    all.insert(all.end(), here.begin(), here.end());
  }
  return all;
}

absl::Status SafetensorsFile::NotReadable(const UnreadableLeaf& one) const {
  return WithPath(absl::UnimplementedError(
      absl::StrCat("tensor ", QuotedForMessage(one.name), " is not readable: ", one.what)));
}

absl::Status SafetensorsFile::CheckReadable() const {
  for (const Shard& shard : shards_) {
    if (options_.skip_unreadable || shard.header.unreadable().empty()) continue;
    return NotReadable(shard.header.unreadable()[0]);
  }
  return absl::OkStatus();
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
  SafetensorsLeaves made;
  made.file_ = this;
  made.indices_.resize(size_);
  std::iota(made.indices_.begin(), made.indices_.end(), 0);
  std::sort(made.indices_.begin(), made.indices_.end(), [&](int64_t a, int64_t b) {
    return paths[static_cast<size_t>(a)] < paths[static_cast<size_t>(b)];
  });
  std::vector<Path> sorted;
  sorted.reserve(size_);
  for (const int64_t tensor : made.indices_) {
    sorted.push_back(std::move(paths[static_cast<size_t>(tensor)]));
  }
  LEAFSTORE_ASSIGN_OR_RETURN(made.layout_, Layout::Create(std::move(sorted)));
  made.slots_ = SlotSet::All(size_);
  return made;
}

absl::StatusOr<uint32_t> SafetensorsFile::FindAs(absl::string_view wanted,
                                                 const LeafSpec& expected) const {
  const std::optional<uint32_t> tensor = Find(wanted);
  if (!tensor.has_value()) {
    return DamagedStructure(absl::StrCat("a tensor ", QuotedForMessage(wanted)),
                            "none in the file");
  }
  const LeafSpec found = entry(*tensor).spec;
  if (found == expected) return *tensor;
  return DamagedStructure(
      absl::StrCat("tensor ", QuotedForMessage(wanted), " to be ", expected.ToString()),
      found.ToString());
}

absl::StatusOr<SafetensorsLeaves> SafetensorsFile::LeavesOfStructure() const {
  const StoreSpec& spec = structure_->spec;
  absl::StatusOr<std::vector<std::string>> names =
      NamesOf(spec.layout, spec.slots, structure_->names);
  if (!names.ok()) return DamagedStructure("names that differ", names.status().message());
  SafetensorsLeaves made;
  made.file_ = this;
  made.layout_ = spec.layout;
  made.slots_ = spec.slots;
  made.grouping_ = spec.grouping;
  for (uint32_t place = 0; place < spec.leaves.size(); ++place) {
    if (!spec.leaves.is_tensor(place)) {
      made.indices_.push_back(-1 - static_cast<int64_t>(made.values_.size()));
      made.values_.push_back(spec.leaves.value(place));
      continue;
    }
    LEAFSTORE_ASSIGN_OR_RETURN(const uint32_t tensor,
                               FindAs((*names)[place], spec.leaves.spec(place)));
    made.indices_.push_back(tensor);
  }
  // Names are unique, so equal counts mean equal sets.
  if (spec.leaves.tensor_count() != size_) {
    return DamagedStructure(absl::StrCat(spec.leaves.tensor_count(), " tensors"),
                            absl::StrCat(size_, " in the file"));
  }
  return made;
}

absl::StatusOr<Tensor> SafetensorsFile::LoadTensor(uint32_t tensor) const {
  SafetensorsLeaves one;
  one.file_ = this;
  one.indices_ = {tensor};
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<Leaf> loaded, FileLeaves(*this, one).Load({0}));
  return loaded[0].tensor();
}

}  // namespace leafstore::internal
