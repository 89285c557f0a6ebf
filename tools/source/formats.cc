#include "leafstore/tools/source/formats.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/interop/numpy/npy.h"
#include "leafstore/interop/numpy/npz.h"
#include "leafstore/interop/safetensors/checkpoint.h"
#include "leafstore/interop/safetensors/reader.h"
#include "leafstore/io/file_system.h"
#include "leafstore/tools/present/text.h"

namespace leafstore::tools {
namespace {

using SourceOr = absl::StatusOr<std::unique_ptr<Source>>;

constexpr absl::string_view kLeafMagic("\x89LEAF\r\n\x1a", 8);
constexpr absl::string_view kIndexSuffix = ".safetensors.index.json";
constexpr absl::string_view kSafetensorsSuffix = ".safetensors";

constexpr absl::string_view kNpyMagic("\x93NUMPY", 6);
constexpr absl::string_view kZipMagic("PK\x03\x04", 4);
constexpr absl::string_view kEmptyZipMagic("PK\x05\x06", 4);

// The formats of files whose first bytes do not decide.
constexpr std::pair<absl::string_view, SourceFormat> kSuffixes[] = {
    {".leaf", SourceFormat::kLeaf},
    {kSafetensorsSuffix, SourceFormat::kSafetensors},
    {kIndexSuffix, SourceFormat::kSafetensors},
    {".npz", SourceFormat::kNpz},
    {".npy", SourceFormat::kNpy}};

// Returns whether `head` begins with a length that fits into the file, and an object.
bool IsSafetensors(absl::string_view head, int64_t file_size) {
  if (head.size() < 9 || head[8] != '{') return false;
  uint64_t length = 0;
  std::memcpy(&length, head.data(), sizeof(length));
  return length >= 2 && length <= static_cast<uint64_t>(file_size) - 8;
}

bool IsIndex(absl::string_view head) {
  const size_t first = head.find_first_not_of(" \t\r\n");
  return first != absl::string_view::npos && head[first] == '{';
}

// Returns whether `head` begins with `magic`, or is a prefix of it.
bool Begins(absl::string_view head, absl::string_view magic) {
  const size_t size = std::min(head.size(), magic.size());
  return size > 0 && head.substr(0, size) == magic.substr(0, size);
}

// Returns the format by the first bytes of a file; kSafetensors is a file, or an index of several.
// The name decides only where the bytes do not: a damaged file is then opened in the format of its
// name, so that the error is that of the format, with the position of the damage. error: the file
// system's; DataLoss: none of the formats, with what was expected and found.
absl::StatusOr<SourceFormat> DetectFormat(const std::string& file) {
  LEAFSTORE_ASSIGN_OR_RETURN(const std::unique_ptr<ReadableFile> opened,
                             FileSystem::Posix().Open(file));
  std::string head(static_cast<size_t>(std::min<int64_t>(opened->size(), 16)), '\0');
  LEAFSTORE_RETURN_IF_ERROR(
      opened->ReadAt(0, absl::MakeSpan(reinterpret_cast<std::byte*>(head.data()), head.size())));
  if (Begins(head, kLeafMagic)) return SourceFormat::kLeaf;
  if (Begins(head, kNpyMagic)) return SourceFormat::kNpy;
  if (Begins(head, kZipMagic) || Begins(head, kEmptyZipMagic)) return SourceFormat::kNpz;
  if (IsSafetensors(head, opened->size()) || IsIndex(head)) return SourceFormat::kSafetensors;
  for (const auto& [suffix, kind] : kSuffixes) {
    if (absl::EndsWith(file, suffix)) return kind;
  }
  // It may be a checkpoint whose first bytes are damaged, hence "preamble".
  return absl::DataLossError(absl::StrCat(
      "preamble: expected '", absl::CHexEscape(kLeafMagic),
      "' (a checkpoint), a header's length "
      "and '{' (safetensors), '{' (an index of safetensors), 'PK' (npz) or '\\x93NUMPY' (npy), ",
      head.empty() ? "found an empty file" : absl::StrCat("found '", absl::CHexEscape(head), "'")));
}

// An item of a checkpoint.
class LeafItem : public SourceItem {
 public:
  LeafItem(const CheckpointReader& reader, const CheckpointItemInfo& info)
      : SourceItem(reader.path(), info.name(), info.layout(), info.slots()),
        reader_(reader),
        info_(info) {
    grouping_ = info.grouping();
    metadata_ = info.metadata();
  }

