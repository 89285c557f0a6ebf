// Retention: the rules for which checkpoints of a directory are kept.
//
//   std::vector<bool> keep = CheckpointsToKeep(checkpoints, {.last = 3, .every = 1000});
#ifndef LEAFSTORE_CHECKPOINT_RETENTION_H_
#define LEAFSTORE_CHECKPOINT_RETENTION_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"

#include "leafstore/core/metadata.h"

namespace leafstore {

// A checkpoint is kept if any rule keeps it. The newest is always kept. Without rules, all are
// kept.
struct Retention {
  // Keeps this many of the newest checkpoints; 0: no rule.
  size_t last = 0;
  // Keeps checkpoints whose step is a multiple of this; 0: no rule.
  int64_t every = 0;
  // Keeps this many of the best by `metric`; 0: no rule. A missing or NaN metric is worse than any
  // other. While no checkpoint has the metric, all are kept, as its name may be misspelt.
  size_t best = 0;
  std::string metric = {};       // the name of the metric for `best`
  bool higher_is_better = true;  // true for an accuracy, false for a loss
};

// The properties of a checkpoint that retention depends on.
struct RetainedCheckpoint {
  int64_t step = 0;
  std::string file_name;
  Metrics metrics;
  std::vector<std::string> bases;  // names of the files that it needs
  bool pinned = false;             // always kept
  // Cannot be restored: counts for no rule, keeps none of its bases, and is kept itself.
  bool damaged = false;
};

// Returns whether `a` is better than `b` by the metric; of equals, the newer one is better.
bool IsBetter(const RetainedCheckpoint& a, const RetainedCheckpoint& b, const Retention& retention);

// Returns for each checkpoint whether it is kept: by a rule, or because a kept one needs it, so
// that all kept checkpoints remain intact. `checkpoints` are in order of ascending step. O(n log
// n).
std::vector<bool> CheckpointsToKeep(absl::Span<const RetainedCheckpoint> checkpoints,
                                    const Retention& retention);

}  // namespace leafstore

#endif  // LEAFSTORE_CHECKPOINT_RETENTION_H_
