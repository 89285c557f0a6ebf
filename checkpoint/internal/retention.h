// The rules of Retention (manager.h): which checkpoints of a directory are kept.
#ifndef LEAFSTORE_CHECKPOINT_INTERNAL_RETENTION_H_
#define LEAFSTORE_CHECKPOINT_INTERNAL_RETENTION_H_

#include <cstddef>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"

#include "leafstore/checkpoint/internal/run_files.h"
#include "leafstore/checkpoint/manager.h"
#include "leafstore/core/metadata.h"
#include "leafstore/proto/manifest_codec.h"

namespace leafstore::internal {

// The properties of a checkpoint that retention depends on.
struct StepRecord {
  RunFile file;
  Metrics metrics;
  std::vector<FileIdentity> bases;  // the files that it needs
  bool pinned = false;              // always kept
  // If not OK, the checkpoint cannot be restored. No rule counts it, and it is kept with its bases
  // as far as they are known, because a part of it may be intact.
  absl::Status status;
  // Whether it may need any file with a lower step: it cannot be read now, or is from a newer
  // leafstore.
  bool is_unknown = false;
  // Identifies it as a base of other checkpoints; the name is empty if its footer is damaged.
  FileIdentity identity;
  std::optional<RunInfo> run;

  // Returns whether rules count it. Checkpoints that were set aside are kept, with their bases.
  bool counts() const { return status.ok() && !file.abandoned; }
};

// Returns whether `a` is better than `b` by the metric; of equals, the newer one is better.
bool IsBetter(const StepRecord& a, const StepRecord& b, const Retention& retention);

// Adds the bases of all kept checkpoints to `*keep`; for one that is_unknown, all below it. A kept
// base keeps its own bases too: it is listed as a checkpoint, and may be restored. O(n).
void KeepBases(absl::Span<const StepRecord> checkpoints, std::vector<bool>* keep);
// Returns a checkpoint that is not known to be damaged and needs the one at `index`, because no
// equal file exists. O(n).
std::optional<size_t> FindUser(absl::Span<const StepRecord> checkpoints, size_t index);

// Returns for each checkpoint whether it is kept: by a rule, or because a kept one needs it, so
// that all kept checkpoints remain intact. `checkpoints` are in ascending order. O(n log n).
std::vector<bool> CheckpointsToKeep(absl::Span<const StepRecord> checkpoints,
                                    const Retention& retention);

}  // namespace leafstore::internal

#endif  // LEAFSTORE_CHECKPOINT_INTERNAL_RETENTION_H_
