#include "leafstore/tools/files/model.h"

#include <filesystem>
#include <limits>
#include <memory>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"

#include "leafstore/checkpoint/checkpoint.h"
#include "leafstore/checkpoint/internal/run_files.h"
#include "leafstore/checkpoint/manager.h"
#include "leafstore/core/error_reason.h"
#include "leafstore/core/internal/quoted_path.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/interop/numpy/npy.h"
#include "leafstore/interop/numpy/npz.h"
#include "leafstore/interop/safetensors/checkpoint.h"
#include "leafstore/interop/safetensors/internal/place.h"
#include "leafstore/tools/present/errors.h"
#include "leafstore/tools/present/json.h"
#include "leafstore/tools/present/text.h"

namespace leafstore::tools {
namespace {

constexpr absl::string_view kShardSize = "--shard-size";

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
  return options.shard_size.empty() ? absl::OkStatus()
                                    : ParseSize(kShardSize, options.shard_size).status();
}

// Creates the directory of a file, and its parents.
absl::Status MakeDirectoryOf(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(DirectoryOf(path), error);
  if (!error) return absl::OkStatus();
  return absl::ErrnoToStatus(error.value(), absl::StrCat("cannot create the directory of ", path));
}

// Names the file of an error, which says so if its directory does not exist.
absl::Status WithMkdirs(const std::string& path, const absl::Status& status) {
  std::error_code ignored;
  if (absl::IsNotFound(status) && !std::filesystem::exists(DirectoryOf(path), ignored)) {
    return absl::FailedPreconditionError(absl::StrCat(
        path, ": expected the directory ", DirectoryOf(path), ", found none; --mkdirs makes it"));
  }
  return FileError(path, status);
}

// Returns "bf16: 3 leaves, 10 elements: 1 overflowed to infinity, 4 were rounded".
std::string ConversionText(const DTypeConversion& one) {
  std::vector<std::string> losses;
  const auto add = [&losses](int64_t count, absl::string_view what) {
    if (count > 0) losses.push_back(absl::StrCat(WithCommas(count), " ", what));
  };
  add(one.overflowed, "overflowed to infinity");
  add(one.to_zero, "became zero");
  add(one.to_subnormal, "became subnormal");
  add(one.rounded, "rounded");
  return absl::StrCat(DTypeName(one.to), ": ", CountOf(one.leaves, "leaf", "leaves"), ", ",
                      CountOf(one.elements, "element", "elements"), ": ",
                      losses.empty() ? "all exact" : absl::StrJoin(losses, ", "));
}

Json ConversionsJson(const std::vector<DTypeConversion>& conversions) {
  Json list = Json::array();
  for (const DTypeConversion& one : conversions) {
    list.push_back({{"dtype", DTypeName(one.to)},
                    {"leaves", one.leaves},
                    {"elements", one.elements},
                    {"overflowed", one.overflowed},
                    {"to_zero", one.to_zero},
                    {"to_subnormal", one.to_subnormal},
                    {"rounded", one.rounded}});
  }
  return list;
}

std::vector<CheckpointItem> CheckpointItemsOf(std::vector<ModelItem> from) {
  std::vector<CheckpointItem> items;
  for (ModelItem& item : from) {
    items.emplace_back(std::move(item.name), std::move(item.store), std::move(item.options));
  }
  return items;
}

// Checks that a file does not have the name of a step if its directory is one of checkpoints: it
// would lack the data that a manager records.
absl::Status CheckNoStepByHand(const std::string& path) {
  const std::optional<internal::RunFile> file = internal::ParseRunFile(FileNameOf(path));
  const std::string directory = DirectoryOf(path);
  if (!file.has_value() || file->abandoned) return absl::OkStatus();
  const absl::StatusOr<Steps> steps = StepsOfDirectory(directory);
  if (!steps.ok() || steps->empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      path, ": expected another name in a directory of checkpoints, found that of step ",
      file->step, "; `leafstore convert FILE ", directory, "/ --step ", file->step,
      "` saves a step, --force writes only this file"));
}

