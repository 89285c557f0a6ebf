#include "leafstore/checkpoint/manager.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "leafstore/checkpoint/internal/step_file.h"
#include "leafstore/checkpoint/save_history.h"
#include "leafstore/core/internal/buffer_pool.h"
#include "leafstore/core/internal/suggest.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/io/internal/background_worker.h"

namespace leafstore {
namespace {

absl::Status Invalid(absl::string_view expected, absl::string_view found) {
  return absl::InvalidArgumentError(absl::StrCat("expected ", expected, ", found ", found));
}

absl::Status CheckOptions(absl::string_view directory, const ManagerOptions& options) {
  if (directory.empty()) return Invalid("a directory for checkpoints", "''");
  const Retention& retention = options.retention;
  if (retention.every < 0) return Invalid("every >= 0", absl::StrCat(retention.every));
  if (retention.best > 0 && retention.metric.empty()) {
    return Invalid("the name of the metric by which the best are kept", "none");
  }
  if (options.full_every > 0 && !options.incremental) {
    return Invalid("incremental where full_every is set", "every save whole");
  }
  return absl::OkStatus();
}

RetainedCheckpoint RetainedOf(int64_t step, const CheckpointReader& reader) {
  RetainedCheckpoint out{step, StepFileName(step), reader.metrics(), {}};
  for (const BaseFile& base : reader.bases()) out.bases.push_back(base.name);
  return out;
}

RetainedCheckpoint DamagedOf(int64_t step) {
  RetainedCheckpoint out{step, StepFileName(step), {}, {}};
  out.damaged = true;
  return out;
}

std::vector<CheckpointItem> Shared(std::initializer_list<CheckpointItem> items) {
  std::vector<CheckpointItem> out;
  out.reserve(items.size());
  for (const CheckpointItem& item : items) out.push_back(item.Share());
  return out;
}

}  // namespace

class CheckpointManager::State {
 public:
  State(std::string directory, ManagerOptions options)
      : directory_(std::move(directory)), options_(std::move(options)) {
    if (options_.file_system == nullptr) options_.file_system = &FileSystem::Posix();
  }

  absl::Status Open() {
    if (options_.read_only) return ListSteps().status();
    LEAFSTORE_RETURN_IF_ERROR(files().CreateDirectory(directory_));
    LEAFSTORE_ASSIGN_OR_RETURN(lock_, files().Lock(PathTo(kLockFile)));
    LEAFSTORE_RETURN_IF_ERROR(RemoveUnfinished());
    worker_.StartThread();  // so that no call of SaveAsync has to
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<int64_t>> ListSteps() const {
    LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<std::string> names, files().List(directory_));
    std::vector<int64_t> steps;
    for (const std::string& name : names) {
      if (const std::optional<int64_t> step = StepOfFileName(name)) steps.push_back(*step);
    }
    return steps;  // names sort as steps do
  }

  std::string PathOf(int64_t step) const { return PathTo(StepFileName(step)); }

  absl::StatusOr<bool> Save(int64_t step, std::vector<CheckpointItem> items, const StepInfo& info,
                            bool in_background) {
    LEAFSTORE_RETURN_IF_ERROR(CheckCanWrite());
    if (step < 0) return Invalid("a step of at least 0", absl::StrCat(step));
    for (const CheckpointItem& item : items) LEAFSTORE_RETURN_IF_ERROR(item.status());
    if (const absl::Status failed = worker_.TakeFailure(); !failed.ok())
      return NotBegun(step, failed);
    if (in_background && worker_.busy()) {
      if (options_.when_busy == WhenBusy::kSkip) return false;
      if (options_.when_busy == WhenBusy::kFail) {
        return absl::ResourceExhaustedError(absl::StrCat(
            "cannot save step ", step, " in ", directory_, ": the save before is still running"));
      }
    }
    if (const absl::Status failed = worker_.Wait(); !failed.ok()) return NotBegun(step, failed);
    LEAFSTORE_RETURN_IF_ERROR(MakeWayFor(step));
    worker_.Start([this, step, info, in_background, items = std::move(items)]() mutable {
      int64_t bytes = 0;
      for (const CheckpointItem& item : items) bytes += item.tensor_bytes();
      if (in_background) KeepMemory(bytes);
      return SaveNow(step, std::move(items), bytes, info);
    });
    if (!in_background) LEAFSTORE_RETURN_IF_ERROR(worker_.Wait());
    return true;
  }

  absl::Status Wait() { return worker_.Wait(); }

