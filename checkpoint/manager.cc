#include "leafstore/checkpoint/manager.h"

#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <random>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"

#include "leafstore/checkpoint/internal/checkpoint_access.h"
#include "leafstore/checkpoint/internal/checkpoint_file.h"
#include "leafstore/checkpoint/internal/step_files.h"
#include "leafstore/checkpoint/save_history.h"
#include "leafstore/checkpoint/writer.h"
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

// Checks what can be known about the items without their structures.
absl::Status CheckItems(absl::Span<const CheckpointItem> items) {
  std::set<std::string> names;
  for (const CheckpointItem& item : items) {
    LEAFSTORE_RETURN_IF_ERROR(item.status());
    for (std::string& name : internal::CheckpointAccess::NamesOf(item)) {
      LEAFSTORE_RETURN_IF_ERROR(CheckItemName(name));
      if (names.contains(name)) {
        return absl::AlreadyExistsError(
            absl::StrCat("expected items with different names, found two called '", name, "'"));
      }
      names.insert(std::move(name));
    }
  }
  return absl::OkStatus();
}

std::string RandomRunId() {
  std::random_device random;
  std::string id;
  while (id.size() < RunInfo::kIdSize) id.push_back(static_cast<char>(random()));
  return id;
}

}  // namespace

class CheckpointManager::State {
 public:
  State(std::string directory, ManagerOptions options)
      : options_(std::move(options)), files_(std::move(directory), &options_) {}

