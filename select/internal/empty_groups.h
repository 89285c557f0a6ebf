// Which filters of a partition took nothing, and why, for an error. For partition.cc.
#ifndef LEAFSTORE_SELECT_INTERNAL_EMPTY_GROUPS_H_
#define LEAFSTORE_SELECT_INTERNAL_EMPTY_GROUPS_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/types/span.h"

#include "leafstore/select/filter.h"
#include "leafstore/select/leaf_specs.h"
#include "leafstore/select/partition.h"
#include "leafstore/store/slot_set.h"
#include "leafstore/treedef/treedef.h"

namespace leafstore::internal {

// OK where each filter has a leaf in its group. error InvalidArgument: names each that has none,
// and says whether it matches nothing (with near names where it is a glob) or who took what it
// matches. O(filters); for the error, O(nodes * filters that took nothing).
absl::Status CheckNoEmptyGroups(const TreeDef& def, const LeafSpecs& leaves,
                                absl::Span<const Filter> filters, PartitionRule rule,
                                absl::Span<const SlotSet> groups,
                                absl::Span<const uint32_t> group_of_slot);

}  // namespace leafstore::internal

#endif  // LEAFSTORE_SELECT_INTERNAL_EMPTY_GROUPS_H_
