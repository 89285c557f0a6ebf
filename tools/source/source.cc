#include "leafstore/tools/source/source.h"

#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <iterator>
#include <mutex>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "leafstore/checkpoint/manager.h"
#include "leafstore/core/error_reason.h"
#include "leafstore/core/internal/suggest.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/interop/internal/notes.h"
#include "leafstore/interop/safetensors/internal/place.h"
#include "leafstore/io/file_system.h"
#include "leafstore/io/internal/parallel.h"
#include "leafstore/tools/present/errors.h"

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

// Splits a name "run@1000" into the directory and the step, unless a file has that name. error: a
// UsageError: a step is given twice, or is empty.
absl::Status SplitStep(std::string* name, std::string* step) {
  const size_t at = name->rfind('@');
  if (at == std::string::npos || at == 0 || Exists(*name)) return absl::OkStatus();
  const std::string directory = name->substr(0, at);
  const std::string found = name->substr(at + 1);
  if (!IsDirectory(directory)) return absl::OkStatus();
  if (!step->empty()) {
    return UsageError(*name, ": expected one step, found '@", found, "' and --step ", *step);
  }
  if (found.empty()) {
    return UsageError(*name, ": expected a step after the '@': a number, latest, best=METRIC or ",
                      "lowest=METRIC");
  }
  *name = directory;
  *step = found;
  return absl::OkStatus();
}

// The chosen checkpoint of a managed directory.
struct StepChoice {
  std::optional<int64_t> step;
  Retention best;  // without a step: the best by its metric; without a metric: the newest
};

// Parses SourceOptions::step. error: a UsageError.
absl::StatusOr<StepChoice> ParseStep(absl::string_view text) {
  StepChoice choice;
  int64_t step = 0;
  if (text.empty() || text == "latest") return choice;
  if (absl::SimpleAtoi(text, &step) && step >= 0) {
    choice.step = step;
    return choice;
  }
  absl::string_view metric = text;
  if (absl::ConsumePrefix(&metric, "lowest=")) {
    choice.best.higher_is_better = false;
  } else if (!absl::ConsumePrefix(&metric, "best=")) {
    metric = "";
  }
  if (metric.empty()) {
    return UsageError("expected a step's number, latest, best=METRIC or lowest=METRIC, found '",
                      text, "'");
  }
  choice.best.metric = std::string(metric);
  return choice;
}

// Opens the chosen checkpoint, and verifies it if `options` require it. The newest (or the best)
// may be damaged, or written by a newer leafstore: then the previous one is opened, and `note` is
// called for each that is skipped. A step given by number is opened or is an error, and is not
// verified in full: damage in one part of it does not affect the others. error: as
// CheckpointManager::Restore; a UsageError: no such step or metric.
absl::StatusOr<RestoredCheckpoint> RestoreChosen(const std::string& directory,
                                                 const StepChoice& choice,
                                                 const SourceOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(
      CheckpointManager manager,
      CheckpointManager::Open(directory,
                              {.io = options.io, .read_only = true, .retention = choice.best}));
  absl::StatusOr<RestoredCheckpoint> restored =
      manager.Restore({.step = choice.step,
                       .best = !choice.best.metric.empty(),
                       .verify = options.verify && !choice.step.has_value(),
                       .read = {.io = options.io, .verify = options.verify}});
  if (ReasonOf(restored.status()) == ErrorReason::kUnknownName) {
    return UsageError(restored.status().message());
  }
  if (!restored.ok() || !options.note) return restored;
  for (const auto& [step, why] : restored->skipped) {
    options.note(absl::StrCat("step ", step, " skipped: ", why.message()));
  }
  return restored;
}