  EntryInfo entry(uint32_t place) const override { return info_.entry(place); }
  bool has_checksums() const override { return true; }
  absl::StatusOr<ParamStore> Load(absl::Span<const uint32_t> places) const override {
    return reader_.Load(name_, {.places = std::vector<uint32_t>(places.begin(), places.end())});
  }

 private:
  CheckpointReader reader_;  // a copy shares the open file
  CheckpointItemInfo info_;
};

class SafetensorsItem : public SourceItem {
 public:
  SafetensorsItem(const SafetensorsReader& reader, const SafetensorsLeaves& leaves)
      : SourceItem(reader.path(), std::string(kOnlyItem), leaves.layout(), leaves.slots()),
        reader_(reader),
        leaves_(leaves) {
    grouping_ = leaves.grouping();
  }

  EntryInfo entry(uint32_t place) const override { return leaves_.entry(place); }
  absl::StatusOr<ParamStore> Load(absl::Span<const uint32_t> places) const override {
    return reader_.Load({.places = std::vector<uint32_t>(places.begin(), places.end())});
  }
  absl::StatusOr<ItemOptions> SavedWith() const override {
    return ItemOptionsFromSafetensors(reader_);
  }

 private:
  SafetensorsReader reader_;  // a copy shares the open files
  const SafetensorsLeaves& leaves_;
};

// An item whose leaves are loaded when the file is opened.
class StoreItem : public SourceItem {
 public:
  StoreItem(const std::string& file, ParamStore store)
      : SourceItem(file, std::string(kOnlyItem), store.layout(), store.slots()),
        store_(std::move(store)) {}

  EntryInfo entry(uint32_t place) const override {
    const Leaf& leaf = store_.leaf(place);
    EntryInfo info{leaf.spec()};
    if (leaf.is_value()) info.value = &leaf.value();
    info.stored_size = info.spec.byte_size();  // 0 for a value
    return info;
  }
  absl::StatusOr<ParamStore> Load(absl::Span<const uint32_t> places) const override {
    return store_.Select(slots_.AtPlaces(places));
  }