  // Returns whether another process created this object: then its thread does not exist here.
  bool IsForked() const { return !options_.read_only && getpid() != process_; }
  // In a forked process: closes the lock, which stays locked.
  void CloseLock() { lock_.reset(); }

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
    LEAFSTORE_RETURN_IF_ERROR(CheckItems(items));
    if (const absl::Status failed = worker_.TakeFailure(); !failed.ok())
      return NotStarted(step, failed);
    if (in_background && options_.skip_if_busy && worker_.busy()) return false;
    if (const absl::Status failed = worker_.Wait(); !failed.ok()) return NotStarted(step, failed);
    LEAFSTORE_RETURN_IF_ERROR(MakeWayFor(step));
    RunInfo run = PlaceInRun(step);
    restored_ = -1;
    worker_.Start([this, step, save = std::move(save), run = std::move(run), in_background,
                   items = std::move(items)]() mutable {
      for (const CheckpointItem& item : items) save.total_bytes += item.tensor_bytes();
      if (in_background && options_.keep_memory && save.total_bytes > kept_.bytes()) {
        kept_ = internal::BufferPool::Keep(save.total_bytes);
      }
      return SaveNow(step, std::move(items), std::move(save), std::move(run));
    });
    if (!in_background) LEAFSTORE_RETURN_IF_ERROR(worker_.Wait());
    return true;
  }

  absl::Status Remove(int64_t step) {
    LEAFSTORE_RETURN_IF_ERROR(CheckCanWrite());
    LEAFSTORE_RETURN_IF_ERROR(worker_.Wait());
    LEAFSTORE_RETURN_IF_ERROR(CheckNotNeeded(step));
    const absl::Status removed = files_.Remove({step, internal::StepFileName(step)});
    if (!absl::IsNotFound(removed)) next_is_full_ = true;  // the history may refer to this file
    LEAFSTORE_RETURN_IF_ERROR(removed);
    return files_.Sync();
  }

  absl::Status RemoveAbandoned() {
    LEAFSTORE_RETURN_IF_ERROR(CheckCanWrite());
    LEAFSTORE_RETURN_IF_ERROR(worker_.Wait());
    LEAFSTORE_ASSIGN_OR_RETURN(std::vector<internal::StepRecord> all, files_.DescribeAll());
    std::vector<bool> keep;
    for (const internal::StepRecord& one : all) {
      if (one.is_unknown)
        return WithContext(one.status,
                           "no checkpoint was removed, as this file may need any of them");
      keep.push_back(!one.file.abandoned || ReasonOf(one.status) == ErrorReason::kNotAFile);
    }
    internal::KeepBases(all, &keep);
    return RemoveOthers(std::move(all), keep);
  }

  absl::Status Wait() {
    LEAFSTORE_RETURN_IF_ERROR(CheckProcess());
    return worker_.Wait();
  }

  absl::StatusOr<RestoredCheckpoint> Restore(const RestoreQuery& query) {
    LEAFSTORE_RETURN_IF_ERROR(CheckProcess());
    if (query.and_continue) {
      LEAFSTORE_RETURN_IF_ERROR(CheckCanWrite());
      if (const absl::Status failed = worker_.Wait(); !failed.ok())
        return NotSetAside(query, failed);
    }
    LEAFSTORE_ASSIGN_OR_RETURN(RestoredCheckpoint restored, files_.Restore(query));
    if (query.and_continue) {
      next_is_full_ = true;  // the history may refer to files that get other names
      LEAFSTORE_RETURN_IF_ERROR(files_.SetAsideAfter(restored.step));
    }
    if (query.and_continue || !started_) {
      const std::optional<RunInfo>& run = restored.reader.run();
      run_id_ = run.has_value() ? run->id : "";
      tip_ = {restored.step, internal::CheckpointAccess::FileOf(restored.reader).identity()};
      before_tip_.reset();
    }
    restored_ = restored.step;
    return restored;
  }

 private:
  friend class CheckpointManager;

  // A checkpoint that the next one continues.
  struct Tip {
    int64_t step;
    FileIdentity file;
  };

  // Returns the error of the previous save, which the save of `step` reports instead of starting.
  static absl::Status NotStarted(int64_t step, const absl::Status& before) {
    return WithMessage(before, absl::StrCat(before.message(), "; the save of step ", step,
                                            " was not started: call it again"));
  }

  // Returns the error of the previous save as Restore with and_continue reports it.
  static absl::Status NotSetAside(const RestoreQuery& query, const absl::Status& before) {
    return WithMessage(
        before,
        absl::StrCat("before going back", query.step ? absl::StrCat(" to step ", *query.step) : "",
                     ": ", before.message(), "; nothing was set aside: call Restore again"));
  }

  absl::Status CheckProcess() const {
    if (!IsForked()) return absl::OkStatus();
    return absl::FailedPreconditionError(absl::StrCat(
        "cannot use ", files_.path(), " in process ", getpid(), ": process ", process_,
        " opened it and then forked; save in that process, or open it after the fork"));
  }

  absl::Status CheckCanWrite() const {
    if (!options_.read_only) return CheckProcess();
    return absl::FailedPreconditionError(
        absl::StrCat("cannot write to ", files_.path(), ": it was opened with read_only"));
  }

  // Checks that no undamaged checkpoint needs that of `step`. error FailedPrecondition: one does, or
  // may, as it cannot be read.
  absl::Status CheckNotNeeded(int64_t step) {
    const std::string name = internal::StepFileName(step);
    LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<internal::StepRecord> all, files_.DescribeAll());
    const auto wanted = std::find_if(all.begin(), all.end(),
                                     [&](const auto& one) { return one.file.name == name; });
    if (wanted == all.end()) return absl::OkStatus();
    const std::optional<size_t> user =
        internal::FindUser(all, static_cast<size_t>(wanted - all.begin()));
    if (!user) return absl::OkStatus();
    const internal::StepRecord& one = all[*user];
    return absl::FailedPreconditionError(absl::StrCat(
        "cannot remove ", files_.PathOf(step), ": ",
        one.file.abandoned ? one.file.name : absl::StrCat("the checkpoint of step ", one.file.step),
        one.is_unknown ? " may need it: " : " needs it",
        one.is_unknown ? one.status.message() : ""));
  }

  // Ensures that this step can be saved. Sets aside files of this step or later ones that Restore
  // has found damaged, because they may be readable later. error AlreadyExists, FailedPrecondition:
  // the step is not above the newest, or training went back without and_continue.
  absl::Status MakeWayFor(int64_t step) {
    LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<int64_t> steps, files_.Steps());
    // A file that a failed save may have left is not kept.
    const bool again = step == failed_step_ && !steps.empty() && steps.back() == step;
    for (auto it = steps.rbegin(); it != steps.rend() && !again; ++it) {
      if (*it >= step && !files_.IsFoundDamaged(*it)) {
        const bool exists = std::binary_search(steps.begin(), steps.end(), step);
        return NotAboveNewest(step, *it, exists && !files_.IsFoundDamaged(step));
      }
      // The first save continues what was restored.
      if (!started_ && tip_ && *it > tip_->step && !files_.WasSkipped(*it)) {
        return WithReason(
            absl::FailedPreconditionError(absl::StrCat(
                "cannot save step ", step, ": step ", tip_->step, " was restored, but step ", *it,
                " exists; restore step ", tip_->step, " with and_continue, or the newest")),
            ErrorReason::kBehindNewest);
      }
    }
    if (!again && !steps.empty() && steps.back() >= step) return files_.SetAsideAfter(step - 1);
    files_.Forget(step);  // its file will be replaced, or was removed from outside
    return absl::OkStatus();
  }

  absl::Status NotAboveNewest(int64_t step, int64_t newest, bool exists) {
    const absl::Status why = files_.Describe({newest, internal::StepFileName(newest)}).status;
    const std::string message = absl::StrCat(
        "cannot save step ", step, exists ? ", which exists" : "", ": expected a step above ",
        newest, ", the newest in ", files_.path(),
        why.ok() ? "" : absl::StrCat(", which cannot be opened (", why.message(), ")"),
        "; to continue from ",
        tip_ && tip_->step < newest ? absl::StrCat("step ", tip_->step) : "an earlier one",
        ", call Restore with and_continue; for a new run, use another directory");
    return exists ? WithReason(absl::AlreadyExistsError(message), ErrorReason::kExists)
                  : WithReason(absl::FailedPreconditionError(message), ErrorReason::kBehindNewest);
  }

  // Returns the place of the next checkpoint in the run. A save that is repeated continues what
  // the first attempt continued.
  RunInfo PlaceInRun(int64_t step) {
    started_ = true;
    if (tip_ && tip_->step == step) tip_ = before_tip_;
    if (run_id_.empty()) run_id_ = RandomRunId();
    RunInfo run{.id = run_id_, .parent = {}};
    if (tip_) run.parent = tip_->file;
    return run;
  }

  // Saves a checkpoint. Runs on the worker's thread.
  absl::Status SaveNow(int64_t step, std::vector<CheckpointItem> items, SaveOptions save,
                       RunInfo run) {
    const bool full_by_rule = options_.full_every > 0 && saved_ % options_.full_every == 0;
    // Increments may build on a file that Restore found damaged.
    const bool found_damage = files_.TakeFoundDamage();
    if (next_is_full_.exchange(false) || found_damage || full_by_rule) history_.Clear();
    save.io = options_.io;
    save.zstd_level = options_.zstd_level;
    save.history = options_.incremental ? &history_ : nullptr;
    failed_step_ = step;
    absl::StatusOr<FileIdentity> saved = internal::CheckpointAccess::Save(
        files_.PathOf(step), std::move(items), std::move(save), std::move(run));
    if (!saved.ok()) {
      if (saved_ == 0) started_ = false;  // last: Restore may set the tip again
      return WithContext(saved.status(), absl::StrCat("cannot save step ", step));
    }
    ++saved_;
    before_tip_ = std::move(tip_);
    tip_ = {step, *std::move(saved)};
    const absl::Status cleaned = ApplyRetention(step);
    if (!cleaned.ok()) {
      return WithMessage(cleaned,
                         absl::StrCat("saved ", files_.PathOf(step), ", but ", cleaned.message()));
    }
    failed_step_ = -1;
    return absl::OkStatus();
  }

  // Removes the checkpoints that no rule keeps.
  absl::Status ApplyRetention(int64_t just_saved) {
    absl::StatusOr<std::vector<internal::StepRecord>> all = files_.DescribeAll();
    if (!all.ok()) return WithContext(all.status(), "kept all older checkpoints");
    absl::Status unknown;
    for (internal::StepRecord& one : *all) {
      one.pinned =
          !one.file.abandoned && (one.file.step == just_saved || one.file.step == restored_);
      if (!one.is_unknown || absl::IsUnimplemented(one.status)) continue;
      const bool is_new = reported_.insert(std::string(one.status.message())).second;
      if (is_new || internal::IsOfProcess(one.status)) unknown = one.status;  // the newest
    }
    const std::vector<bool> keep = internal::CheckpointsToKeep(*all, options_.retention);
    LEAFSTORE_RETURN_IF_ERROR(
        WithContext(RemoveOthers(*std::move(all), keep), "cannot remove an older checkpoint"));
    LEAFSTORE_RETURN_IF_ERROR(WithContext(
        unknown, "kept all checkpoints below one that cannot be read, as it may need any of them"));
    return files_.TakeIgnored();
  }

  // Removes checkpoints before their bases, and syncs the directory in between, so that after a
  // crash all checkpoints that still exist are intact.
  absl::Status RemoveOthers(std::vector<internal::StepRecord> all, const std::vector<bool>& keep) {
    std::vector<internal::StepRecord> unwanted;
    for (size_t i = 0; i < all.size(); ++i) {
      if (!keep[i]) unwanted.push_back(std::move(all[i]));
    }
    while (!unwanted.empty()) {
      std::set<std::string> needed;
      for (const internal::StepRecord& one : unwanted) {
        for (const FileIdentity& base : one.bases) needed.insert(base.name);
      }
      const auto removed =
          std::partition(unwanted.begin(), unwanted.end(), [&](const internal::StepRecord& one) {
            return needed.contains(internal::StepFileName(one.file.step));
          });
      if (removed == unwanted.end()) break;  // a cycle, which no save creates: removes none of it
      for (auto it = removed; it != unwanted.end(); ++it) {
        LEAFSTORE_RETURN_IF_ERROR(files_.Remove(it->file));
      }
      unwanted.erase(removed, unwanted.end());
      LEAFSTORE_RETURN_IF_ERROR(files_.Sync());
    }
    return absl::OkStatus();
  }

  const ManagerOptions options_;
  const pid_t process_ = getpid();
  internal::StepFiles files_;
  std::shared_ptr<void> lock_;
  std::atomic<bool> next_is_full_ = false;  // whether the next save ignores the history
  std::atomic<int64_t> restored_ = -1;      // the step restored since the last save began
  std::atomic<bool> started_ = false;       // whether a save runs, or has succeeded
  std::string run_id_;                      // empty: not known yet
  // While the worker is busy, only its thread uses these.
  SaveHistory history_;
  size_t saved_ = 0;
  int64_t failed_step_ = -1;        // of the last save, if that failed
  std::set<std::string> reported_;  // why retention could not work
  std::optional<Tip> tip_;
  std::optional<Tip> before_tip_;           // what tip_ continues
  internal::BufferPool::Reservation kept_;  // of a snapshot's memory, for the next one's copies
  internal::BackgroundWorker worker_;       // last: finishes before the other members are destroyed
};

