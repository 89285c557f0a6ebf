#include "leafstore/tools/files/model.h"

#include <limits>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"

#include "leafstore/checkpoint/checkpoint.h"
#include "leafstore/core/error_reason.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/interop/numpy/npy.h"
#include "leafstore/interop/numpy/npz.h"
#include "leafstore/interop/safetensors/checkpoint.h"
#include "leafstore/tools/present/errors.h"
#include "leafstore/tools/present/json.h"
#include "leafstore/tools/present/text.h"

namespace leafstore::tools {
namespace {

// Parses "500M", "5G" or "1048576"; units of 1024, as in filters. error: a UsageError.
absl::StatusOr<int64_t> ParseSize(absl::string_view text) {
  constexpr std::pair<char, int> kUnits[] = {{'k', 10}, {'K', 10}, {'M', 20}, {'G', 30}, {'T', 40}};
  absl::string_view digits = text;
  int shift = 0;
  for (const auto& [unit, bits] : kUnits) {
    if (absl::EndsWith(text, absl::string_view(&unit, 1))) shift = bits;
  }
  if (shift > 0) digits.remove_suffix(1);
  int64_t number = 0;
  if (!absl::SimpleAtoi(digits, &number) || number <= 0 ||
      number > (std::numeric_limits<int64_t>::max() >> shift)) {
    return UsageError(
        "--shard-size: expected a number of bytes, which may end in k, M, G or T, found '", text,
        "'");
  }
  return number << shift;
}

std::string ExtensionOf(SourceFormat format) { return absl::StrCat(".", SourceFormatName(format)); }

// Checks the options that belong to one format.
absl::Status CheckOptions(SourceFormat format, const WriteOptions& options) {
  const bool leaf = format == SourceFormat::kLeaf;
  const bool safetensors = format == SourceFormat::kSafetensors;
  const bool npz = format == SourceFormat::kNpz;
  const std::pair<bool, const char*> rules[] = {
      {options.zstd && !leaf, "--zstd is only for .leaf"},
      {!options.shard_size.empty() && !safetensors, "--shard-size is only for .safetensors"},
      {options.structure != StructureSave::kAuto && !safetensors,
       "--structure is only for .safetensors"},
      {options.zstd_level && !options.zstd, "--zstd-level is only for --zstd"},
      {options.deflate && !npz, "--deflate is only for .npz"},
      {options.raw_bits && !npz && format != SourceFormat::kNpy,
       "--raw-bits is only for .npz and .npy"},
  };
  for (const auto& [wrong, message] : rules) {
    if (wrong) return UsageError(message);
  }
  return options.shard_size.empty() ? absl::OkStatus() : ParseSize(options.shard_size).status();
}

}  // namespace

absl::StatusOr<SourceFormat> ModelWriter::FormatOf(const std::string& path) const {
  const std::optional<SourceFormat> format = options_.to ? options_.to : FormatOfName(path);
  if (!format) {
    return UsageError(
        path, ": expected a name that ends in .leaf, .safetensors, .npz or .npy, or --to FORMAT");
  }
  LEAFSTORE_RETURN_IF_ERROR(CheckOptions(*format, options_));
  return *format;
}

absl::Status ModelWriter::Check(const std::string& path) const {
  LEAFSTORE_RETURN_IF_ERROR(CheckFormat(path));
  return options_.shard_size.empty() ? files_.CheckFree(path) : absl::OkStatus();
}

// Checks that the format can hold the item's static leaves. error: a UsageError.
absl::Status ModelWriter::CheckNoStatic(const ModelItem& item, SourceFormat format,
                                        const std::string& path) const {
  const bool holds_static =
      format == SourceFormat::kSafetensors && options_.structure != StructureSave::kNever;
  if (holds_static || options_.drop_static) return absl::OkStatus();
  for (uint32_t place = 0; place < item.store.size(); ++place) {
    if (item.store.leaf(place).is_tensor()) continue;
    return UsageError(path, ": expected only tensors for ", ExtensionOf(format),
                      ", found the static leaf '", item.store.PathText(place),
                      "'; --drop-static leaves such leaves out");
  }
  return absl::OkStatus();
}

IoOptions ModelWriter::Io() {
  const auto progress = std::make_shared<Progress>("writing", 0);
  return {.progress = [progress](int64_t done, int64_t total) { progress->Set(done, total); },
          .file_system = &files_};
}

absl::Status ModelWriter::WriteLeaf(Model model, const std::string& path) {
  SaveOptions options = {
      .io = Io(), .metadata = std::move(model.metadata), .metrics = std::move(model.metrics)};
  if (options_.zstd) options.zstd_level = options_.zstd_level.value_or(3);
  std::vector<CheckpointItem> items;
  for (ModelItem& item : model.items) {
    items.emplace_back(std::move(item.name), std::move(item.store), std::move(item.options));
  }
  return SaveCheckpoint(path, std::move(items), options);
}

absl::Status ModelWriter::WriteSafetensors(ModelItem item, const std::string& path) {
  LEAFSTORE_ASSIGN_OR_RETURN(SafetensorsSaveOptions options,
                             SafetensorsOptionsFromItem(item.store, std::move(item.options)));
  if (options_.structure != StructureSave::kAuto) options.structure = options_.structure;
  if (options_.structure == StructureSave::kNever) options.grouping.reset();
  options.drop_static = options_.drop_static;
  options.replace_set = options_.force;
  options.io = Io();
  if (options_.shard_size.empty()) {
    written_.push_back(path);
    return SaveSafetensors(path, item.store, options);
  }
  LEAFSTORE_ASSIGN_OR_RETURN(const int64_t size, ParseSize(options_.shard_size));
  absl::StatusOr<std::vector<std::string>> saved =
      SaveSafetensorsShards(path, item.store, size, options);
  if (ReasonOf(saved.status()) == ErrorReason::kExists) {
    return WithMessage(saved.status(),
                       absl::StrCat(saved.status().message(), "; --force replaces it"));
  }
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<std::string> names, std::move(saved));
  for (const std::string& name : names) written_.push_back(InDirectoryOf(path, name));
  return absl::OkStatus();
}

