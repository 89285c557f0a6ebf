// Which leaves of an item go where in an existing store, found out before anything is read.
#ifndef LEAFSTORE_CHECKPOINT_INTERNAL_RESTORE_H_
#define LEAFSTORE_CHECKPOINT_INTERNAL_RESTORE_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"

#include "leafstore/checkpoint/reader.h"
#include "leafstore/proto/manifest_codec.h"
#include "leafstore/store/param_store.h"
#include "leafstore/store/slot_set.h"

namespace leafstore::internal {

// The leaf of the item at places[i] goes into slots[i] of the store's Layout; slots grow strictly.
struct RestoreMatch {
  std::vector<uint32_t> places;
  std::vector<Slot> slots;
  RestoreReport report;
};

// error: as CheckpointReader::LoadInto, save that a borrow may be open. The errors do not name the
// item. O(leaves), and what the filter and the renames cost.
absl::StatusOr<RestoreMatch> MatchForRestore(const ManifestItem& item, const ParamStore& store,
                                             const RestoreOptions& options);

}  // namespace leafstore::internal

#endif  // LEAFSTORE_CHECKPOINT_INTERNAL_RESTORE_H_
