#include "leafstore/tools/source/model.h"

#include <cstdio>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "leafstore/core/error_reason.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/interop/numpy/npy.h"
#include "leafstore/interop/numpy/npz.h"
#include "leafstore/interop/safetensors/checkpoint.h"
#include "leafstore/interop/safetensors/writer.h"
#include "leafstore/tools/commands/command.h"
#include "leafstore/tools/commands/command_words.h"
#include "leafstore/tools/present/json.h"
#include "leafstore/tools/present/progress.h"
#include "leafstore/tools/present/text.h"
#include "leafstore/tools/source/item_rows.h"
#include "leafstore/tools/source/leaf_batch.h"

namespace leafstore::tools {
namespace {

constexpr SourceFormat kFormats[] = {SourceFormat::kLeaf, SourceFormat::kSafetensors,
                                     SourceFormat::kNpz, SourceFormat::kNpy};

std::string ToolOption(absl::string_view option, absl::string_view formats) {
  return absl::StrCat(option, " is for ", formats, " alone");
}

absl::Status CheckOptions(SourceFormat format, const WriteArguments& arguments) {
  const bool is_npz = format == SourceFormat::kNpz;
  if (arguments.zstd && format != SourceFormat::kLeaf) {
    return UsageError(ToolOption("--zstd", ".leaf"));
  }
  if (!arguments.shard_size.empty() && format != SourceFormat::kSafetensors) {
    return UsageError(ToolOption("--shard-size", ".safetensors"));
  }
  if (arguments.structure != "auto" && format != SourceFormat::kSafetensors) {
    return UsageError(ToolOption("--structure", ".safetensors"));
  }
  if (arguments.zstd_level && !arguments.zstd) {
    return UsageError("--zstd-level is for --zstd");
  }
  if (arguments.deflate && !is_npz) return UsageError(ToolOption("--deflate", ".npz"));
  if (arguments.raw_bits && !is_npz && format != SourceFormat::kNpy) {
    return UsageError(ToolOption("--raw-bits", ".npz and .npy"));
  }
  return absl::OkStatus();
}

// error: a UsageError where there are static leaves and the format has no place for them.
absl::Status CheckNoStatic(const ModelItem& item, SourceFormat format, const std::string& path,
                           const WriteArguments& arguments) {
  const bool has_place = format == SourceFormat::kLeaf ||
                         (format == SourceFormat::kSafetensors && arguments.structure != "never");
  if (has_place || arguments.drop_static) return absl::OkStatus();
  for (uint32_t place = 0; place < item.store.size(); ++place) {
    if (item.store.leaf(place).is_tensor()) continue;
    return UsageError(absl::StrCat(path, ": expected tensors alone for ", ExtensionOf(format),
                                   ", found the static leaf '", item.store.PathText(place),
                                   "'; --drop-static leaves such out"));
  }
  return absl::OkStatus();
}

// "500M", "5G", "1048576"; units of 1024, as in filters. error: a UsageError.
absl::StatusOr<int64_t> ParseSize(absl::string_view text) {
  absl::string_view digits = text;
  int shift = 0;
  for (const auto& [unit, bits] :
       {std::pair<absl::string_view, int>{"k", 10}, {"K", 10}, {"M", 20}, {"G", 30}, {"T", 40}}) {
    if (absl::ConsumeSuffix(&digits, unit)) {
      shift = bits;
      break;
    }
  }
  int64_t number = 0;
  if (!absl::SimpleAtoi(digits, &number) || number <= 0 ||
      number > (std::numeric_limits<int64_t>::max() >> shift)) {
    return UsageError(absl::StrCat(
        "--shard-size: expected a number of bytes, which may end in k, M, G or T, found '", text,
        "'"));
  }
  return number << shift;
}

std::function<void(int64_t, int64_t)> Told(const std::shared_ptr<Progress>& progress) {
  return [progress](int64_t done, int64_t total) { progress->Set(done, total); };
}

// For a format without items.
absl::StatusOr<ModelItem> OnlyItem(Model model, SourceFormat format) {
  if (model.items.size() == 1) return std::move(model.items[0]);
  return UsageError(absl::StrCat("expected one item for ", ExtensionOf(format), ", found ",
                                 model.items.size(), "; --item chooses one"));
}

absl::Status WriteLeaf(Model model, const std::string& path, const WriteArguments& arguments,
                       OutputFiles* files) {
  SaveOptions options;
  options.metadata = std::move(model.metadata);
  options.metrics = std::move(model.metrics);
  if (arguments.zstd) options.compression = Compression::kZstd;
  if (arguments.zstd_level) options.zstd_level = *arguments.zstd_level;
  options.io.progress = Told(std::make_shared<Progress>("writing", 0));
  options.io.file_system = files;
  std::vector<CheckpointItem> items;
  for (ModelItem& item : model.items) {
    items.emplace_back(std::move(item.name), std::move(item.store), std::move(item.options));
  }
  return SaveCheckpoint(path, std::move(items), options);
}

absl::StatusOr<std::vector<std::string>> WriteSafetensors(ModelItem item, const std::string& path,
                                                          const WriteArguments& arguments,
                                                          OutputFiles* files) {
  LEAFSTORE_ASSIGN_OR_RETURN(SafetensorsContent content,
                             SafetensorsFromStore(std::move(item.store), std::move(item.options)));
  SafetensorsSaveOptions& options = content.options;
  if (arguments.structure == "always") options.structure = StructureSave::kAlways;
  if (arguments.structure == "never") {
    options.structure = StructureSave::kNever;
    options.labels.reset();
  }
  options.drop_static = arguments.drop_static;
  options.replace_set = arguments.force;
  options.io.progress = Told(std::make_shared<Progress>("writing", 0));
  options.io.file_system = files;
  if (arguments.shard_size.empty()) {
    LEAFSTORE_RETURN_IF_ERROR(SaveSafetensors(path, content.store, options));
    return std::vector<std::string>{path};
  }
  LEAFSTORE_ASSIGN_OR_RETURN(const int64_t size, ParseSize(arguments.shard_size));
  absl::StatusOr<SavedShards> saved = SaveSafetensorsShards(path, content.store, size, options);
  if (ReasonOf(saved.status()) == ErrorReason::kExists) {
    return WithMessage(saved.status(),
                       absl::StrCat(saved.status().message(), "; --force replaces it"));
  }
  LEAFSTORE_ASSIGN_OR_RETURN(const SavedShards shards, std::move(saved));
  std::vector<std::string> names;
  for (const std::string& name : shards.files) names.push_back(InDirectoryOf(path, name));
  if (!shards.index.empty()) names.push_back(InDirectoryOf(path, shards.index));
  return names;
}

absl::Status WriteNpz(const ModelItem& item, const std::string& path,
                      const WriteArguments& arguments, OutputFiles* files) {
  NpzSaveOptions options;
  options.deflate = arguments.deflate;
  options.drop_static = arguments.drop_static;
  options.raw_bits = arguments.raw_bits;
  options.io.file_system = files;
  return SaveNpz(path, item.store, options);
}

absl::Status WriteNpy(const ModelItem& item, const std::string& path,
                      const WriteArguments& arguments, OutputFiles* files) {
  if (item.store.size() != 1 || !item.store.leaf(0).is_tensor()) {
    return UsageError(absl::StrCat("expected one tensor for .npy, found ", item.store.size(),
                                   " leaves; --match chooses, or cat --npy"));
  }
  NpySaveOptions options;
  options.raw_bits = arguments.raw_bits;
  options.io.file_system = files;
  return SaveNpy(path, item.store.leaf(0).tensor(), options);
}

absl::StatusOr<std::vector<std::string>> Write(Model model, SourceFormat format,
                                               const std::string& path,
                                               const WriteArguments& arguments,
                                               OutputFiles* files) {
  if (format == SourceFormat::kLeaf) {
    LEAFSTORE_RETURN_IF_ERROR(WriteLeaf(std::move(model), path, arguments, files));
    return std::vector<std::string>{path};
  }
  LEAFSTORE_ASSIGN_OR_RETURN(ModelItem item, OnlyItem(std::move(model), format));
  LEAFSTORE_RETURN_IF_ERROR(CheckNoStatic(item, format, path, arguments));
  if (format == SourceFormat::kSafetensors) {
    return WriteSafetensors(std::move(item), path, arguments, files);
  }
  LEAFSTORE_RETURN_IF_ERROR(format == SourceFormat::kNpz ? WriteNpz(item, path, arguments, files)
                                                         : WriteNpy(item, path, arguments, files));
  return std::vector<std::string>{path};
}

int64_t TensorBytes(const SourceItem& item) {
  Totals totals;
  for (uint32_t place = 0; place < item.size(); ++place) totals.Add(item.entry(place));
  return totals.bytes;
}

// The places that are loaded, growing.
absl::StatusOr<std::vector<uint32_t>> PlacesOf(const SourceItem& item,
                                               const std::vector<GlobPattern>& match) {
  LEAFSTORE_ASSIGN_OR_RETURN(const ItemRows rows, ItemRows::Create(item, {match, std::nullopt}));
  return rows.places();
}

absl::StatusOr<ModelItem> LoadItem(const SourceItem& item, const std::vector<GlobPattern>& match,
                                   Progress* progress) {
  ModelItem loaded;
  loaded.name = item.name();
  LEAFSTORE_ASSIGN_OR_RETURN(loaded.options, item.SavedWith());
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<uint32_t> places, PlacesOf(item, match));
  std::vector<Leaf> leaves;
  leaves.reserve(places.size());
  absl::Span<const uint32_t> rest = places;
  while (!rest.empty()) {
    const LeafBatch next = NextBatch(item, rest);
    LEAFSTORE_ASSIGN_OR_RETURN(const ParamStore batch, item.Load(rest.first(next.size)));
    leaves.insert(leaves.end(), batch.leaves().begin(), batch.leaves().end());
    rest.remove_prefix(next.size);
    progress->Advance(next.bytes);
  }
  loaded.store =
      ParamStore::FromParts(item.layout(), item.slots().AtPlaces(places), std::move(leaves));
  return loaded;
}

}  // namespace