void CheckpointManager::Close::operator()(State* state) const {
  // In a forked process, the thread that State waits for does not exist, and may have been
  // interrupted anywhere by the fork. So the memory of State is not released.
  if (state->IsForked()) {
    state->CloseLock();
  } else {
    delete state;
  }
}

CheckpointManager::CheckpointManager(StatePtr state) : state_(std::move(state)) {}
CheckpointManager::CheckpointManager(CheckpointManager&&) noexcept = default;
CheckpointManager& CheckpointManager::operator=(CheckpointManager&&) noexcept = default;
CheckpointManager::~CheckpointManager() = default;

absl::StatusOr<CheckpointManager> CheckpointManager::Open(std::string directory,
                                                          ManagerOptions options) {
  LEAFSTORE_RETURN_IF_ERROR(CheckOptions(directory, options));
  StatePtr state(new State(std::move(directory), std::move(options)));
  LEAFSTORE_RETURN_IF_ERROR(state->Open());
  return CheckpointManager(std::move(state));
}

absl::StatusOr<std::vector<int64_t>> CheckpointManager::Steps() const {
  return state_->files_.Steps();
}

absl::StatusOr<int64_t> CheckpointManager::Latest() const {
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<int64_t> steps, Steps());
  return !steps.empty() ? absl::StatusOr<int64_t>(steps.back()) : state_->files_.NoCheckpoint();
}

absl::StatusOr<std::vector<RunCheckpoint>> CheckpointManager::ListRun() const {
  return state_->files_.ListRun();
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

absl::Status CheckpointManager::Wait() { return state_->Wait(); }

absl::StatusOr<RestoredCheckpoint> CheckpointManager::Restore(const RestoreQuery& query) {
  return state_->Restore(query);
}

absl::Status CheckpointManager::Remove(int64_t step) { return state_->Remove(step); }

absl::Status CheckpointManager::RemoveAbandoned() { return state_->RemoveAbandoned(); }

}  // namespace leafstore
