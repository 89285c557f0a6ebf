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
#include "leafstore/tools/commands/command.h"
#include "leafstore/tools/source/leaf_source.h"
#include "leafstore/tools/source/managed_directory.h"
#include "leafstore/tools/source/numpy_source.h"
#include "leafstore/tools/source/safetensors_source.h"
#include "leafstore/tools/source/source_format.h"

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

// "run@1000", where that is no file's name: the directory, and the step.
bool SplitStep(const std::string& name, std::string* directory, std::string* step) {
  const size_t at = name.rfind('@');
  if (at == std::string::npos || at == 0 || Exists(name)) return false;
  *directory = name.substr(0, at);
  *step = name.substr(at + 1);
  return IsDirectory(*directory);
}

// What is wrong with a name and a step together.
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

}  // namespace

absl::StatusOr<ParamStore> SourceItem::LoadAll() const {
  std::vector<uint32_t> places(size());
  std::iota(places.begin(), places.end(), 0);
  return Load(places);
}

absl::StatusOr<const SourceItem*> Source::item(absl::string_view name) const {
  std::vector<std::string> names;
  for (const auto& item : items_) {
    if (item->name() == name) return item.get();
    names.push_back(item->name());
  }
  return UsageError(
      absl::StrCat(name_, ": no item '", name, "'", internal::DidYouMean(name, names)));
}

// Fills in what all sources have.
class SourceOpener {
 public:
  explicit SourceOpener(const SourceOptions& options) : options_(options) {}

  absl::StatusOr<SourcePtr> Open() {
    std::string name = options_.name;
    if (name == "-" && !Exists(name)) {
      return UsageError(
          "expected a file, found '-'; standard input is /dev/stdin, if it is a file");
    }
    LEAFSTORE_RETURN_IF_ERROR(CheckStep(name, options_.step));
    if (!options_.step.empty() && !IsDirectory(name)) {
      if (absl::Status status = CheckReadable(name); !status.ok()) return status;
      return UsageError(absl::StrCat(name, ": --step is for a directory of checkpoints"));
    }
    std::string directory;
    std::string step = options_.step;
    if (step.empty() && SplitStep(name, &directory, &step)) name = directory;
    absl::StatusOr<std::unique_ptr<Source>> source =
        IsDirectory(name) ? OpenDirectory(WithoutSlashes(name), step) : OpenFile(name);
    if (!source.ok()) return FileError(options_.name, source.status());
    (*source)->name_ = options_.name;
    (*source)->verifies_ = options_.verify;
    return SourcePtr(*std::move(source));
  }

 private:
  // The error of a file that is not there, or not to be read.
  static absl::Status CheckReadable(const std::string& name) {
    return FileError(name, FileSystem::Posix().Open(name).status());
  }

  absl::StatusOr<std::unique_ptr<Source>> OpenDirectory(const std::string& directory,
                                                        const std::string& step) {
    LEAFSTORE_ASSIGN_OR_RETURN(const auto steps, StepsOfDirectory(directory));
    if (steps) return OpenStep(directory, step);
    if (!step.empty()) {
      return absl::NotFoundError(absl::StrCat(
          directory,
          ": expected checkpoints (step-<20 digits>.leaf) to choose one of, found none"));
    }
    LEAFSTORE_ASSIGN_OR_RETURN(const std::string file, FileOfDirectory(directory));
    return OpenFile(file);
  }

  absl::StatusOr<std::unique_ptr<Source>> OpenStep(const std::string& directory,
                                                   const std::string& step) {
    LEAFSTORE_ASSIGN_OR_RETURN(const StepChoice choice, StepChoice::Parse(step));
    LEAFSTORE_ASSIGN_OR_RETURN(RestoredCheckpoint chosen,
                               RestoreChosen(directory, choice, options_));
    auto source = std::make_unique<LeafSource>(std::move(chosen.reader));
    source->step_ = chosen.step;
    return std::unique_ptr<Source>(std::move(source));
  }

  absl::StatusOr<std::unique_ptr<Source>> OpenFile(const std::string& file) {
    LEAFSTORE_ASSIGN_OR_RETURN(const FileKind kind, SniffFile(file));
    switch (kind) {
      case FileKind::kLeaf: {
        LEAFSTORE_ASSIGN_OR_RETURN(CheckpointReader reader,
                                   CheckpointReader::Open(file, ReadOptionsOf(options_)));
        return std::unique_ptr<Source>(std::make_unique<LeafSource>(std::move(reader)));
      }
      case FileKind::kSafetensors:
        return SafetensorsSource::Create(file, options_);
      case FileKind::kNpz:
        return NumpySource::OpenNpz(file, options_);
      case FileKind::kNpy:
        return NumpySource::OpenNpy(file);
    }
    return absl::InternalError("a kind of file that nobody opens");
  }

  const SourceOptions& options_;
};

absl::StatusOr<SourcePtr> OpenSource(const SourceOptions& options) {
  return SourceOpener(options).Open();
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
  // The newest, or that of a step, as it is: also if it cannot be read.
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