// Adds a note if a directory of checkpoints also contains safetensors, which are not read. error
// kUnusual: it does, with `strict`.
absl::Status AddNotRead(const std::string& directory, bool strict,
                        std::vector<std::string>* lines) {
  LEAFSTORE_ASSIGN_OR_RETURN(const auto names, FileSystem::Posix().List(directory));
  const std::string model = internal::ModelOfDirectory(names).other;
  if (model.empty()) return absl::OkStatus();
  internal::Notes notes;
  notes.Add("two models", [&] {
    return absl::DataLossError(
        absl::StrCat("expected one model in the directory, found checkpoints, "
                     "which are read, and ",
                     model, ", which is not"));
  });
  if (strict) LEAFSTORE_RETURN_IF_ERROR(notes.CheckNone());
  *lines = notes.Lines();
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Source>> OpenDirectory(const std::string& directory,
                                                      const std::string& step,
                                                      const SourceOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(const auto steps, StepsOfDirectory(directory));
  if (!steps.empty()) {
    LEAFSTORE_ASSIGN_OR_RETURN(const StepChoice choice, ParseStep(step));
    LEAFSTORE_ASSIGN_OR_RETURN(const auto chosen, RestoreChosen(directory, choice, options));
    std::unique_ptr<Source> source = LeafSource(chosen.reader);
    source->step = chosen.step;
    LEAFSTORE_RETURN_IF_ERROR(AddNotRead(directory, options.strict, &source->notes));
    return source;
  }
  if (!step.empty()) {
    return absl::NotFoundError(absl::StrCat(
        directory, ": expected checkpoints (step-<20 digits>.leaf) to choose one of, found none"));
  }
  return OpenSafetensorsDirectory(directory, options);
}

// Passes notes, and lines for unreadable leaves, to `note`.
void PassNotes(const Source& source, const std::function<void(absl::string_view)>& note) {
  constexpr size_t kMaxNamed = 10;
  if (!note) return;
  for (const std::string& line : source.notes) note(absl::StrCat("note: ", line));
  for (const SourceItem& item : source.items) {
    const size_t count = item.unreadable.size();
    for (size_t i = 0; i < std::min(count, kMaxNamed); ++i) {
      const UnreadableLeaf& one = item.unreadable[i];
      note(absl::StrCat("note: '", one.name, "' is not readable: ", one.what));
    }
    if (count > kMaxNamed)
      note(absl::StrCat("note: ", count - kMaxNamed, " more leaves are not readable"));
  }
}

// Notes each type of `void_dtypes` that no array can have had, as no tensor has its dtype.
void NoteUnusedVoidDTypes(const Source& source, const SourceOptions& options) {
  const auto has = [&source](DType dtype) {
    for (const SourceItem& item : source.items) {
      for (uint32_t place = 0; place < item.size(); ++place) {
        const EntryInfo entry = item.entry(place);
        if (entry.value == nullptr && entry.spec.dtype() == dtype) return true;
      }
    }
    return false;
  };
  for (const auto& [size, dtype] : options.void_dtypes) {
    if (!options.note || has(dtype)) continue;
    options.note(absl::StrCat("note: --dtype-of V", size, "=", DTypeName(dtype),
                              " is not used: no array has the type V", size));
  }
}

// A damaged file may have any size in its manifest.
constexpr int64_t kMaxLeafBytes = int64_t{1} << 50;

// The places [begin, end), which are read together.
struct Piece {
  size_t begin;
  size_t end;
  int64_t bytes;
};

// Divides the places into pieces that are large enough that a small leaf costs little. One thread
// reads larger ones, which the formats verify with several.
std::vector<Piece> Pieces(const std::vector<ItemPlaces>& items, int threads) {
  const int64_t max_bytes = int64_t{threads == 1 ? 16 : 4} << 20;
  const size_t max_leaves = threads == 1 ? 8192 : 1024;
  std::vector<Piece> pieces;
  for (size_t i = 0; i < items[0].places.size(); ++i) {
    if (pieces.empty() || pieces.back().bytes >= max_bytes ||
        i - pieces.back().begin >= max_leaves) {
      pieces.push_back({i, i, 0});
    }
    ++pieces.back().end;
    for (const auto& [item, places] : items) {
      if (item == nullptr || places[i] == kNoPlace) continue;
      pieces.back().bytes += std::min(item->entry(places[i]).spec.byte_size(), kMaxLeafBytes);
    }
  }
  return pieces;
}

absl::StatusOr<std::vector<Leaf>> LoadPlaces(const SourceItem* item,
                                             absl::Span<const uint32_t> places) {
  std::vector<Leaf> leaves(places.size());
  if (item == nullptr) return leaves;
  std::vector<uint32_t> sorted(places.begin(), places.end());
  std::sort(sorted.begin(), sorted.end());
  // Two paths may share a leaf.
  sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
  if (!sorted.empty() && sorted.back() == kNoPlace) sorted.pop_back();
  if (sorted.empty()) return leaves;
  LEAFSTORE_ASSIGN_OR_RETURN(const ParamStore loaded, FileError(item->file, item->load(sorted)));
  for (size_t i = 0; i < places.size(); ++i) {
    if (places[i] == kNoPlace) continue;
    const auto at = std::lower_bound(sorted.begin(), sorted.end(), places[i]);
    leaves[i] = loaded.leaf(static_cast<uint32_t>(at - sorted.begin()));
  }
  return leaves;
}

}  // namespace