absl::Status NoteDamage(const Source& source, const SourceItem& item,
                        absl::Span<const uint32_t> places) {
  if (!item.has_checksums()) return absl::OkStatus();
  LEAFSTORE_ASSIGN_OR_RETURN(const SourcePtr verifying, OpenSource({.name = source.file()}));
  LEAFSTORE_ASSIGN_OR_RETURN(const SourceItem* verified, verifying->item(item.name()));
  for (const uint32_t place : places) {
    const absl::Status status = verified->Load({place}).status();
    if (!absl::IsDataLoss(status)) continue;
    absl::string_view what = status.message();
    absl::ConsumePrefix(&what, absl::StrCat(source.file(), ": "));
    Note(absl::StrCat(source.file(), ": warning: ", what,
                      "; it is written as it is (--no-verify), and its copy will look whole"));
  }
  return absl::OkStatus();
}

absl::StatusOr<Model> LoadModel(const Source& source, absl::Span<const SourceItem* const> items,
                                const std::vector<GlobPattern>& match) {
  Model model;
  if (source.format() == SourceFormat::kLeaf) model.metadata = source.metadata();
  model.metrics = source.metrics();
  int64_t total = 0;
  for (const SourceItem* item : items) total += TensorBytes(*item);
  Progress progress("reading", total);
  for (const SourceItem* item : items) {
    if (!source.verifies()) {
      LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<uint32_t> places, PlacesOf(*item, match));
      LEAFSTORE_RETURN_IF_ERROR(NoteDamage(source, *item, places));
    }
    absl::StatusOr<ModelItem> one = LoadItem(*item, match, &progress);
    if (!one.ok()) return FileError(source.file(), one.status());
    model.items.push_back(*std::move(one));
  }
  return model;
}