  // Tries these steps in turn.
  absl::StatusOr<RestoredCheckpoint> RestoreFirst(std::vector<int64_t> steps,
                                                  const ReadOptions& options) {
    std::vector<SkippedCheckpoint> skipped;
    for (const int64_t step : steps) {
      absl::StatusOr<CheckpointReader> reader = OpenWhole(step, options);
      if (reader.ok()) {
        damaged_.Remove(step);  // somebody may have put a whole one there
        return RestoredCheckpoint{step, *std::move(reader), std::move(skipped)};
      }
      if (!IsOfTheFile(reader.status())) return reader.status();
      if (IsDamage(reader.status())) {
        damaged_.Add(step);
        next_is_whole_ = true;  // what was damaged may be what increments build on
      }
      skipped.push_back({step, reader.status()});
    }
    return NoneIsWhole(skipped);
  }

  absl::StatusOr<std::vector<int64_t>> StepsByMetric() const {
    if (options_.retention.metric.empty()) {
      return absl::FailedPreconditionError(
          absl::StrCat(directory_, ": expected ManagerOptions to name the metric, found none"));
    }
    LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<int64_t> steps, ListSteps());
    std::vector<RetainedCheckpoint> checkpoints;
    for (const int64_t step : steps) {
      const absl::StatusOr<CheckpointReader> reader = OpenStep(step, {});
      // One that cannot be opened has no metric, and is told of when its turn comes.
      checkpoints.push_back(reader.ok() ? RetainedOf(step, *reader) : DamagedOf(step));
    }
    LEAFSTORE_RETURN_IF_ERROR(CheckHaveMetric(checkpoints));
    std::sort(checkpoints.begin(), checkpoints.end(),
              [&](const auto& a, const auto& b) { return IsBetter(a, b, options_.retention); });
    std::vector<int64_t> sorted;
    for (const RetainedCheckpoint& checkpoint : checkpoints) sorted.push_back(checkpoint.step);
    return sorted;
  }

