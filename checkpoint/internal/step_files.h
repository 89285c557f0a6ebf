// StepFiles: the files of a managed directory, one checkpoint per step. Finds the newest or best
// readable one, and remembers what it has read of each.
//
// Threads: all calls are thread-safe.
#ifndef LEAFSTORE_CHECKPOINT_INTERNAL_STEP_FILES_H_
#define LEAFSTORE_CHECKPOINT_INTERNAL_STEP_FILES_H_

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "leafstore/checkpoint/internal/retention.h"
#include "leafstore/checkpoint/internal/run_files.h"
#include "leafstore/checkpoint/manager.h"
#include "leafstore/checkpoint/reader.h"
#include "leafstore/io/file_system.h"

namespace leafstore::internal {

class StepFiles {
 public:
  // `options` must outlive this object.
  StepFiles(std::string path, const ManagerOptions* options)
      : path_(std::move(path)), options_(*options), files_(options->io.files()) {}

  const std::string& path() const { return path_; }
  std::string PathOf(int64_t step) const { return PathTo(StepFileName(step)); }
  std::string PathOf(const RunFile& file) const { return PathTo(file.name); }
  // Returns the steps of the files that were not set aside, ascending. O(files of the directory).
  absl::StatusOr<std::vector<int64_t>> Steps() const;
  // See CheckpointManager::ListRun.
  absl::StatusOr<std::vector<RunCheckpoint>> ListRun() const;

  // Creates the directory unless it exists, and locks it. Syncs the parent directory if the
  // directory was never locked before. error FailedPrecondition: another has locked it.
  absl::StatusOr<std::shared_ptr<void>> CreateAndLock() const;
  // Removes the temporary files of unfinished saves.
  absl::Status RemoveUnfinished() const;
  absl::Status Remove(const RunFile& file);
  // Sets aside the files of steps above `step`, the newest first: renames each to the first
  // AbandonedName that does not exist. Then syncs the directory.
  absl::Status SetAsideAfter(int64_t step);
  // Syncs the directory, if saves are durable.
  absl::Status Sync() const;

  // See CheckpointManager::Restore.
  absl::StatusOr<RestoredCheckpoint> Restore(const RestoreQuery& query);
  // Returns the error of a directory without checkpoints: NotFound. Its reason is kNoCheckpoint,
  // unless other files may be checkpoints under other names; then the message names some of them.
  absl::Status NoCheckpoint() const;

  // Returns the properties of a checkpoint that retention depends on. The record of a damaged file,
  // or of something that is not a file, has an error status. Reads each file once, except one that
  // cannot be read now or is from a newer leafstore, whose record is_unknown.
  StepRecord Describe(const RunFile& file);
  // Describes all files, ascending by step. error: the directory cannot be listed.
  absl::StatusOr<std::vector<StepRecord>> DescribeAll();

  // Returns whether Restore has skipped the file of a step.
  bool WasSkipped(int64_t step) const;
  // Returns whether Restore has found the file of a step damaged.
  bool IsFoundDamaged(int64_t step) const;
  // Returns whether Restore has found damage since the last call.
  bool TakeFoundDamage();
  // Returns an error that names something with the name of a checkpoint that is not a file, such as
  // a directory, if Describe has found one since the last call and Restore has not; otherwise OK.
  absl::Status TakeIgnored();
  // Forgets what is known of the file of a step, as it was replaced or removed.
  void Forget(int64_t step);

 private:
  std::string PathTo(absl::string_view name) const { return absl::StrCat(path_, "/", name); }
  // Returns all files, ascending by step. O(files of the directory).
  absl::StatusOr<std::vector<RunFile>> Files() const;
  // Returns whether a name is in the directory.
  absl::StatusOr<bool> IsListed(absl::string_view name) const;
  // Reads the properties of a file, or its status.
  StepRecord Read(const RunFile& file) const;
  // Opens a file, with the manager's file system.
  absl::StatusOr<CheckpointReader> Open(absl::string_view name, ReadOptions options = {}) const;
  absl::Status SetAside(int64_t step);
  // Forgets what is known of files that do not exist.
  void ForgetOthers(absl::Span<const RunFile> files);
  absl::StatusOr<std::vector<int64_t>> StepsToTry(const RestoreQuery& query) const;
  absl::StatusOr<std::vector<int64_t>> StepsByMetric() const;
  // Checks that a checkpoint has the metric, unless all are damaged. error NotFound: none has it.
  absl::Status CheckHaveMetric(absl::Span<const StepRecord> checkpoints) const;
  // Restores the first of `steps` that can be restored; null if none can. Adds those before it to
  // `*skipped`.
  absl::StatusOr<std::unique_ptr<RestoredCheckpoint>> RestoreFirst(
      absl::Span<const int64_t> steps, const RestoreQuery& query,
      RestoredCheckpoint::Skipped* skipped) const;
  // Returns whether all of these steps still have files.
  absl::StatusOr<bool> StillExist(const RestoredCheckpoint::Skipped& skipped) const;
  // Remembers which steps were skipped.
  void Remember(const RestoredCheckpoint::Skipped& skipped);
  absl::Status NoneIsIntact(const RestoredCheckpoint::Skipped& skipped) const;

  const std::string path_;
  const ManagerOptions& options_;
  FileSystem& files_;
  mutable std::mutex mutex_;
  // By file name: what Describe has read, and why Restore skipped a file.
  std::map<std::string, StepRecord> known_;
  std::map<std::string, absl::Status> skipped_;
  bool found_damage_ = false;
  absl::Status ignored_;
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_CHECKPOINT_INTERNAL_STEP_FILES_H_
