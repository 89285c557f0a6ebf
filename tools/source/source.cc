#include "leafstore/tools/source/source.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstddef>
#include <numeric>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

#include "leafstore/core/internal/suggest.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/io/file_system.h"
#include "leafstore/tools/present/errors.h"
#include "leafstore/tools/source/formats.h"
#include "leafstore/tools/source/managed_directory.h"

namespace leafstore::tools {
namespace {

bool IsDirectory(const std::string& name) {
  struct stat status = {};
  return stat(name.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

bool Exists(const std::string& name) {
  struct stat status = {};
  return lstat(name.c_str(), &status) == 0;
}

std::string WithoutSlashes(std::string name) {
  while (name.size() > 1 && name.back() == '/') name.pop_back();
  return name;
}

// Splits "run@1000" into the directory and the step, unless a file has that name.
bool SplitStep(const std::string& name, std::string* directory, std::string* step) {
  const size_t at = name.rfind('@');
  if (at == std::string::npos || at == 0 || Exists(name)) return false;
  *directory = name.substr(0, at);
  *step = name.substr(at + 1);
  return IsDirectory(*directory);
}

// Checks that a step is given at most once.
absl::Status CheckStep(const std::string& name, const std::string& step) {
  std::string directory;
  std::string found;
  if (!SplitStep(name, &directory, &found)) return absl::OkStatus();
  if (!step.empty()) {
    return UsageError(
        absl::StrCat(name, ": expected one step, found '@", found, "' and --step ", step));
  }
  if (!found.empty()) return absl::OkStatus();
  return UsageError(absl::StrCat(
      name, ": expected a step behind the '@': a number, latest, best=METRIC or lowest=METRIC"));
}

absl::StatusOr<std::unique_ptr<Source>> OpenFile(const std::string& file,
                                                 const SourceOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(const SourceFormat format, DetectFormat(file));
  switch (format) {
    case SourceFormat::kLeaf: {
      LEAFSTORE_ASSIGN_OR_RETURN(CheckpointReader reader,
                                 CheckpointReader::Open(file, ReadOptionsOf(options)));
      return LeafSource(std::move(reader));
    }
    case SourceFormat::kSafetensors:
      return OpenSafetensors(file, options);
    case SourceFormat::kNpz:
      return OpenNpz(file, options);
    case SourceFormat::kNpy:
      return OpenNpy(file);
  }
  return absl::InternalError("a format that cannot be opened");
}

absl::StatusOr<std::unique_ptr<Source>> OpenStep(const std::string& directory,
                                                 const std::string& step,
                                                 const SourceOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(const StepChoice choice, StepChoice::Parse(step));
  LEAFSTORE_ASSIGN_OR_RETURN(RestoredCheckpoint chosen, RestoreChosen(directory, choice, options));
  std::unique_ptr<Source> source = LeafSource(std::move(chosen.reader));
  source->step = chosen.step;
  return source;
}

absl::StatusOr<std::unique_ptr<Source>> OpenDirectory(const std::string& directory,
                                                      const std::string& step,
                                                      const SourceOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(const auto steps, StepsOfDirectory(directory));
  if (steps) return OpenStep(directory, step, options);
  if (!step.empty()) {
    return absl::NotFoundError(absl::StrCat(
        directory, ": expected checkpoints (step-<20 digits>.leaf) to choose one of, found none"));
  }
  LEAFSTORE_ASSIGN_OR_RETURN(const std::string file, FileOfDirectory(directory));
  return OpenFile(file, options);
}

}  // namespace

absl::StatusOr<ParamStore> SourceItem::LoadAll() const {
  std::vector<uint32_t> places(size());
  std::iota(places.begin(), places.end(), 0);
  return Load(places);
}

absl::StatusOr<const SourceItem*> Source::item(absl::string_view item_name) const {
  std::vector<std::string> names;
  for (const auto& item : items) {
    if (item->name() == item_name) return item.get();
    names.push_back(item->name());
  }
  return UsageError(
      absl::StrCat(name, ": no item '", item_name, "'", internal::DidYouMean(item_name, names)));
}

absl::StatusOr<SourcePtr> OpenSource(const SourceOptions& options) {
  std::string name = options.name;
  if (name == "-" && !Exists(name)) {
    return UsageError("expected a file, found '-'; standard input is /dev/stdin, if it is a file");
  }
  LEAFSTORE_RETURN_IF_ERROR(CheckStep(name, options.step));
  if (!options.step.empty() && !IsDirectory(name)) {
    // A file that does not exist or cannot be read is the error that matters more.
    LEAFSTORE_RETURN_IF_ERROR(FileError(name, FileSystem::Posix().Open(name).status()));
    return UsageError(absl::StrCat(name, ": --step is for a directory of checkpoints"));
  }
  std::string directory;
  std::string step = options.step;
  if (step.empty() && SplitStep(name, &directory, &step)) name = directory;
  absl::StatusOr<std::unique_ptr<Source>> source =
      IsDirectory(name) ? OpenDirectory(WithoutSlashes(name), step, options)
                        : OpenFile(name, options);
  if (!source.ok()) return FileError(options.name, source.status());
  (*source)->name = options.name;
  (*source)->verifies = options.verify;
  return SourcePtr(*std::move(source));
}

absl::StatusOr<std::optional<std::vector<StepOfDirectory>>> NamedSteps(
    const SourceOptions& options) {
  std::string name = options.name;
  LEAFSTORE_RETURN_IF_ERROR(CheckStep(name, options.step));
  std::string directory;
  std::string step = options.step;
  if (step.empty() && SplitStep(name, &directory, &step)) name = directory;
  if (!IsDirectory(name)) return std::nullopt;
  name = WithoutSlashes(name);
  absl::StatusOr<std::optional<std::vector<StepOfDirectory>>> steps = StepsOfDirectory(name);
  if (!steps.ok()) return FileError(options.name, steps.status());
  if (!steps->has_value() || step.empty()) return steps;
  LEAFSTORE_ASSIGN_OR_RETURN(const StepChoice choice, StepChoice::Parse(step));
  // The newest step, or the one given by number, even if it cannot be read.
  if (choice.metric.empty()) {
    const int64_t wanted = choice.step.value_or((*steps)->back().step);
    for (const StepOfDirectory& one : **steps) {
      if (one.step == wanted) return std::vector<StepOfDirectory>{one};
    }
  }
  SourceOptions unverified = options;
  unverified.verify = false;
  const absl::StatusOr<RestoredCheckpoint> chosen = RestoreChosen(name, choice, unverified);
  if (!chosen.ok()) return FileError(options.name, chosen.status());
  return std::vector<StepOfDirectory>{{chosen->step, chosen->reader.path()}};
}

absl::string_view SourceFormatName(SourceFormat format) {
  switch (format) {
    case SourceFormat::kLeaf:
      return "leaf";
    case SourceFormat::kSafetensors:
      return "safetensors";
    case SourceFormat::kNpz:
      return "npz";
    case SourceFormat::kNpy:
      return "npy";
  }
  return "";
}

}  // namespace leafstore::tools