  absl::StatusOr<RestoredCheckpoint> RestoreStep(int64_t step, const ReadOptions& options) {
    LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<int64_t> steps, ListSteps());
    if (std::binary_search(steps.begin(), steps.end(), step)) return RestoreFirst({step}, options);
    constexpr size_t kMostNamed = 20;
    const size_t unnamed = steps.size() - std::min(steps.size(), kMostNamed);
    return absl::NotFoundError(
        absl::StrCat(directory_, ": there is no checkpoint of step ", step, "; there ",
                     steps.empty() ? "is none at all" : "are those of ", unnamed > 0 ? "..., " : "",
                     absl::StrJoin(absl::MakeConstSpan(steps).subspan(unnamed), ", ")));
  }

  absl::Status Remove(int64_t step) {
    LEAFSTORE_RETURN_IF_ERROR(CheckCanWrite());
    LEAFSTORE_RETURN_IF_ERROR(worker_.Wait());
    LEAFSTORE_RETURN_IF_ERROR(CheckNotNeeded(step, "remove"));
    const absl::Status removed = RemoveFile(step);
    if (!absl::IsNotFound(removed)) next_is_whole_ = true;  // the history may be of this file
    LEAFSTORE_RETURN_IF_ERROR(removed);
    return options_.durable ? files().SyncDirectory(directory_) : absl::OkStatus();
  }

 private:
  // The steps whose checkpoints are known to be damaged. Restore finds them while a save may run.
  class DamagedSteps {
   public:
    void Add(int64_t step) {
      const std::lock_guard<std::mutex> lock(mutex_);
      steps_.insert(step);
    }
    void Remove(int64_t step) {
      const std::lock_guard<std::mutex> lock(mutex_);
      steps_.erase(step);
    }
    bool Has(int64_t step) const {
      const std::lock_guard<std::mutex> lock(mutex_);
      return steps_.contains(step);
    }

   private:
    mutable std::mutex mutex_;
    absl::flat_hash_set<int64_t> steps_;
  };

  // Whether an error is of the checkpoint itself, so that another may be whole; and not of the
  // process or the machine, which may be able to read this one in a moment.
  static bool IsOfTheFile(const absl::Status& status) {
    return IsDamage(status) || absl::IsUnimplemented(status);
  }
  // Its bytes, or a base of it, are not what they were. Not so one of a newer leafstore.
  static bool IsDamage(const absl::Status& status) {
    return absl::IsDataLoss(status) || absl::IsNotFound(status);
  }

  static absl::Status NotSaved(int64_t step, const absl::Status& why) {
    return absl::Status(why.code(), absl::StrCat("cannot save step ", step, ": ", why.message()));
  }
  // The error of the save before, returned in the place of this step's save.
  static absl::Status NotBegun(int64_t step, const absl::Status& before) {
    return absl::Status(before.code(), absl::StrCat(before.message(), "; the save of step ", step,
                                                    " was not begun: call it again"));
  }

  FileSystem& files() const { return *options_.file_system; }
  std::string PathTo(absl::string_view name) const { return absl::StrCat(directory_, "/", name); }

  // Of those that can be opened; where none can, that is for whoever tries them to say.
  absl::Status CheckHaveMetric(absl::Span<const RetainedCheckpoint> checkpoints) const {
    const std::string& metric = options_.retention.metric;
    std::vector<std::string> names;
    bool any_opened = false;
    for (const RetainedCheckpoint& checkpoint : checkpoints) {
      any_opened |= !checkpoint.damaged;
      if (checkpoint.metrics.contains(metric)) return absl::OkStatus();
      for (const auto& [name, value] : checkpoint.metrics) names.push_back(name);
    }
    if (!any_opened) return absl::OkStatus();
    return absl::NotFoundError(absl::StrCat(directory_, ": no checkpoint has the metric '", metric,
                                            "'", DidYouMean(metric, names)));
  }

  absl::Status CheckCanWrite() const {
    if (!options_.read_only) return absl::OkStatus();
    return absl::FailedPreconditionError(
        absl::StrCat("cannot write to ", directory_, ": it was opened with read_only"));
  }

  absl::Status RemoveUnfinished() {
    LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<std::string> names, files().List(directory_));
    for (const std::string& name : names) {
      if (IsUnfinishedStepFile(name)) LEAFSTORE_RETURN_IF_ERROR(files().Remove(PathTo(name)));
    }
    return absl::OkStatus();
  }

  // error FailedPrecondition: a checkpoint that is not damaged needs this step's.
  absl::Status CheckNotNeeded(int64_t step, absl::string_view verb) {
    LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<int64_t> steps, ListSteps());
    for (const int64_t other : steps) {
      if (other == step) continue;
      LEAFSTORE_ASSIGN_OR_RETURN(const RetainedCheckpoint checkpoint, Retained(other));
      if (std::count(checkpoint.bases.begin(), checkpoint.bases.end(), StepFileName(step)) == 0) {
        continue;
      }
      return absl::FailedPreconditionError(absl::StrCat(
          "cannot ", verb, " ", PathOf(step), ": the checkpoint of step ", other, " needs it"));
    }
    return absl::OkStatus();
  }

  // Sees to it that there is no file of this step: puts one that is known to be damaged aside.
  // error AlreadyExists: there is one that is not.
  absl::Status MakeWayFor(int64_t step) {
    const absl::Status there = files().Open(PathOf(step)).status();
    if (absl::IsNotFound(there)) {
      Forget(step);  // of a file that somebody took away
      return absl::OkStatus();
    }
    if (!damaged_.Has(step)) {
      LEAFSTORE_RETURN_IF_ERROR(there);
      return absl::AlreadyExistsError(
          absl::StrCat("cannot save step ", step, ": there is ", PathOf(step),
                       "; remove it first, or if it is damaged let Restore find that"));
    }
    LEAFSTORE_RETURN_IF_ERROR(CheckNotNeeded(step, "put aside"));
    LEAFSTORE_ASSIGN_OR_RETURN(const std::string aside, NameAside(step));
    LEAFSTORE_RETURN_IF_ERROR(files().Rename(PathOf(step), PathTo(aside)));
    Forget(step);
    return absl::OkStatus();
  }

  // A name that no file has.
  absl::StatusOr<std::string> NameAside(int64_t step) const {
    LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<std::string> names, files().List(directory_));
    const std::string first = absl::StrCat(StepFileName(step), ".damaged");
    std::string name = first;
    for (int number = 2; std::binary_search(names.begin(), names.end(), name); ++number) {
      name = absl::StrCat(first, "-", number);
    }
    return name;
  }

  void Forget(int64_t step) {
    retained_.erase(step);
    damaged_.Remove(step);
  }

  // What one snapshot drops the next one's copies will need.
  void KeepMemory(int64_t bytes) {
    if (options_.keep_memory && bytes > kept_.bytes()) kept_ = BufferPool::Keep(bytes);
  }

  // On the worker's thread.
  absl::Status SaveNow(int64_t step, std::vector<CheckpointItem> items, int64_t bytes,
                       const StepInfo& info) {
    const bool whole_by_rule = options_.full_every > 0 && saved_ % options_.full_every == 0;
    if (next_is_whole_.exchange(false) || whole_by_rule) history_.Clear();
    SaveOptions save;
    save.total_bytes = bytes;
    save.durable = options_.durable;
    save.compression = options_.compression;
    save.zstd_level = options_.zstd_level;
    save.metadata = info.metadata;
    save.metrics = info.metrics;
    save.history = options_.incremental ? &history_ : nullptr;
    save.file_system = options_.file_system;
    if (options_.progress) {
      save.progress = [this, step](int64_t done, int64_t total) {
        options_.progress(step, done, total);
      };
    }
    const absl::Status saved = SaveCheckpoint(PathOf(step), std::move(items), save);
    if (!saved.ok()) return NotSaved(step, saved);
    ++saved_;
    absl::Status removed = ApplyRetention(step);
    if (removed.ok()) return removed;
    return absl::Status(removed.code(),
                        absl::StrCat("saved ", PathOf(step),
                                     ", but cannot remove an older one: ", removed.message()));
  }

  absl::Status ApplyRetention(int64_t just_saved) {
    LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<int64_t> steps, ListSteps());
    std::vector<RetainedCheckpoint> checkpoints;
    for (const int64_t step : steps) {
      absl::StatusOr<RetainedCheckpoint> checkpoint = Retained(step);
      // What this process cannot read, another may, and need any of the others for it.
      if (!checkpoint.ok()) return absl::OkStatus();
      checkpoints.push_back(*std::move(checkpoint));
      checkpoints.back().pinned = step == just_saved;
    }
    const std::vector<bool> keep = CheckpointsToKeep(checkpoints, options_.retention);
    std::vector<RetainedCheckpoint> unwanted;
    for (size_t i = 0; i < checkpoints.size(); ++i) {
      if (!keep[i]) unwanted.push_back(std::move(checkpoints[i]));
    }
    return RemoveAll(std::move(unwanted));
  }

  // Removes checkpoints that no other needs, and those that they need only after it is on the disk
  // that they are gone: whatever of this is lost in a crash, all that is there then is whole.
  absl::Status RemoveAll(std::vector<RetainedCheckpoint> unwanted) {
    while (!unwanted.empty()) {
      absl::flat_hash_set<std::string> needed;
      for (const RetainedCheckpoint& one : unwanted) {
        needed.insert(one.bases.begin(), one.bases.end());
      }
      const auto removed = std::partition(
          unwanted.begin(), unwanted.end(),
          [&](const RetainedCheckpoint& one) { return needed.contains(one.file_name); });
      if (removed == unwanted.end()) break;  // no save makes a circle; then nothing is removed
      for (auto it = removed; it != unwanted.end(); ++it) {
        LEAFSTORE_RETURN_IF_ERROR(RemoveFile(it->step));
      }
      unwanted.erase(removed, unwanted.end());
      if (options_.durable) LEAFSTORE_RETURN_IF_ERROR(files().SyncDirectory(directory_));
    }
    return absl::OkStatus();
  }

  absl::Status RemoveFile(int64_t step) {
    Forget(step);
    return files().Remove(PathOf(step));
  }

  // What retention asks about a checkpoint; read once.
  absl::StatusOr<RetainedCheckpoint> Retained(int64_t step) {
    if (damaged_.Has(step)) return DamagedOf(step);
    const auto known = retained_.find(step);
    if (known != retained_.end()) return known->second;
    const absl::StatusOr<CheckpointReader> reader = OpenStep(step, {});
    if (reader.ok()) return retained_.emplace(step, RetainedOf(step, *reader)).first->second;
    if (!IsDamage(reader.status())) return reader.status();
    damaged_.Add(step);
    return DamagedOf(step);
  }

  absl::StatusOr<CheckpointReader> OpenStep(int64_t step, ReadOptions options) const {
    options.file_system = options_.file_system;
    return CheckpointReader::Open(PathOf(step), options);
  }

  absl::StatusOr<CheckpointReader> OpenWhole(int64_t step, const ReadOptions& options) const {
    LEAFSTORE_ASSIGN_OR_RETURN(CheckpointReader reader, OpenStep(step, options));
    LEAFSTORE_RETURN_IF_ERROR(reader.Verify());
    return reader;
  }

  absl::Status NoneIsWhole(absl::Span<const SkippedCheckpoint> skipped) const {
    if (skipped.empty()) {
      return absl::NotFoundError(absl::StrCat(directory_, ": there is no checkpoint"));
    }
    // One that was asked for, or the only one: its own error.
    if (skipped.size() == 1) return skipped[0].why;
    const bool any_is_newer =
        std::any_of(skipped.begin(), skipped.end(),
                    [](const SkippedCheckpoint& one) { return absl::IsUnimplemented(one.why); });
    const auto code = any_is_newer ? absl::StatusCode::kUnimplemented : absl::StatusCode::kDataLoss;
    const auto message = [](std::string* out, const SkippedCheckpoint& one) {
      absl::StrAppend(out, one.why.message());
    };
    return absl::Status(
        code, absl::StrCat(directory_, ": none of ", skipped.size(),
                           " checkpoints can be read: ", absl::StrJoin(skipped, "; ", message)));
  }

  const std::string directory_;
  ManagerOptions options_;
  std::unique_ptr<FileLock> lock_;
  DamagedSteps damaged_;
  std::atomic<bool> next_is_whole_ = false;  // whatever the history says
  // These are the worker's while it is busy.
  SaveHistory history_;
  size_t saved_ = 0;
  std::map<int64_t, RetainedCheckpoint> retained_;
  BufferPool::Reservation kept_;
  BackgroundWorker worker_;  // last: it ends before what it works on
};