absl::StatusOr<TreeDef> SourceItem::GetDef() const {
  absl::StatusOr<TreeDef> def = layout.def();
  if (def.ok()) return def;
  absl::string_view why = def.status().message();
  absl::ConsumePrefix(&why, "paths that do not form a tree: ");
  return absl::InvalidArgumentError(
      absl::StrCat("item '", name, "' has paths that do not form a tree: ", why,
                   has_names ? "; --names flat reads each name as one key" : ""));
}

absl::StatusOr<Grouping> SourceItem::CompileGrouping(std::vector<NamedFilter> filters) const {
  filters.push_back({std::string(kRestName), Rest()});
  const auto spec_of = [this](uint32_t place) { return entry(place).spec; };
  absl::StatusOr<Grouping> compiled = Grouping::Compile(LeafSpecs(layout, slots, spec_of),
                                                        std::move(filters), {.allow_empty = true});
  // Filters match containers too; this error says more.
  if (!compiled.ok()) LEAFSTORE_RETURN_IF_ERROR(GetDef().status());
  return compiled;
}

absl::StatusOr<std::optional<Grouping>> SourceItem::GroupBy(
    const std::vector<NamedFilter>& filters) const {
  if (filters.empty()) return grouping;
  return CompileGrouping(filters);
}

const SourceItem* Source::FindItem(absl::string_view item_name) const {
  const ItemsByName& by_name = by_name_.Get([this] {
    ItemsByName made;
    for (const SourceItem& item : items) made.emplace(item.name, &item);
    return made;
  });
  const auto found = by_name.find(std::string(item_name));
  return found == by_name.end() ? nullptr : found->second;
}

absl::StatusOr<const SourceItem*> Source::item(absl::string_view item_name) const {
  if (const SourceItem* const found = FindItem(item_name)) return found;
  std::vector<std::string> names;
  for (const SourceItem& item : items) names.push_back(item.name);
  return UsageError(name, ": no item '", item_name, "'", internal::DidYouMean(item_name, names));
}

absl::StatusOr<SourcePtr> OpenSource(const SourceOptions& options) {
  std::string name = options.name;
  std::string step = options.step;
  if (name == "-" && !Exists(name)) {
    return UsageError("expected a file, found '-'; standard input is /dev/stdin, if it is a file");
  }
  LEAFSTORE_RETURN_IF_ERROR(SplitStep(&name, &step));
  if (!step.empty() && !IsDirectory(name)) {
    // A file that does not exist or cannot be read is the error that matters more.
    LEAFSTORE_RETURN_IF_ERROR(FileError(name, FileSystem::Posix().Open(name).status()));
    return UsageError(name, ": --step is for a directory of checkpoints");
  }
  LEAFSTORE_ASSIGN_OR_RETURN(
      std::unique_ptr<Source> source,
      FileError(options.name, IsDirectory(name) ? OpenDirectory(WithoutSlashes(name), step, options)
                                                : OpenFile(name, options)));
  source->name = options.name;
  source->verifies = options.verify;
  PassNotes(*source, options.note);
  NoteUnusedVoidDTypes(*source, options);
  return SourcePtr(std::move(source));
}

