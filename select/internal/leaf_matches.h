// MatchLeaves and ReplaceLeaves: the two parts of LoadInto. Between them, the readers of files load
// the leaves.
#ifndef LEAFSTORE_SELECT_INTERNAL_LEAF_MATCHES_H_
#define LEAFSTORE_SELECT_INTERNAL_LEAF_MATCHES_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"

#include "leafstore/core/leaf.h"
#include "leafstore/select/load_into.h"
#include "leafstore/store/leaf_specs.h"
#include "leafstore/store/slot_set.h"

namespace leafstore::internal {

// The leaf of the source at places[i] replaces the one in slots[i] of the store's Layout. `slots`
// is ascending.
struct LeafMatches {
  std::vector<uint32_t> places;
  std::vector<Slot> slots;
  RestoreReport report;
};

// Determines which leaf of a source replaces which of a store. error: LoadInto's.
absl::StatusOr<LeafMatches> MatchLeaves(const LeafSpecs& source, const ParamStore& store,
                                        const RestoreOptions& options);
// Replaces the leaves in matches.slots of the store. `leaves` are those at matches.places.
absl::StatusOr<RestoreReport> ReplaceLeaves(LeafMatches matches, std::vector<Leaf> leaves,
                                            ParamStore* store);

}  // namespace leafstore::internal

#endif  // LEAFSTORE_SELECT_INTERNAL_LEAF_MATCHES_H_
