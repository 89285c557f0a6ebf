// ItemSummary: all that `inspect` has found out about one item, for whichever form it is shown in.
#ifndef LEAFSTORE_TOOLS_SOURCE_ITEM_SUMMARY_H_
#define LEAFSTORE_TOOLS_SOURCE_ITEM_SUMMARY_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "leafstore/numeric/stats.h"
#include "leafstore/tools/source/item_groups.h"
#include "leafstore/tools/source/item_rows.h"
#include "leafstore/tools/source/source.h"

namespace leafstore::tools {

struct SummaryOptions {
  RowOptions rows;
  GroupFilters groups;
  bool stats = false;
  StatsOptions stats_options;
};

// What is listed of one group.
struct GroupSummary {
  std::string name;  // empty for what is in no group
  bool in_no_group = false;
  Totals totals;
  TensorStats stats;  // where they were asked for
};

struct ItemSummary {
  explicit ItemSummary(ItemRows item_rows) : rows(std::move(item_rows)) {}

  const SourceItem& item() const { return rows.item(); }
  // The number in group_summaries of a place of the item; none where there are no groups.
  std::optional<uint32_t> GroupOf(uint32_t place) const;
  // The group that all leaves of a row are in; none where they are in several, or there are none.
  std::optional<uint32_t> GroupOf(const Row& row) const;
  TensorStats StatsOf(const Row& row) const;
  // Of all that is listed.
  TensorStats StatsOfAll() const;

  ItemRows rows;
  bool partly_listed = false;  // something was asked to be left out
  std::optional<ItemGroups> groups;
  // One a group, in order; and one of what is in no group, if something is.
  std::vector<GroupSummary> group_summaries;
  std::optional<std::vector<TensorStats>> stats;  // one a listed place
};

// Tensors are read for statistics alone. error: ItemRows's, GroupsOf's, ReadStats's.
absl::StatusOr<ItemSummary> Summarize(const SourceItem& item, const SummaryOptions& options);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_SOURCE_ITEM_SUMMARY_H_