absl::StatusOr<Steps> StepsOfDirectory(const std::string& name) {
  LEAFSTORE_ASSIGN_OR_RETURN(const CheckpointManager manager,
                             CheckpointManager::Open(name, {.read_only = true}));
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<int64_t> found, manager.Steps());
  Steps steps;
  for (const int64_t step : found) steps.emplace(step, manager.PathOf(step));
  return steps;
}

absl::StatusOr<Steps> NamedSteps(const SourceOptions& options) {
  std::string name = options.name;
  std::string step = options.step;
  LEAFSTORE_RETURN_IF_ERROR(SplitStep(&name, &step));
  if (!IsDirectory(name)) return Steps();
  name = WithoutSlashes(name);
  LEAFSTORE_ASSIGN_OR_RETURN(const Steps steps, FileError(options.name, StepsOfDirectory(name)));
  if (steps.empty() || step.empty()) return steps;
  LEAFSTORE_ASSIGN_OR_RETURN(const StepChoice choice, ParseStep(step));
  // The newest step, or the one given by number, even if it cannot be read.
  if (choice.best.metric.empty()) {
    const auto wanted = choice.step ? steps.find(*choice.step) : std::prev(steps.end());
    if (wanted != steps.end()) return Steps{*wanted};
  }
  SourceOptions unverified = options;
  unverified.verify = false;
  LEAFSTORE_ASSIGN_OR_RETURN(const RestoredCheckpoint chosen,
                             FileError(options.name, RestoreChosen(name, choice, unverified)));
  return Steps{{chosen.step, chosen.reader.path()}};
}

absl::Status ForEachLeaf(
    std::vector<ItemPlaces> items, int threads, Progress* progress,
    absl::FunctionRef<absl::Status(size_t i, absl::Span<const Leaf> leaves)> use) {
  const std::vector<Piece> pieces = Pieces(items, threads);
  std::mutex mutex;  // of `progress`
  const auto read = [&](const Piece& piece) -> absl::Status {
    const size_t size = piece.end - piece.begin;
    std::vector<Leaf> leaves(size * items.size());  // those of one index side by side
    for (size_t side = 0; side < items.size(); ++side) {
      const auto places = absl::MakeConstSpan(items[side].places).subspan(piece.begin, size);
      LEAFSTORE_ASSIGN_OR_RETURN(std::vector<Leaf> loaded, LoadPlaces(items[side].item, places));
      for (size_t i = 0; i < size; ++i) leaves[i * items.size() + side] = std::move(loaded[i]);
    }
    for (size_t i = 0; i < size; ++i) {
      LEAFSTORE_RETURN_IF_ERROR(use(
          piece.begin + i, absl::MakeConstSpan(leaves).subspan(i * items.size(), items.size())));
    }
    const std::lock_guard<std::mutex> lock(mutex);
    progress->Advance(piece.bytes);
    return absl::OkStatus();
  };
  int64_t total = 0;
  for (const Piece& piece : pieces) total += std::min(piece.bytes, kMaxLeafBytes - total);
  std::vector<absl::Status> failed(pieces.size());
  std::atomic<bool> any_failed = false;
  internal::ParallelFor(pieces.size(), internal::ThreadsFor(threads, total), [&](size_t i) {
    if (any_failed) return;
    failed[i] = read(pieces[i]);
    if (!failed[i].ok()) any_failed = true;
  });
  for (const absl::Status& status : failed) LEAFSTORE_RETURN_IF_ERROR(status);
  return absl::OkStatus();
}

}  // namespace leafstore::tools
