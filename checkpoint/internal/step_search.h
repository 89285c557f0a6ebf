// StepSearch: finds the newest or best readable checkpoint of a managed directory, and remembers
// what it has read of each.
//
// Threads: all calls are safe from many threads.
#ifndef LEAFSTORE_CHECKPOINT_INTERNAL_STEP_SEARCH_H_
#define LEAFSTORE_CHECKPOINT_INTERNAL_STEP_SEARCH_H_

#include <cstdint>
#include <map>
#include <mutex>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "leafstore/checkpoint/internal/retention.h"
#include "leafstore/checkpoint/internal/step_directory.h"
#include "leafstore/checkpoint/manager.h"
#include "leafstore/checkpoint/reader.h"

namespace leafstore::internal {

class StepSearch {
 public:
  // The arguments must outlive this object.
  StepSearch(const StepDirectory* directory, const ManagerOptions* options)
      : directory_(*directory), options_(*options) {}

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
  // Opens the file of a step, with the manager's file system.
  absl::StatusOr<CheckpointReader> Open(int64_t step, ReadOptions options = {}) const;
  absl::StatusOr<CheckpointReader> OpenFor(int64_t step, const RestoreQuery& query) const;
  absl::StatusOr<std::vector<int64_t>> StepsToTry(const RestoreQuery& query) const;
  absl::StatusOr<std::vector<int64_t>> StepsByMetric() const;
  // Checks that a checkpoint has the metric, unless all are damaged. error NotFound: none has it.
  absl::Status CheckHaveMetric(absl::Span<const StepRecord> checkpoints) const;
  absl::Status NoneIsIntact(const RestoredCheckpoint::Skipped& skipped) const;

  const StepDirectory& directory_;
  const ManagerOptions& options_;
  mutable std::mutex mutex_;
  std::map<int64_t, StepRecord> known_;  // by step
  bool found_damage_ = false;
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_CHECKPOINT_INTERNAL_STEP_SEARCH_H_
