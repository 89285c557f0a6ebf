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
#include "leafstore/checkpoint/manager.h"
#include "leafstore/checkpoint/reader.h"
#include "leafstore/io/file_system.h"

namespace leafstore::internal {

// Returns the name of a step's file, such as "step-00000000000000000100.leaf". Names sort like
// steps. `step` must not be negative.
std::string StepFileName(int64_t step);
// Returns the step of such a name, or nothing for any other name.
std::optional<int64_t> StepOfFileName(absl::string_view name);

class StepFiles {
 public:
  // `options` must outlive this object.
  StepFiles(std::string path, const ManagerOptions* options)
      : path_(std::move(path)), options_(*options), files_(options->io.files()) {}

  const std::string& path() const { return path_; }
  std::string PathOf(int64_t step) const { return PathTo(StepFileName(step)); }
  // Returns the steps of the files, ascending. O(files of the directory).
  absl::StatusOr<std::vector<int64_t>> Steps() const;

  // Creates the directory unless it exists, and locks it. error FailedPrecondition: another has
  // locked it.
  absl::StatusOr<std::shared_ptr<void>> CreateAndLock() const;
  // Removes the temporary files of unfinished saves.
  absl::Status RemoveUnfinished() const;
  // Returns OK if the file of a step exists and can be opened. error NotFound: it does not exist.
  absl::Status CheckExists(int64_t step) const { return files_.Open(PathOf(step)).status(); }
  absl::Status Remove(int64_t step) const { return files_.Remove(PathOf(step)); }
  // Renames the file of a step to `<its name>.damaged`, or if that exists to `<its name>.damaged-2`
  // and so on.
  absl::Status SetAside(int64_t step) const;
  absl::Status Sync() const { return files_.SyncDirectory(path_); }

  // See CheckpointManager::Restore.
  absl::StatusOr<RestoredCheckpoint> Restore(const RestoreQuery& query);

  // Returns the properties of a checkpoint that retention depends on. Reads each file once. error:
  // this process cannot read it.
  absl::StatusOr<StepRecord> Describe(int64_t step);

  // Returns whether the checkpoint is known to be damaged.
  bool IsDamaged(int64_t step) const;
  // Returns whether Restore has found damage since the last call.
  bool TakeFoundDamage();
  // Forgets what is known of the file of a step, as it was replaced or removed.
  void Forget(int64_t step);

 private:
  std::string PathTo(absl::string_view name) const { return absl::StrCat(path_, "/", name); }
  // Opens the file of a step, with the manager's file system.
  absl::StatusOr<CheckpointReader> Open(int64_t step, ReadOptions options = {}) const;
  absl::StatusOr<std::vector<int64_t>> StepsToTry(const RestoreQuery& query) const;
  absl::StatusOr<std::vector<int64_t>> StepsByMetric() const;
  // Checks that a checkpoint has the metric, unless all are damaged. error NotFound: none has it.
  absl::Status CheckHaveMetric(absl::Span<const StepRecord> checkpoints) const;
  absl::Status NoneIsIntact(const RestoredCheckpoint::Skipped& skipped) const;

  const std::string path_;
  const ManagerOptions& options_;
  FileSystem& files_;
  mutable std::mutex mutex_;
  std::map<int64_t, StepRecord> known_;  // by step
  bool found_damage_ = false;
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_CHECKPOINT_INTERNAL_STEP_FILES_H_
