// Retention: which of the checkpoints of a directory are kept.
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

// A checkpoint is kept if any of the rules keeps it, and the newest always. Without a rule all are.
struct Retention {
  // So many of the newest; 0: no rule.
  size_t last = 0;
  // Those whose step is a multiple of this; 0: none.
  int64_t every = 0;
  // The best by a metric; one that lacks the metric, or has NaN, is worse than all others. While no
  // checkpoint has it, all are kept: its name may be misspelt, and the best among them.
  size_t best = 0;
  std::string metric = {};       // its name; for `best`
  bool higher_is_better = true;  // accuracy, not loss
};

// What retention asks about a checkpoint.
struct RetainedCheckpoint {
  int64_t step = 0;
  std::string file_name;
  Metrics metrics;
  std::vector<std::string> bases;  // names of the files that it needs
  bool pinned = false;             // is kept whatever the rules say
  // Cannot be restored: counts for no rule, keeps none of its bases, and is kept itself.
  bool damaged = false;
};

// Whether `a` is better than `b` by the metric; of equals the newer is.
bool IsBetter(const RetainedCheckpoint& a, const RetainedCheckpoint& b, const Retention& retention);

// Whether each is kept: by a rule, or because one that is kept needs it, so that all that are kept
// are whole. `checkpoints` by growing step. O(n log n).
std::vector<bool> CheckpointsToKeep(absl::Span<const RetainedCheckpoint> checkpoints,
                                    const Retention& retention);

}  // namespace leafstore

#endif  // LEAFSTORE_CHECKPOINT_RETENTION_H_