absl::Status ModelWriter::WriteNumpy(SourceFormat format, const ModelItem& item,
                                     const std::string& path) {
  const NumpyOptions options = {.io = Io(),
                                .deflate = options_.deflate,
                                .drop_static = options_.drop_static,
                                .raw_bits = options_.raw_bits};
  if (format == SourceFormat::kNpz) return SaveNpz(path, item.store, options);
  if (item.store.size() != 1 || !item.store.leaf(0).is_tensor()) {
    return UsageError("expected one tensor for .npy, found ", item.store.size(),
                      " leaves; --match chooses, or cat --npy");
  }
  return SaveNpy(path, item.store.leaf(0).tensor(), options);
}

absl::Status ModelWriter::WriteAs(SourceFormat format, Model model, const std::string& path) {
  if (format != SourceFormat::kSafetensors) written_.push_back(path);
  if (format == SourceFormat::kLeaf) return WriteLeaf(std::move(model), path);
  if (model.items.size() != 1) {
    return UsageError("expected one item for ", ExtensionOf(format), ", found ", model.items.size(),
                      "; --item chooses one");
  }
  ModelItem& item = model.items[0];
  LEAFSTORE_RETURN_IF_ERROR(CheckNoStatic(item, format, path));
  if (format == SourceFormat::kSafetensors) return WriteSafetensors(std::move(item), path);
  return WriteNumpy(format, item, path);
}

absl::Status ModelWriter::Write(Model model, const std::string& path) {
  LEAFSTORE_ASSIGN_OR_RETURN(const SourceFormat format, FormatOf(path));
  if (written_.empty()) {
    notes_ = std::move(model.notes);
    left_out_ = std::move(model.left_out);
  }
  return FileError(path, WriteAs(format, std::move(model), path));
}

absl::Status ModelWriter::CommitAndPrint(const OutputForm& form) {
  LEAFSTORE_RETURN_IF_ERROR(Commit());
  Output out(stdout, form.color);
  Json list = Json::array();
  for (const std::string& file : written_) {
    LEAFSTORE_ASSIGN_OR_RETURN(const auto opened, FileSystem::Posix().Open(file));
    list.push_back({{"file", file}, {"bytes", opened->size()}});
    if (form.json) continue;
    out.Write(out.Styled(Style::kBold, Printable(file)), ": ", HumanBytes(opened->size()), "\n");
  }
  const Json json = {{"schema", kJsonSchema},
                     {"files", std::move(list)},
                     {"notes", notes_},
                     {"left_out", ToJson(left_out_)}};
  if (form.json) out.Write(JsonText(json), "\n");
  return out.Finish();
}

}  // namespace leafstore::tools
