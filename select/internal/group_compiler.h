// CompileGroups: evaluates the filters of a Grouping. For grouping.cc.
#ifndef LEAFSTORE_SELECT_INTERNAL_GROUP_COMPILER_H_
#define LEAFSTORE_SELECT_INTERNAL_GROUP_COMPILER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "leafstore/select/filter.h"
#include "leafstore/select/grouping.h"
#include "leafstore/store/leaf_specs.h"
#include "leafstore/store/slot_set.h"
#include "leafstore/treedef/treedef.h"

namespace leafstore::internal {

// The filters and their results. Vectors are by group unless noted. The group of a filter has the
// filter's index; the rest, if any, comes last.
struct CompiledGroups {
  TreeDef def;
  std::vector<Filter> filters;
  std::vector<std::string> names;
  bool named;  // otherwise the names are indices
  bool first_match;
  std::optional<uint32_t> root_group;
  std::vector<uint32_t> group_of_slot;  // by slot; kNoGroup if the leaf was not there
  std::vector<NodeId> matched_node;     // by slot: the node that the filter matched, or kNoNode
  std::vector<SlotSet> groups;
};

// Returns the slots of `held` in each group, followed by those in no group as one more group.
// O(slots + groups).
GroupedSlots SlotsByGroup(const SlotSet& held, absl::Span<const uint32_t> group_of_slot,
                          size_t group_count);

// Returns "group 'bias'", or without names "group 0".
std::string GroupText(bool named, const std::string& name);

// `names` has one more than `filters` if the last group is the rest. Without names, groups are
// named by index and end with the rest. Errors as Grouping::Compile. O(nodes * filters).
absl::StatusOr<CompiledGroups> CompileGroups(const LeafSpecs& leaves, std::vector<Filter> filters,
                                             std::optional<std::vector<std::string>> names,
                                             const GroupingOptions& options);

}  // namespace leafstore::internal

#endif  // LEAFSTORE_SELECT_INTERNAL_GROUP_COMPILER_H_
