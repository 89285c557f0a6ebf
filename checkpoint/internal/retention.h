// The rules of Retention (manager.h): which checkpoints of a directory are kept.
#ifndef LEAFSTORE_CHECKPOINT_INTERNAL_RETENTION_H_
#define LEAFSTORE_CHECKPOINT_INTERNAL_RETENTION_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"

#include "leafstore/checkpoint/manager.h"
#include "leafstore/core/metadata.h"

namespace leafstore::internal {

// The properties of a checkpoint that retention depends on.
struct StepRecord {
  int64_t step = 0;
  std::string file_name;
  Metrics metrics;
  std::vector<std::string> bases;  // names of the files that it needs
  bool pinned = false;             // always kept
  // Cannot be restored: counts for no rule, keeps none of its bases, and is kept itself.
  bool damaged = false;
};

// Returns whether `a` is better than `b` by the metric; of equals, the newer one is better.
bool IsBetter(const StepRecord& a, const StepRecord& b, const Retention& retention);

// Returns for each checkpoint whether it is kept: by a rule, or because a kept one needs it, so
// that all kept checkpoints remain intact. `checkpoints` are in ascending order. O(n log n).
std::vector<bool> CheckpointsToKeep(absl::Span<const StepRecord> checkpoints,
                                    const Retention& retention);

}  // namespace leafstore::internal

#endif  // LEAFSTORE_CHECKPOINT_INTERNAL_RETENTION_H_
