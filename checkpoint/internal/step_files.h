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

#include "absl/functional/function_ref.h"
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
  // Returns all files, ascending by step. O(files of the directory).
  absl::StatusOr<std::vector<RunFile>> Files() const;
  // See CheckpointManager::ListRun.
  absl::StatusOr<std::vector<RunCheckpoint>> ListRun() const;

  // Creates the directory unless it exists, and locks it. Syncs the name of a directory that was
  // never locked before. error FailedPrecondition: another has locked it.
  absl::StatusOr<std::shared_ptr<void>> CreateAndLock() const;
  // Removes the temporary files of unfinished saves.
  absl::Status RemoveUnfinished() const;
  absl::Status Remove(int64_t step);
  // Renames the file of a step to `<its name>.damaged`, or if that exists to `<its name>.damaged-2`
  // and so on.
  absl::Status SetAsideDamaged(int64_t step);
  // Renames the files after `step` (AbandonedName), the newest first, and syncs the directory.
  absl::Status AbandonAfter(int64_t step);
  // Syncs the directory, if saves are durable.
  absl::Status Sync() const;

  // See CheckpointManager::Restore.
  absl::StatusOr<RestoredCheckpoint> Restore(const RestoreQuery& query);
  // Returns the error of a directory without checkpoints: NotFound. Its reason is kNoCheckpoint,
  // unless files could be checkpoints under other names; then the message names some.
  absl::Status NoCheckpoint() const;

  // Returns the properties of a checkpoint that retention depends on. Reads each file once. error:
  // this process cannot read it, or it is from a newer leafstore.
  absl::StatusOr<StepRecord> Describe(const RunFile& file);

  // Returns whether Restore has found damage since the last call.
  bool TakeFoundDamage();
  // Returns why Describe could not read some file, other than for damage to its contents, if it has
  // found one since the last call.
  absl::Status TakeUnreadable();
  // Forgets what is known of the file of a step, as it was replaced or removed.
  void Forget(int64_t step);

 private:
  std::string PathTo(absl::string_view name) const { return absl::StrCat(path_, "/", name); }
  // Opens a file, with the manager's file system.
  absl::StatusOr<CheckpointReader> Open(absl::string_view name, ReadOptions options = {}) const;
  // Renames the file of a step to the first of the names `name_of(1)`, ... that does not exist.
  absl::Status SetAside(int64_t step, absl::FunctionRef<std::string(int count)> name_of);
  absl::StatusOr<std::vector<int64_t>> StepsToTry(const RestoreQuery& query) const;
  absl::StatusOr<std::vector<int64_t>> StepsByMetric() const;
  // Checks that a checkpoint has the metric, unless all are damaged. error NotFound: none has it.
  absl::Status CheckHaveMetric(absl::Span<const StepRecord> checkpoints) const;
  // Restores the first of `steps` that can be; null if none can. Adds the others to `*skipped`.
  absl::StatusOr<std::unique_ptr<RestoredCheckpoint>> RestoreFirst(
      absl::Span<const int64_t> steps, const RestoreQuery& query,
      RestoredCheckpoint::Skipped* skipped) const;
  // Returns whether all of these steps still have files.
  absl::StatusOr<bool> StillExist(const RestoredCheckpoint::Skipped& skipped) const;
  // Remembers the damaged ones.
  void Remember(const RestoredCheckpoint::Skipped& skipped);
  absl::Status NoneIsIntact(const RestoredCheckpoint::Skipped& skipped) const;

  const std::string path_;
  const ManagerOptions& options_;
  FileSystem& files_;
  mutable std::mutex mutex_;
  std::map<std::string, StepRecord> known_;  // by file name
  bool found_damage_ = false;
  absl::Status unreadable_;
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_CHECKPOINT_INTERNAL_STEP_FILES_H_
