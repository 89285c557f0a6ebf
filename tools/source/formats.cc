// How each format of a Source is recognized and opened.

#include <algorithm>
#include <cstddef>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "leafstore/core/error_reason.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/interop/internal/foreign.h"
#include "leafstore/interop/numpy/npy.h"
#include "leafstore/interop/numpy/npz.h"
#include "leafstore/interop/safetensors/checkpoint.h"
#include "leafstore/interop/safetensors/reader.h"
#include "leafstore/io/file_system.h"
#include "leafstore/io/internal/atomic_file_set.h"
#include "leafstore/tools/present/text.h"
#include "leafstore/tools/source/source.h"

namespace leafstore::tools {
namespace {

using SourceOr = absl::StatusOr<std::unique_ptr<Source>>;
using Places = std::optional<std::vector<uint32_t>>;  // null: all

constexpr absl::string_view kLeafMagic("\x89LEAF\r\n\x1a", 8);
constexpr absl::string_view kIndexSuffix = ".safetensors.index.json";

constexpr absl::string_view kNpyMagic("\x93NUMPY", 6);
constexpr absl::string_view kZipMagic("PK\x03\x04", 4);
constexpr absl::string_view kEmptyZipMagic("PK\x05\x06", 4);

// Returns whether `head` begins with `magic`, or is a prefix of it.
bool Begins(absl::string_view head, absl::string_view magic) {
  const size_t size = std::min(head.size(), magic.size());
  return size > 0 && head.substr(0, size) == magic.substr(0, size);
}

// Returns the format by the first bytes of a file; kSafetensors is a file, or an index of several.
// The name decides only where the bytes do not: a damaged file is then opened in the format of its
// name, so that the error is that of the format, with the position of the damage. error: the file
// system's; kForeign: a file of another kind; DataLoss: none of the formats, with what was expected
// and found.
absl::StatusOr<SourceFormat> DetectFormat(const std::string& file) {
  FileSystem& files = FileSystem::Posix();
  auto open = files.Open(file);
  if (!open.ok()) return internal::NameKeptAside(files, file, open.status());
  const std::unique_ptr<ReadableFile> opened = *std::move(open);
  std::string head(std::min(static_cast<size_t>(opened->size()), internal::kForeignBegin), '\0');
  LEAFSTORE_RETURN_IF_ERROR(
      opened->ReadAt(0, absl::MakeSpan(reinterpret_cast<std::byte*>(head.data()), head.size())));
  if (Begins(head, kLeafMagic)) return SourceFormat::kLeaf;
  if (Begins(head, kNpyMagic)) return SourceFormat::kNpy;
  if (Begins(head, kZipMagic) || Begins(head, kEmptyZipMagic)) return SourceFormat::kNpz;
  if (internal::LooksLikeSafetensors(head, opened->size()) || internal::LooksLikeJson(head) ||
      absl::EndsWith(file, kIndexSuffix)) {
    return SourceFormat::kSafetensors;
  }
  LEAFSTORE_RETURN_IF_ERROR(
      internal::CheckNotForeign(head, "a checkpoint, safetensors, .npz or .npy"));
  if (const std::optional<SourceFormat> named = FormatOfName(file)) return *named;
  // It may be a checkpoint whose first bytes are damaged, hence "preamble".
  const std::string found =
      head.empty() ? "an empty file" : absl::StrCat("'", absl::CHexEscape(head.substr(0, 16)), "'");
  return WithReason(
      absl::DataLossError(absl::StrCat(
          "preamble: expected '", absl::CHexEscape(kLeafMagic),
          "' (a checkpoint), a header's length and '{' (safetensors), '{' (an index of "
          "safetensors), 'PK' (npz) or '\\x93NUMPY' (npy), found ",
          found)),
      ErrorReason::kNotThisFormat);
}

SourceOr OpenSafetensors(const std::string& file, const SourceOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(
      const SafetensorsReader reader,
      SafetensorsReader::Open(file, {.io = options.io,
                                     .names = options.names,
                                     .strict = options.strict,
                                     .skip_unreadable = true,
                                     .one_shard = options.one_shard,
                                     .lenient = {.max_header = options.max_header}}));
  LEAFSTORE_ASSIGN_OR_RETURN(const SafetensorsLeaves* leaves, reader.GetLeaves());
  auto source = std::make_unique<Source>();
  source->format = SourceFormat::kSafetensors;
  source->file = reader.file();
  source->file_size = reader.file_size();
  source->description = "safetensors";
  source->notes = reader.notes();
  if (reader.metadata()) source->metadata = *reader.metadata();
  if (reader.is_set()) {
    source->other_files = reader.shards();
    absl::StrAppend(&source->description, ", ",
                    CountOf(static_cast<int64_t>(source->other_files.size()), "shard", "shards"));
  }
  source->items.push_back(
      {.name = std::string(kOnlyItem),
       .file = reader.file(),
       .layout = leaves->layout(),
       .slots = leaves->slots(),
       .grouping = leaves->grouping(),
       .unreadable = reader.unreadable(),
       .entry = [leaves](uint32_t place) { return leaves->entry(place); },
       .load = [reader](Places places) { return reader.Load({.places = std::move(places)}); },
       .save_options = [reader] { return ItemOptionsFromSafetensors(reader); }});
  source->verify = [reader] { return reader.Verify(); };
  return source;
}

EntryInfo EntryOf(const Leaf& leaf) {
  EntryInfo entry{leaf.spec()};
  if (leaf.is_value()) entry.value = &leaf.value();
  entry.stored_size = entry.spec.byte_size();  // 0 for a value
  return entry;
}

// Opens a file of NumPy, and loads its leaves.
SourceOr OpenNumpy(SourceFormat format, const std::string& file, const SourceOptions& options) {
  ParamStore loaded;
  std::vector<UnreadableLeaf> unreadable;
  NumpyOptions numpy = {.names = options.names, .void_dtypes = options.void_dtypes};
  if (!options.strict) numpy.unreadable = &unreadable;
  if (format == SourceFormat::kNpz) {
    LEAFSTORE_ASSIGN_OR_RETURN(loaded, LoadNpz(file, numpy));
  } else {
    LEAFSTORE_ASSIGN_OR_RETURN(Tensor tensor, LoadNpy(file, numpy));
    LEAFSTORE_ASSIGN_OR_RETURN(loaded, ParamStore::FromEntries({{Path(), std::move(tensor)}}));
  }
  LEAFSTORE_ASSIGN_OR_RETURN(const auto opened, FileSystem::Posix().Open(file));
  auto source = std::make_unique<Source>();
  source->format = format;
  source->file = file;
  source->file_size = opened->size();
  source->description = format == SourceFormat::kNpz ? "NumPy archive" : "NumPy array";
  const auto store = std::make_shared<const ParamStore>(std::move(loaded));
  source->items.push_back({.name = std::string(kOnlyItem),
                           .file = file,
                           .layout = store->layout(),
                           .slots = store->slots(),
                           .unreadable = std::move(unreadable),
                           .entry = [store](uint32_t place) { return EntryOf(store->leaf(place)); },
                           .load =
                               [store](const Places& places) {
                                 const SlotSet& all = store->slots();
                                 return store->Select(places ? all.AtPlaces(*places) : all);
                               }});
  source->verify = [] { return absl::OkStatus(); };  // loading has read and checked everything
  return source;
}

}  // namespace

absl::string_view SourceFormatName(SourceFormat format) {
  constexpr absl::string_view kNames[] = {"leaf", "safetensors", "npz", "npy"};
  return kNames[static_cast<size_t>(format)];
}

std::optional<SourceFormat> FormatOfName(absl::string_view file) {
  for (const SourceFormat format :
       {SourceFormat::kLeaf, SourceFormat::kSafetensors, SourceFormat::kNpz, SourceFormat::kNpy}) {
    if (absl::EndsWith(file, absl::StrCat(".", SourceFormatName(format)))) return format;
  }
  return std::nullopt;
}

std::unique_ptr<Source> LeafSource(const CheckpointReader& reader) {
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
    const CheckpointItemInfo info = reader.GetItem(name).value();
    source->items.push_back(
        {.name = name,
         .file = reader.path(),
         .layout = info.layout(),
         .slots = info.slots(),
         .grouping = info.grouping(),
         .metadata = info.metadata(),
         .has_checksums = true,
         .entry = [info](uint32_t place) { return info.entry(place); },
         .load = [reader,
                  name](Places places) { return reader.Load(name, {.places = std::move(places)}); },
         .load_rows =
             [reader, info, name](uint32_t place, const RowRange& rows) {
               return reader.LoadRows(name, info.PathText(place), rows);
             }});
  }
  source->read_mode = [reader] { return reader.read_mode(); };
  source->verify = [reader] { return reader.Verify(); };
  return source;
}