// Checks that the directory has no model that a checkpoint of this step would hide. (--force does
// not help: the model is not replaced.)
absl::Status CheckNoModelBeside(const std::string& directory, int64_t step) {
  const auto names = FileSystem::Posix().List(directory);
  if (!names.ok()) return absl::OkStatus();  // it is made, or cannot be written to
  const std::string other = internal::FindOtherModel(*names, {internal::StepFileName(step)});
  if (other.empty()) return absl::OkStatus();
  return absl::AlreadyExistsError(absl::StrCat(
      directory, "/", other, ": already exists; with a checkpoint the directory would ",
      "have two models; move it, or write to another directory"));
}

}  // namespace

absl::StatusOr<int64_t> ParseSize(absl::string_view option, absl::string_view text) {
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
        option, ": expected a number of bytes, which may end in k, M, G or T, found '", text, "'");
  }
  return number << shift;
}

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
  if (!options_.force) LEAFSTORE_RETURN_IF_ERROR(CheckNoStepByHand(path));
  const std::optional<internal::RunFile> step = internal::ParseRunFile(FileNameOf(path));
  if (step.has_value() && !step->abandoned) {
    LEAFSTORE_RETURN_IF_ERROR(CheckNoModelBeside(DirectoryOf(path), step->step));
  }
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
                      ", found the static leaf ", internal::QuotedPath(item.store.PathText(place)),
                      "; --drop-static leaves such leaves out");
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
  return SaveCheckpoint(path, CheckpointItemsOf(std::move(model.items)), options);
}

absl::Status ModelWriter::WriteStep(Model model, const std::string& directory, int64_t step) {
  KeepNotes(&model);
  if (options_.mkdirs) LEAFSTORE_RETURN_IF_ERROR(FileError(directory, MakeDirectoryOf(directory)));
  LEAFSTORE_RETURN_IF_ERROR(CheckNoModelBeside(directory, step));
  ManagerOptions options = {.io = Io()};
  if (options_.zstd) options.zstd_level = options_.zstd_level.value_or(3);
  absl::StatusOr<CheckpointManager> manager = CheckpointManager::Open(directory, options);
  if (!manager.ok()) return WithMkdirs(directory, manager.status());
  run_ = std::make_unique<CheckpointManager>(*std::move(manager));
  written_.push_back(run_->PathOf(step));
  return FileError(directory, run_->Save(step, CheckpointItemsOf(std::move(model.items)),
                                         std::move(model.metrics), std::move(model.metadata)));
}

absl::Status ModelWriter::WriteSafetensors(ModelItem item, const std::string& path) {
  const auto shard = internal::ParseShardName(FileNameOf(path));
  if (shard.has_value()) {
    Note(path, ": note: it is called like one of ", shard->count,
         " shards, so it is read only with the others, or with --one-shard");
  }
  LEAFSTORE_ASSIGN_OR_RETURN(SafetensorsSaveOptions options,
                             SafetensorsOptionsFromItem(item.store, std::move(item.options)));
  if (options_.structure != StructureSave::kAuto) options.structure = options_.structure;
  if (options_.structure == StructureSave::kNever) options.grouping.reset();
  if (options_.names && FormOf(*options_.names) != FormOf(options.names)) {
    options.names = *options_.names;
    // If the source has no structure, its names restored it; the new names may not, and need the
    // structure.
    if (options_.structure != StructureSave::kNever) options.structure = options_.structure;
  }
  options.drop_static = options_.drop_static;
  options.replace_set = options_.force;
  options.io = Io();
  absl::StatusOr<std::vector<std::string>> saved = std::vector<std::string>{FileNameOf(path)};
  if (options_.shard_size.empty()) {
    const absl::Status status = SaveSafetensors(path, item.store, options);
    if (!status.ok()) saved = status;
  } else {
    LEAFSTORE_ASSIGN_OR_RETURN(const int64_t size, ParseSize(kShardSize, options_.shard_size));
    saved = SaveSafetensorsShards(path, item.store, size, options);
  }
  if (ReasonOf(saved.status()) == ErrorReason::kExists) {
    return WithMessage(saved.status(),
                       absl::StrCat(saved.status().message(), "; --force replaces it"));
  }
  LEAFSTORE_RETURN_IF_ERROR(saved.status());
  for (const std::string& name : *saved) written_.push_back(InDirectoryOf(path, name));
  return absl::OkStatus();
}