CheckpointManager::CheckpointManager(std::unique_ptr<State> state) : state_(std::move(state)) {}
CheckpointManager::CheckpointManager(CheckpointManager&&) noexcept = default;
CheckpointManager& CheckpointManager::operator=(CheckpointManager&&) noexcept = default;
CheckpointManager::~CheckpointManager() = default;

absl::StatusOr<CheckpointManager> CheckpointManager::Open(std::string directory,
                                                          ManagerOptions options) {
  LEAFSTORE_RETURN_IF_ERROR(CheckOptions(directory, options));
  auto state = std::make_unique<State>(std::move(directory), std::move(options));
  LEAFSTORE_RETURN_IF_ERROR(state->Open());
  return CheckpointManager(std::move(state));
}

absl::StatusOr<std::vector<int64_t>> CheckpointManager::Steps() const {
  return state_->ListSteps();
}

absl::StatusOr<int64_t> CheckpointManager::Latest() const {
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<int64_t> steps, Steps());
  if (!steps.empty()) return steps.back();
  return absl::NotFoundError(absl::StrCat(DirectoryOf(PathOf(0)), ": there is no checkpoint"));
}

std::string CheckpointManager::PathOf(int64_t step) const { return state_->PathOf(step); }

absl::Status CheckpointManager::Save(int64_t step, std::vector<CheckpointItem> items,
                                     const StepInfo& info) {
  return state_->Save(step, std::move(items), info, /*in_background=*/false).status();
}

