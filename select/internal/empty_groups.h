// Finds the filters of a grouping whose groups are empty, and explains why. For grouping.cc.
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

// Checks that the group of each filter has a leaf. error InvalidArgument: names each filter whose
// group is empty, and says that it matches nothing (with suggestions for a glob) or which filter
// its matches belong to. Filters are named by their groups, or by index without names.
// O(filters); for the error, O(nodes * filters with empty groups).
absl::Status CheckNoEmptyGroups(const TreeDef& def, const LeafSpecs& leaves,
                                absl::Span<const Filter> filters, GroupingRule rule,
                                absl::Span<const SlotSet> groups,
                                absl::Span<const uint32_t> group_of_slot,
                                absl::Span<const std::string> names);

}  // namespace leafstore::internal

#endif  // LEAFSTORE_SELECT_INTERNAL_EMPTY_GROUPS_H_
