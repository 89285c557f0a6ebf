// StatsOfGroups: merges the statistics of leaves into those of their groups, as the expected result
// in tests of programs that show groups.
#ifndef LEAFSTORE_TESTS_NUMERIC_GROUP_STATS_H_
#define LEAFSTORE_TESTS_NUMERIC_GROUP_STATS_H_

#include <cstdint>
#include <vector>

#include "leafstore/numeric/stats.h"
#include "leafstore/select/grouping.h"
#include "leafstore/store/param_store.h"

namespace leafstore {

inline std::vector<TensorStats> StatsOfGroups(const ParamStore& store, const Grouping& grouping) {
  const std::vector<TensorStats> leaves = StatsOfLeaves(store).value();
  std::vector<TensorStats> stats(grouping.group_count());
  for (uint32_t place = 0; place < store.size(); ++place) {
    const uint32_t group = grouping.GroupOf(store.slot(place));
    if (group != kNoGroup) stats[group].Merge(leaves[place]);
  }
  return stats;
}

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_NUMERIC_GROUP_STATS_H_
