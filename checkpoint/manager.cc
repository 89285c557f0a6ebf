#include "leafstore/checkpoint/manager.h"

#include <algorithm>
#include <atomic>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"

#include "leafstore/checkpoint/internal/step_files.h"
#include "leafstore/checkpoint/save_history.h"
#include "leafstore/core/error_reason.h"
#include "leafstore/core/internal/buffer_pool.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/io/internal/background_worker.h"

namespace leafstore {
namespace {

absl::Status Invalid(absl::string_view expected, const absl::AlphaNum& found) {
  return absl::InvalidArgumentError(absl::StrCat("expected ", expected, ", found ", found));
}

absl::Status CheckOptions(absl::string_view directory, const ManagerOptions& options) {
  if (directory.empty()) return Invalid("a directory for checkpoints", "''");
  const Retention& retention = options.retention;
  if (retention.every < 0) return Invalid("retention.every of at least 0", retention.every);
  if (retention.best > 0 && retention.metric.empty()) {
    return Invalid("retention.metric to name the metric for retention.best", "none");
  }
  if (options.full_every > 0 && !options.incremental) {
    return Invalid("incremental to be true if full_every is set", "false");
  }
  return absl::OkStatus();
}

}  // namespace

class CheckpointManager::State {
 public:
  State(std::string directory, ManagerOptions options)
      : options_(std::move(options)), files_(std::move(directory), &options_) {}

  absl::Status Open() {
    if (options_.read_only) return files_.Steps().status();
    LEAFSTORE_ASSIGN_OR_RETURN(lock_, files_.CreateAndLock());
    LEAFSTORE_RETURN_IF_ERROR(files_.RemoveUnfinished());
    worker_.StartThread();  // now, as this takes a while and SaveAsync should return at once
    return absl::OkStatus();
  }

  // `save` has the metrics and the metadata.
  absl::StatusOr<bool> Save(int64_t step, std::vector<CheckpointItem> items, SaveOptions save,
                            bool in_background) {
    LEAFSTORE_RETURN_IF_ERROR(CheckCanWrite());
    if (step < 0) return Invalid("a step of at least 0", step);
    for (const CheckpointItem& item : items) LEAFSTORE_RETURN_IF_ERROR(item.status());
    if (const absl::Status failed = worker_.TakeFailure(); !failed.ok())
      return NotStarted(step, failed);
    if (in_background && options_.skip_if_busy && worker_.busy()) return false;
    if (const absl::Status failed = worker_.Wait(); !failed.ok()) return NotStarted(step, failed);
    LEAFSTORE_RETURN_IF_ERROR(MakeWayFor(step));
    worker_.Start(
        [this, step, save = std::move(save), in_background, items = std::move(items)]() mutable {
          for (const CheckpointItem& item : items) save.total_bytes += item.tensor_bytes();
          if (in_background && options_.keep_memory && save.total_bytes > kept_.bytes()) {
            kept_ = internal::BufferPool::Keep(save.total_bytes);
          }
          return SaveNow(step, std::move(items), std::move(save));
        });
    if (!in_background) LEAFSTORE_RETURN_IF_ERROR(worker_.Wait());
    return true;
  }

  absl::Status Remove(int64_t step) {
    LEAFSTORE_RETURN_IF_ERROR(CheckCanWrite());
    LEAFSTORE_RETURN_IF_ERROR(worker_.Wait());
    LEAFSTORE_RETURN_IF_ERROR(CheckNotNeeded(step, "remove"));
    files_.Forget(step);
    const absl::Status removed = files_.Remove(step);
    if (!absl::IsNotFound(removed)) next_is_full_ = true;  // the history may refer to this file
    LEAFSTORE_RETURN_IF_ERROR(removed);
    return options_.io.durable ? files_.Sync() : absl::OkStatus();
  }

 private:
  friend class CheckpointManager;

  // Returns the error of the previous save, which the save of `step` reports instead of starting.
  static absl::Status NotStarted(int64_t step, const absl::Status& before) {
    return WithMessage(before, absl::StrCat(before.message(), "; the save of step ", step,
                                            " was not started: call it again"));
  }

  absl::Status CheckCanWrite() const {
    if (!options_.read_only) return absl::OkStatus();
    return absl::FailedPreconditionError(
        absl::StrCat("cannot write to ", files_.path(), ": it was opened with read_only"));
  }

  // Checks that no undamaged checkpoint needs that of `step`. error FailedPrecondition: one does.
  absl::Status CheckNotNeeded(int64_t step, absl::string_view verb) {
    LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<int64_t> steps, files_.Steps());
    for (const int64_t other : steps) {
      if (other == step) continue;
      LEAFSTORE_ASSIGN_OR_RETURN(const internal::StepRecord checkpoint, files_.Describe(other));
      if (std::count(checkpoint.bases.begin(), checkpoint.bases.end(),
                     internal::StepFileName(step)) == 0) {
        continue;
      }
      return absl::FailedPreconditionError(absl::StrCat("cannot ", verb, " ", files_.PathOf(step),
                                                        ": the checkpoint of step ", other,
                                                        " needs it"));
    }
    return absl::OkStatus();
  }