absl::Status ModelWriter::WriteNumpy(SourceFormat format, const ModelItem& item,
                                     const std::string& path) {
  const NumpyOptions options = {.io = Io(),
                                .deflate = options_.deflate,
                                .names = options_.names.value_or(NameStyle::kSplit),
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
  const Metadata& metadata = item.options.metadata;
  const size_t dropped =
      metadata.size() - metadata.count(std::string(kSafetensorsOriginKey)) + model.metadata.size();
  if (dropped > 0 && format == SourceFormat::kNpz) {
    Note(path, ": note: ",
         CountOf(static_cast<int64_t>(dropped), "entry of the metadata is",
                 "entries of the metadata are"),
         " left out: ", ExtensionOf(format), " has no metadata");
  }
  return WriteNumpy(format, item, path);
}

// Keeps the notes of the first model for CommitAndPrint.
void ModelWriter::KeepNotes(Model* model) {
  if (!written_.empty()) return;
  notes_ = std::move(model->notes);
  left_out_ = std::move(model->left_out);
  conversions_ = std::move(model->conversions);
}

absl::Status ModelWriter::Write(Model model, const std::string& path) {
  LEAFSTORE_ASSIGN_OR_RETURN(const SourceFormat format, FormatOf(path));
  KeepNotes(&model);
  if (options_.mkdirs) LEAFSTORE_RETURN_IF_ERROR(FileError(path, MakeDirectoryOf(path)));
  return WithMkdirs(path, WriteAs(format, std::move(model), path));
}

absl::Status ModelWriter::Commit() {
  LEAFSTORE_RETURN_IF_ERROR(files_.Commit());
  for (const std::string& file : written_) {
    std::error_code error;
    if (!std::filesystem::is_symlink(file, error)) continue;
    const std::string target = std::filesystem::weakly_canonical(file, error).string();
    Note(file, ": note: it is a symbolic link; the file that was written is ", target);
  }
  return absl::OkStatus();
}

void ModelWriter::PrintRemoved(Output* out) const {
  for (const std::string& file : Removed()) {
    out->Write(out->Styled(Style::kBold, Printable(file)), ": removed\n");
  }
}

absl::Status ModelWriter::CommitAndPrint(const OutputForm& form) {
  LEAFSTORE_RETURN_IF_ERROR(files_.Check());
  Output out(stdout, form.color);
  Json list = Json::array();
  for (const std::string& file : written_) {
    LEAFSTORE_ASSIGN_OR_RETURN(const int64_t size, files_.SizeOf(file));
    list.push_back({{"file", file}, {"bytes", size}});
    if (form.json) continue;
    out.Write(out.Styled(Style::kBold, Printable(file)), ": ", HumanBytes(size), "\n");
  }
  for (const DTypeConversion& one : conversions_) {
    if (!form.json) out.Write("  ", ConversionText(one), "\n");
    if (one.overflowed == 0) continue;
    Note("warning: ", CountOf(one.overflowed, "element", "elements"), " too large for ",
         DTypeName(one.to), " became infinite; the first is in ", one.first_overflow);
  }
  if (!form.json) PrintRemoved(&out);
  const Json json = {
      {"schema", kJsonSchema},         {"files", std::move(list)},
      {"removed", Removed()},          {"notes", notes_},
      {"left_out", ToJson(left_out_)}, {"conversions", ConversionsJson(conversions_)}};
  if (form.json) out.Write(JsonText(json), "\n");
  LEAFSTORE_RETURN_IF_ERROR(out.Finish());
  return Commit();
}

}  // namespace leafstore::tools
