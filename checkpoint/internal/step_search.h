// StepSearch: finds the newest or best readable checkpoint of a managed directory, and remembers
// which checkpoints are damaged.
//
// Threads: all calls are safe from many threads.
#ifndef LEAFSTORE_CHECKPOINT_INTERNAL_STEP_SEARCH_H_
#define LEAFSTORE_CHECKPOINT_INTERNAL_STEP_SEARCH_H_

#include <cstdint>
#include <mutex>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "leafstore/checkpoint/internal/step_directory.h"
#include "leafstore/checkpoint/manager.h"
#include "leafstore/checkpoint/reader.h"
#include "leafstore/checkpoint/retention.h"

namespace leafstore::internal {

class StepSearch {
 public:
  // The arguments must outlive this object.
  StepSearch(const StepDirectory* directory, const ManagerOptions* options)
      : directory_(*directory), options_(*options) {}

  // See CheckpointManager::Restore.
  absl::StatusOr<RestoredCheckpoint> Restore(const RestoreQuery& query);

  // Opens the file of a step. Uses the manager's file system instead of that in `options`.
  absl::StatusOr<CheckpointReader> Open(int64_t step, ReadOptions options = {}) const;
  // Returns the properties of a checkpoint that retention depends on. Marks a damaged one as
  // damaged. error: this process cannot read it.
  absl::StatusOr<RetainedCheckpoint> Describe(int64_t step);

  bool IsDamaged(int64_t step) const;
  // Returns whether Restore has found damage since the last call.
  bool TakeFoundDamage();
  // Forgets that the file of a step is damaged, as it was replaced or removed.
  void Forget(int64_t step);

 private:
  absl::StatusOr<std::vector<int64_t>> StepsToTry(const RestoreQuery& query) const;
  absl::StatusOr<std::vector<int64_t>> StepsByMetric() const;
  // Checks that a checkpoint has the metric, unless all are damaged. error NotFound: none has it.
  absl::Status CheckHaveMetric(absl::Span<const RetainedCheckpoint> checkpoints) const;
  absl::StatusOr<CheckpointReader> OpenFor(int64_t step, const RestoreQuery& query) const;
  absl::Status NoneIsIntact(absl::Span<const SkippedCheckpoint> skipped) const;

  const StepDirectory& directory_;
  const ManagerOptions& options_;
  mutable std::mutex mutex_;
  absl::flat_hash_set<int64_t> damaged_;
  bool found_damage_ = false;
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_CHECKPOINT_INTERNAL_STEP_SEARCH_H_