std::vector<CLI::Option*> AddWriting(CLI::App* command, WriteArguments* arguments) {
  std::vector<CLI::Option*> options;
  const auto add = [&options](CLI::Option* option) {
    options.push_back(option);
    return option;
  };
  add(WithChoices(
          command->add_option("--to", arguments->to,
                              "leaf, safetensors, npz or npy; without: by the name of the file"),
          {"leaf", "safetensors", "npz", "npy"}))
      ->type_name("FORMAT");
  add(command->add_flag("--zstd", arguments->zstd, "of .leaf: compress tensors, where that helps"));
  add(command->add_option("--zstd-level", arguments->zstd_level,
                          "1 is the fastest, 22 the smallest; 3 without"))
      ->type_name("N")
      ->check(WholeNumber(1, 22));
  add(command->add_option(
          "--shard-size", arguments->shard_size,
          "of .safetensors: several files with tensors of so many bytes each (500M, 5G), a larger "
          "one in a file of its own, and an index"))
      ->type_name("SIZE");
  add(WithChoices(
          command->add_option(
              "--structure", arguments->structure,
              "of .safetensors: keep structure, static leaves and ties in the metadata: auto "
              "(where names alone do not give them back), always or never"),
          {"auto", "always", "never"}))
      ->type_name("WHEN")
      ->check(OneOf({"auto", "always", "never"}));
  add(command->add_flag("--drop-static", arguments->drop_static,
                        "leave static leaves out where the format has no place for them"));
  add(command->add_flag(
      "--raw-bits", arguments->raw_bits,
      "of .npz and .npy: dtypes that NumPy lacks (bf16, ...) as unsigned integers"));
  add(command->add_flag("--deflate", arguments->deflate, "of .npz: compress"));
  add(command->add_flag("--force", arguments->force, "replace files that are there"));
  return options;
}

