#include "leafstore/tools/source/item_summary.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/tools/present/progress.h"
#include "leafstore/tools/source/item_stats.h"

namespace leafstore::tools {
namespace {

// Adds up what is listed, group by group.
void SummarizeGroups(ItemSummary* summary) {
  const Grouping& grouping = summary->groups->grouping;
  std::vector<GroupSummary>& groups = summary->group_summaries;
  for (const std::string& name : grouping.names()) groups.push_back({name});
  groups.push_back({"", true});
  const std::vector<uint32_t>& places = summary->rows.places();
  for (size_t i = 0; i < places.size(); ++i) {
    GroupSummary& group = groups[*summary->GroupOf(places[i])];
    group.totals.Add(summary->item().entry(places[i]));
    if (summary->stats) group.stats.Merge((*summary->stats)[i]);
  }
  if (groups.back().totals.leaves == 0) groups.pop_back();
}

}  // namespace

std::optional<uint32_t> ItemSummary::GroupOf(uint32_t place) const {
  if (!groups) return std::nullopt;
  const uint32_t group = groups->grouping.GroupOf(item().slots().SlotAt(place));
  return group == kNoGroup ? groups->grouping.group_count() : group;
}

std::optional<uint32_t> ItemSummary::GroupOf(const Row& row) const {
  std::optional<uint32_t> common;
  for (const uint32_t place : rows.PlacesOf(row)) {
    const std::optional<uint32_t> group = GroupOf(place);
    if (common && common != group) return std::nullopt;
    common = group;
  }
  return common;
}

TensorStats ItemSummary::StatsOf(const Row& row) const {
  TensorStats all;
  for (uint32_t i = row.begin; i < row.end; ++i) all.Merge((*stats)[i]);
  return all;
}

TensorStats ItemSummary::StatsOfAll() const {
  TensorStats all;
  for (const TensorStats& one : *stats) all.Merge(one);
  return all;
}

absl::StatusOr<ItemSummary> Summarize(const SourceItem& item, const SummaryOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(ItemRows rows, ItemRows::Create(item, options.rows));
  ItemSummary summary(std::move(rows));
  summary.partly_listed = !options.rows.match.empty();
  LEAFSTORE_ASSIGN_OR_RETURN(summary.groups, GroupsOf(item, options.groups));
  if (options.stats) {
    Progress progress("reading", summary.rows.ListedTotals().bytes);
    LEAFSTORE_ASSIGN_OR_RETURN(
        summary.stats, ReadStats(item, summary.rows.places(), options.stats_options, &progress));
  }
  if (summary.groups) SummarizeGroups(&summary);
  return summary;
}

}  // namespace leafstore::tools