  // Ensures that this step has no file: renames one that is known to be damaged.
  // error AlreadyExists: the file is not known to be damaged.
  absl::Status MakeWayFor(int64_t step) {
    const absl::Status exists = files_.CheckExists(step);
    if (absl::IsNotFound(exists)) {
      files_.Forget(step);  // its file may have been removed from outside
      return absl::OkStatus();
    }
    if (!files_.IsDamaged(step)) {
      LEAFSTORE_RETURN_IF_ERROR(exists);
      return WithReason(absl::AlreadyExistsError(absl::StrCat(
                            "cannot save step ", step, ": ", files_.PathOf(step),
                            " exists; remove it first, or call Restore, which detects damage")),
                        ErrorReason::kExists);
    }
    LEAFSTORE_RETURN_IF_ERROR(CheckNotNeeded(step, "rename"));
    LEAFSTORE_RETURN_IF_ERROR(files_.SetAside(step));
    files_.Forget(step);
    return absl::OkStatus();
  }

  // Saves a checkpoint. Runs on the worker's thread.
  absl::Status SaveNow(int64_t step, std::vector<CheckpointItem> items, SaveOptions save) {
    const bool full_by_rule = options_.full_every > 0 && saved_ % options_.full_every == 0;
    // Increments may build on a file that Restore found damaged.
    const bool found_damage = files_.TakeFoundDamage();
    if (next_is_full_.exchange(false) || found_damage || full_by_rule) history_.Clear();
    save.io = options_.io;
    save.zstd_level = options_.zstd_level;
    save.history = options_.incremental ? &history_ : nullptr;
    const absl::Status saved =
        SaveCheckpoint(files_.PathOf(step), std::move(items), std::move(save));
    if (!saved.ok()) return WithContext(saved, absl::StrCat("cannot save step ", step));
    ++saved_;
    const absl::Status removed = ApplyRetention(step);
    return WithContext(
        removed, absl::StrCat("saved ", files_.PathOf(step), ", but cannot remove an older one"));
  }

  absl::Status ApplyRetention(int64_t just_saved) {
    LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<int64_t> steps, files_.Steps());
    std::vector<internal::StepRecord> checkpoints;
    for (const int64_t step : steps) {
      absl::StatusOr<internal::StepRecord> checkpoint = files_.Describe(step);
      // Another process may be able to read this one, and need any of the others as its base.
      if (!checkpoint.ok()) return absl::OkStatus();
      checkpoints.push_back(*std::move(checkpoint));
      checkpoints.back().pinned = step == just_saved;
    }
    const std::vector<bool> keep = internal::CheckpointsToKeep(checkpoints, options_.retention);
    std::vector<internal::StepRecord> unwanted;
    for (size_t i = 0; i < checkpoints.size(); ++i) {
      if (!keep[i]) unwanted.push_back(std::move(checkpoints[i]));
    }
    return RemoveAll(std::move(unwanted));
  }

  // Removes checkpoints before their bases, and syncs the directory in between, so that after a
  // crash all checkpoints that still exist are intact.
  absl::Status RemoveAll(std::vector<internal::StepRecord> unwanted) {
    while (!unwanted.empty()) {
      absl::flat_hash_set<std::string> needed;
      for (const internal::StepRecord& one : unwanted) {
        needed.insert(one.bases.begin(), one.bases.end());
      }
      const auto removed = std::partition(
          unwanted.begin(), unwanted.end(),
          [&](const internal::StepRecord& one) { return needed.contains(one.file_name); });
      if (removed == unwanted.end()) break;  // a cycle, which no save creates: removes none of it
      for (auto it = removed; it != unwanted.end(); ++it) {
        files_.Forget(it->step);
        LEAFSTORE_RETURN_IF_ERROR(files_.Remove(it->step));
      }
      unwanted.erase(removed, unwanted.end());
      if (options_.io.durable) LEAFSTORE_RETURN_IF_ERROR(files_.Sync());
    }
    return absl::OkStatus();
  }

  const ManagerOptions options_;
  internal::StepFiles files_;
  std::shared_ptr<void> lock_;
  std::atomic<bool> next_is_full_ = false;  // whether the next save ignores the history
  // While the worker is busy, only its thread uses these.
  SaveHistory history_;
  size_t saved_ = 0;
  internal::BufferPool::Reservation kept_;  // of a snapshot's memory, for the next one's copies
  internal::BackgroundWorker worker_;       // last: finishes before the other members are destroyed
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
  return state_->files_.Steps();
}

absl::StatusOr<int64_t> CheckpointManager::Latest() const {
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<int64_t> steps, Steps());
  if (!steps.empty()) return steps.back();
  return absl::NotFoundError(absl::StrCat(state_->files_.path(), ": no checkpoint exists"));
}

std::string CheckpointManager::PathOf(int64_t step) const { return state_->files_.PathOf(step); }

absl::Status CheckpointManager::Save(int64_t step, std::vector<CheckpointItem> items,
                                     Metrics metrics, Metadata metadata) {
  SaveOptions save{.metadata = std::move(metadata), .metrics = std::move(metrics)};
  return state_->Save(step, std::move(items), std::move(save), /*in_background=*/false).status();
}

absl::StatusOr<bool> CheckpointManager::SaveAsync(int64_t step, std::vector<CheckpointItem> items,
                                                  Metrics metrics, Metadata metadata) {
  SaveOptions save{.metadata = std::move(metadata), .metrics = std::move(metrics)};
  return state_->Save(step, std::move(items), std::move(save), /*in_background=*/true);
}

absl::Status CheckpointManager::Wait() { return state_->worker_.Wait(); }

absl::StatusOr<RestoredCheckpoint> CheckpointManager::Restore(const RestoreQuery& query) const {
  return state_->files_.Restore(query);
}

absl::Status CheckpointManager::Remove(int64_t step) { return state_->Remove(step); }

}  // namespace leafstore