absl::StatusOr<SourceFormat> ParseFormat(const std::string& name) {
  for (const SourceFormat format : kFormats) {
    if (SourceFormatName(format) == name) return format;
  }
  return UsageError(
      absl::StrCat("--to: expected leaf, safetensors, npz or npy, found '", name, "'"));
}

std::string ExtensionOf(SourceFormat format) { return absl::StrCat(".", SourceFormatName(format)); }

absl::StatusOr<SourceFormat> FormatOfOutput(const std::string& path,
                                            const WriteArguments& arguments) {
  std::optional<SourceFormat> found;
  if (!arguments.to.empty()) {
    LEAFSTORE_ASSIGN_OR_RETURN(found, ParseFormat(arguments.to));
  }
  for (const SourceFormat format : kFormats) {
    if (!found && absl::EndsWith(path, ExtensionOf(format))) found = format;
  }
  if (!found) {
    return UsageError(absl::StrCat(
        path, ": expected a name that ends in .leaf, .safetensors, .npz or .npy, or --to FORMAT"));
  }
  LEAFSTORE_RETURN_IF_ERROR(CheckOptions(*found, arguments));
  if (!arguments.shard_size.empty()) {
    LEAFSTORE_RETURN_IF_ERROR(ParseSize(arguments.shard_size).status());
  }
  return *found;
}

absl::Status CheckOutputFree(const std::string& path, const WriteArguments& arguments,
                             const OutputFiles& files) {
  return arguments.shard_size.empty() ? files.CheckFree(path) : absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> WriteModel(Model model, const std::string& path,
                                                    const WriteArguments& arguments,
                                                    OutputFiles* files) {
  LEAFSTORE_ASSIGN_OR_RETURN(const SourceFormat format, FormatOfOutput(path, arguments));
  absl::StatusOr<std::vector<std::string>> written =
      Write(std::move(model), format, path, arguments, files);
  if (!written.ok()) return FileError(path, written.status());
  return written;
}

absl::Status PrintWritten(const std::vector<std::string>& files, const FormArguments& form) {
  Output out(stdout, form.color);
  Json list = Json::array();
  for (const std::string& file : files) {
    LEAFSTORE_ASSIGN_OR_RETURN(const auto opened, FileSystem::Posix().Open(file));
    list.push_back({{"file", file}, {"bytes", opened->size()}});
    if (form.json) continue;
    out.Write(absl::StrCat(out.Styled(Style::kBold, Printable(file)), ": ",
                           HumanBytes(opened->size()), "\n"));
  }
  if (form.json) PrintJsonLine({{"schema", kJsonSchema}, {"files", std::move(list)}}, &out);
  return out.Finish();
}

}  // namespace leafstore::tools