absl::StatusOr<std::unique_ptr<Source>> OpenFile(const std::string& file,
                                                 const SourceOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(const SourceFormat format, DetectFormat(file));
  if (format == SourceFormat::kSafetensors) return OpenSafetensors(file, options);
  if (format != SourceFormat::kLeaf) return OpenNumpy(format, file, options);
  LEAFSTORE_ASSIGN_OR_RETURN(
      const CheckpointReader reader,
      CheckpointReader::Open(file, {.io = options.io, .verify = options.verify}));
  return LeafSource(reader);
}

absl::StatusOr<std::unique_ptr<Source>> OpenSafetensorsDirectory(const std::string& directory,
                                                                 const SourceOptions& options) {
  SourceOr source = OpenSafetensors(directory, options);
  if (ReasonOf(source.status()) != ErrorReason::kNotThisFormat) return source;
  LEAFSTORE_ASSIGN_OR_RETURN(const auto names, FileSystem::Posix().List(directory));
  return absl::InvalidArgumentError(absl::StrCat(
      directory,
      ": expected a directory of checkpoints (step-<20 digits>.leaf) or of safetensors "
      "(*.safetensors.index.json, or *.safetensors), found neither among ",
      names.size(), names.size() == 1 ? " name" : " names", "; name a checkpoint's file"));
}

}  // namespace leafstore::tools
