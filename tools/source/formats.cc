// How each format of a Source is recognized and opened.

#include <algorithm>
#include <cstddef>
#include <limits>
#include <numeric>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "leafstore/core/error_reason.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/interop/internal/foreign.h"
#include "leafstore/interop/numpy/internal/npz_reader.h"
#include "leafstore/interop/numpy/npy.h"
#include "leafstore/interop/safetensors/checkpoint.h"
#include "leafstore/interop/safetensors/reader.h"
#include "leafstore/io/file_system.h"
#include "leafstore/io/internal/atomic_file_set.h"
#include "leafstore/tools/present/text.h"
#include "leafstore/tools/source/directory_kinds.h"
#include "leafstore/tools/source/source.h"

namespace leafstore::tools {
namespace {

using SourceOr = absl::StatusOr<std::unique_ptr<Source>>;
using Places = std::optional<std::vector<uint32_t>>;  // null: all

constexpr absl::string_view kIndexSuffix = ".safetensors.index.json";

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
  switch (internal::FileKindOf(head, opened->size())) {
    case internal::FileKind::kLeaf:
      return SourceFormat::kLeaf;
    case internal::FileKind::kNpy:
      return SourceFormat::kNpy;
    case internal::FileKind::kZip:
      return SourceFormat::kNpz;
    case internal::FileKind::kSafetensors:
    case internal::FileKind::kJson:
      return SourceFormat::kSafetensors;
    case internal::FileKind::kUnknown:
    case internal::FileKind::kForeign:
      break;
  }
  if (absl::EndsWith(file, kIndexSuffix)) return SourceFormat::kSafetensors;
  LEAFSTORE_RETURN_IF_ERROR(
      internal::CheckNotForeign(head, "a checkpoint, safetensors, .npz or .npy"));
  if (const std::optional<SourceFormat> named = FormatOfName(file)) return *named;
  // It may be a checkpoint whose first bytes are damaged, hence "preamble".
  const std::string found =
      head.empty() ? "an empty file" : absl::StrCat("'", absl::CHexEscape(head.substr(0, 16)), "'");
  return WithReason(
      absl::DataLossError(absl::StrCat(
          "preamble: expected '\\x89LEAF' (a checkpoint), a header's length and '{' (safetensors), "
          "'{' (an index of safetensors), 'PK' (npz) or '\\x93NUMPY' (npy), found ",
          found)),
      ErrorReason::kNotThisFormat);
}

SourceOr OpenSafetensors(const std::string& file, const SourceOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(
      const SafetensorsReader reader,
      SafetensorsReader::Open(file, {.io = options.io,
                                     .names = options.names,
                                     .ignore_structure = options.ignore_structure,
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
       .unlisted = reader.unlisted(),
       .has_names = true,
       .entry = [leaves](uint32_t place) { return leaves->entry(place); },
       .load = [reader](Places places) { return reader.Load({.places = std::move(places)}); },
       .save_options = [reader] { return ItemOptionsFromSafetensors(reader); }});
  source->verify = [reader] { return reader.Verify(); };
  return source;
}

// Opens a NumPy array, and loads it.
SourceOr OpenNpy(const std::string& file, const SourceOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(Tensor tensor, LoadNpy(file, {.void_dtypes = options.void_dtypes}));
  LEAFSTORE_ASSIGN_OR_RETURN(ParamStore loaded,
                             ParamStore::FromEntries({{Path(), std::move(tensor)}}));
  LEAFSTORE_ASSIGN_OR_RETURN(const auto opened, FileSystem::Posix().Open(file));
  const auto store = std::make_shared<const ParamStore>(std::move(loaded));
  const auto entry = [store](uint32_t place) {
    const LeafSpec spec = store->leaf(place).spec();
    return EntryInfo{.spec = spec, .stored_size = spec.byte_size()};
  };
  const auto load = [store](const Places& places) {
    const SlotSet& all = store->slots();
    return store->Select(places ? all.AtPlaces(*places) : all);
  };
  auto source = std::make_unique<Source>();
  source->format = SourceFormat::kNpy;
  source->file = file;
  source->file_size = opened->size();
  source->description = "NumPy array";
  source->items.push_back({.name = std::string(kOnlyItem),
                           .file = file,
                           .layout = store->layout(),
                           .slots = store->slots(),
                           .entry = entry,
                           .load = load});
  source->verify = [] { return absl::OkStatus(); };  // loading has read and checked everything
  return source;
}

// The arrays of a NumPy archive, by place.
struct NpzArrays {
  std::unique_ptr<const internal::NpzReader> reader;
  std::vector<std::pair<internal::NpyHeader, size_t>> arrays;  // and the index of the member
  Layout layout;
  SlotSet slots;
  std::vector<UnreadableLeaf> unreadable;

  absl::StatusOr<Tensor> Read(uint32_t place) const {
    return reader->ReadTensor(arrays[place].second, std::numeric_limits<int64_t>::max());
  }
};

absl::StatusOr<std::shared_ptr<const NpzArrays>> ReadArrays(const std::string& file,
                                                            const SourceOptions& options) {
  const auto read = std::make_shared<NpzArrays>();
  LEAFSTORE_ASSIGN_OR_RETURN(read->reader,
                             internal::NpzReader::Open(file, {.void_dtypes = options.void_dtypes,
                                                              .skip_unreadable = !options.strict}));
  std::vector<absl::string_view> names;
  std::vector<std::pair<internal::NpyHeader, size_t>> arrays;
  for (size_t i = 0; i < read->reader->size(); ++i) {
    absl::StatusOr<internal::NpyHeader> header = read->reader->ReadHeader(i);
    if (header.ok()) {
      names.push_back(read->reader->name(i));
      arrays.emplace_back(*std::move(header), i);
      continue;
    }
    LEAFSTORE_ASSIGN_OR_RETURN(UnreadableLeaf one, read->reader->AsUnreadable(i, header.status()));
    read->unreadable.push_back(std::move(one));
  }
  LEAFSTORE_ASSIGN_OR_RETURN(std::vector<Path> paths, PathsOfNames(names, options.names));
  std::vector<uint32_t> order(paths.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [&paths](uint32_t a, uint32_t b) { return paths[a] < paths[b]; });
  std::vector<Path> sorted;
  for (const uint32_t i : order) {
    sorted.push_back(std::move(paths[i]));
    read->arrays.push_back(std::move(arrays[i]));
  }
  LEAFSTORE_ASSIGN_OR_RETURN(read->layout, Layout::Create(std::move(sorted)));
  read->slots = SlotSet::All(read->layout.size());
  return read;
}

// Opens a NumPy archive, and reads the headers of its arrays.
SourceOr OpenNpz(const std::string& file, const SourceOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(const auto arrays, ReadArrays(file, options));
  const auto entry = [arrays](uint32_t place) {
    const auto& [header, index] = arrays->arrays[place];
    return EntryInfo{.spec = LeafSpec(header.dtype, header.shape), .stored_size = header.byte_size};
  };
  const auto load = [arrays](const Places& places) -> absl::StatusOr<ParamStore> {
    const SlotSet slots = places ? arrays->slots.AtPlaces(*places) : arrays->slots;
    std::vector<Leaf> leaves;
    for (uint32_t i = 0; i < slots.size(); ++i) {
      LEAFSTORE_ASSIGN_OR_RETURN(Tensor tensor, arrays->Read(slots.SlotAt(i)));
      leaves.emplace_back(std::move(tensor));
    }
    return ParamStore::FromParts(arrays->layout, slots, std::move(leaves));
  };
  auto source = std::make_unique<Source>();
  source->format = SourceFormat::kNpz;
  source->file = file;
  source->file_size = arrays->reader->file_size();
  source->description = "NumPy archive";
  source->items.push_back({.name = std::string(kOnlyItem),
                           .file = file,
                           .layout = arrays->layout,
                           .slots = arrays->slots,
                           .unreadable = arrays->unreadable,
                           .has_names = true,
                           .entry = entry,
                           .load = load});
  source->verify = [arrays]() -> absl::Status {
    for (uint32_t place = 0; place < arrays->arrays.size(); ++place) {
      LEAFSTORE_RETURN_IF_ERROR(arrays->Read(place).status());
    }
    return absl::OkStatus();
  };
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
  for (const FileIdentity& base : reader.bases()) source->other_files.push_back(base.name);
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
  if (format == SourceFormat::kNpz) return OpenNpz(file, options);
  if (format == SourceFormat::kNpy) return OpenNpy(file, options);
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
      "(*.safetensors.index.json, or *.safetensors), found ",
      DescribeDirectory(directory, names)));
}

}  // namespace leafstore::tools