absl::Status CheckpointManager::Save(int64_t step, std::initializer_list<CheckpointItem> items,
                                     const StepInfo& info) {
  return Save(step, Shared(items), info);
}

absl::StatusOr<bool> CheckpointManager::SaveAsync(int64_t step, std::vector<CheckpointItem> items,
                                                  const StepInfo& info) {
  return state_->Save(step, std::move(items), info, /*in_background=*/true);
}

absl::StatusOr<bool> CheckpointManager::SaveAsync(int64_t step,
                                                  std::initializer_list<CheckpointItem> items,
                                                  const StepInfo& info) {
  return SaveAsync(step, Shared(items), info);
}

absl::Status CheckpointManager::Wait() { return state_->Wait(); }

absl::StatusOr<RestoredCheckpoint> CheckpointManager::Restore(const ReadOptions& options) const {
  LEAFSTORE_ASSIGN_OR_RETURN(std::vector<int64_t> steps, Steps());
  std::reverse(steps.begin(), steps.end());
  return state_->RestoreFirst(std::move(steps), options);
}

absl::StatusOr<RestoredCheckpoint> CheckpointManager::RestoreBest(
    const ReadOptions& options) const {
  LEAFSTORE_ASSIGN_OR_RETURN(std::vector<int64_t> steps, state_->StepsByMetric());
  return state_->RestoreFirst(std::move(steps), options);
}

absl::StatusOr<RestoredCheckpoint> CheckpointManager::RestoreStep(
    int64_t step, const ReadOptions& options) const {
  return state_->RestoreStep(step, options);
}

absl::Status CheckpointManager::Remove(int64_t step) { return state_->Remove(step); }

}  // namespace leafstore
