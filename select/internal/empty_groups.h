// Which filters of a grouping took nothing, and why, for an error. For grouping.cc.
#ifndef LEAFSTORE_SELECT_INTERNAL_EMPTY_GROUPS_H_
#define LEAFSTORE_SELECT_INTERNAL_EMPTY_GROUPS_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/types/span.h"

#include "leafstore/select/filter.h"
#include "leafstore/select/grouping.h"
#include "leafstore/select/leaf_specs.h"
#include "leafstore/store/slot_set.h"
#include "leafstore/treedef/treedef.h"

namespace leafstore::internal {

// Checks that each filter has a leaf in its group. error InvalidArgument: names each that has none,
// and says whether it matches nothing (with suggestions where it is a glob) or which one took what
// it matches. Filters are called by the names of their groups, or by index where there are no names.
// O(filters); for the error, O(nodes * filters that took nothing).
absl::Status CheckNoEmptyGroups(const TreeDef& def, const LeafSpecs& leaves,
                                absl::Span<const Filter> filters, GroupingRule rule,
                                absl::Span<const SlotSet> groups,
                                absl::Span<const uint32_t> group_of_slot,
                                absl::Span<const std::string> names);

}  // namespace leafstore::internal

#endif  // LEAFSTORE_SELECT_INTERNAL_EMPTY_GROUPS_H_