 private:
  ParamStore store_;
};

SourceOr OpenSafetensors(const std::string& file, const SourceOptions& options) {
  SafetensorsReadOptions read;
  read.names = options.names;
  read.io = options.io;
  LEAFSTORE_ASSIGN_OR_RETURN(const SafetensorsReader reader, SafetensorsReader::Open(file, read));
  LEAFSTORE_ASSIGN_OR_RETURN(const SafetensorsLeaves* leaves, reader.GetLeaves());
  auto source = std::make_unique<Source>();
  source->format = SourceFormat::kSafetensors;
  source->file = reader.path();
  source->file_size = reader.file_size();
  source->description = "safetensors";
  if (reader.metadata()) source->metadata = *reader.metadata();
  if (reader.is_set()) {
    source->other_files = reader.shards();
    absl::StrAppend(&source->description, ", ",
                    CountOf(static_cast<int64_t>(source->other_files.size()), "shard", "shards"));
  }
  source->items.push_back(std::make_unique<SafetensorsItem>(reader, *leaves));
  source->verify = [reader] { return reader.Verify(); };
  return source;
}

SourceOr SourceOf(SourceFormat format, const std::string& file, ParamStore store) {
  LEAFSTORE_ASSIGN_OR_RETURN(const auto opened, FileSystem::Posix().Open(file));
  auto source = std::make_unique<Source>();
  source->format = format;
  source->file = file;
  source->file_size = opened->size();
  source->description = format == SourceFormat::kNpz ? "NumPy archive" : "NumPy array";
  source->items.push_back(std::make_unique<StoreItem>(file, std::move(store)));
  source->verify = [] { return absl::OkStatus(); };  // loading has read and checked everything
  return source;
}

SourceOr OpenNpz(const std::string& file, const SourceOptions& options) {
  NumpyOptions read;
  read.names = options.names;
  LEAFSTORE_ASSIGN_OR_RETURN(ParamStore store, LoadNpz(file, read));
  return SourceOf(SourceFormat::kNpz, file, std::move(store));
}

SourceOr OpenNpy(const std::string& file) {
  LEAFSTORE_ASSIGN_OR_RETURN(Tensor tensor, LoadNpy(file));
  std::vector<std::pair<Path, Leaf>> entries;
  entries.emplace_back(Path(), std::move(tensor));
  LEAFSTORE_ASSIGN_OR_RETURN(ParamStore store, ParamStore::FromEntries(std::move(entries)));
  return SourceOf(SourceFormat::kNpy, file, std::move(store));
}

}  // namespace

absl::string_view SourceFormatName(SourceFormat format) {
  constexpr absl::string_view kNames[] = {"leaf", "safetensors", "npz", "npy"};
  return kNames[static_cast<size_t>(format)];
}

ReadOptions ReadOptionsOf(const SourceOptions& options) {
  ReadOptions read;
  read.verify = options.verify;
  read.io = options.io;
  return read;
}

std::unique_ptr<Source> LeafSource(CheckpointReader reader) {
  auto source = std::make_unique<Source>();
  source->format = SourceFormat::kLeaf;
  source->file = reader.path();
  source->file_size = reader.file_size();
  source->format_version = reader.producer_version();
  source->description = absl::StrCat("format version ", source->format_version);
  source->metadata = reader.metadata();
  source->metrics = reader.metrics();
  for (const BaseFile& base : reader.bases()) source->other_files.push_back(base.name);
  for (const std::string& name : reader.items()) {
    source->items.push_back(std::make_unique<LeafItem>(reader, reader.GetItem(name).value()));
  }
  source->verify = [reader] { return reader.Verify(); };
  return source;
}

absl::StatusOr<std::unique_ptr<Source>> OpenFile(const std::string& file,
                                                 const SourceOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(const SourceFormat format, DetectFormat(file));
  if (format == SourceFormat::kSafetensors) return OpenSafetensors(file, options);
  if (format == SourceFormat::kNpz) return OpenNpz(file, options);
  if (format == SourceFormat::kNpy) return OpenNpy(file);
  LEAFSTORE_ASSIGN_OR_RETURN(CheckpointReader reader,
                             CheckpointReader::Open(file, ReadOptionsOf(options)));
  return LeafSource(std::move(reader));
}

absl::StatusOr<std::string> FileOfDirectory(const std::string& directory) {
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<std::string> names,
                             FileSystem::Posix().List(directory));
  for (const absl::string_view suffix : {kIndexSuffix, kSafetensorsSuffix}) {
    std::vector<std::string> found;
    for (const std::string& name : names) {
      if (absl::EndsWith(name, suffix)) found.push_back(name);
    }
    if (found.size() == 1) return absl::StrCat(directory, "/", found[0]);
    if (found.size() > 1) {
      constexpr size_t kMostNamed = 10;
      if (found.size() > kMostNamed) {
        found.resize(kMostNamed);
        found.emplace_back("...");
      }
      return absl::InvalidArgumentError(absl::StrCat(directory, ": expected one *", suffix,
                                                     ", found ", absl::StrJoin(found, ", "),
                                                     "; name the file that is meant"));
    }
  }
  return absl::InvalidArgumentError(absl::StrCat(
      directory,
      ": expected a directory of checkpoints (step-<20 digits>.leaf) or of safetensors "
      "(*.safetensors.index.json, or one *.safetensors), found neither among ",
      names.size(), names.size() == 1 ? " name" : " names", "; name a checkpoint's file"));
}

}  // namespace leafstore::tools
