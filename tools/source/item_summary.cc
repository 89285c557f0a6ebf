#include "leafstore/tools/source/item_summary.h"

#include <iterator>

#include "leafstore/core/status_macros.h"
#include "leafstore/tools/present/errors.h"
#include "leafstore/tools/present/progress.h"
#include "leafstore/tools/source/leaf_batch.h"

namespace leafstore::tools {
namespace {

// Computes the statistics of the listed leaves, in order; those of static leaves are empty.
absl::StatusOr<std::vector<TensorStats>> ReadStats(const ItemRows& rows,
                                                   const StatsOptions& options) {
  std::vector<TensorStats> stats;
  stats.reserve(rows.places().size());
  Progress progress("reading", rows.ListedTotals().bytes);
  const auto add = [&](const ParamStore& leaves) -> absl::Status {
    LEAFSTORE_ASSIGN_OR_RETURN(std::vector<TensorStats> found, StatsOfLeaves(leaves, options));
    std::move(found.begin(), found.end(), std::back_inserter(stats));
    return absl::OkStatus();
  };
  LEAFSTORE_RETURN_IF_ERROR(ForEachBatch(rows.item(), rows.places(), &progress, add));
  return stats;
}

TensorStats Merged(absl::Span<const TensorStats> stats) {
  TensorStats all;
  for (const TensorStats& one : stats) all.Merge(one);
  return all;
}

// Sums the listed leaves of each group; `stats` has one entry per listed place, or is empty.
void SummarizeGroups(const std::vector<TensorStats>& stats, ItemSummary* summary) {
  std::vector<GroupSummary>& groups = summary->group_summaries;
  for (const std::string& name : summary->groups->grouping.names()) groups.push_back({name});
  groups.push_back({"", true});
  const std::vector<uint32_t>& places = summary->rows.places();
  for (size_t i = 0; i < places.size(); ++i) {
    GroupSummary& group = groups[*summary->GroupOf(places[i])];
    group.totals.Add(summary->item().entry(places[i]));
    if (!stats.empty()) group.stats.Merge(stats[i]);
  }
  if (groups.back().totals.leaves == 0) groups.pop_back();
}

absl::StatusOr<ItemSummary> SummarizeItem(const SourceItem& item, const SummaryOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(ItemRows rows, ItemRows::Create(item, options.rows));
  ItemSummary summary(std::move(rows));
  summary.partly_listed = !options.rows.match.empty();
  LEAFSTORE_ASSIGN_OR_RETURN(summary.groups, GroupsOf(item, options.groups));
  std::vector<TensorStats> stats;
  if (options.stats) {
    StatsOptions stats_options = options.stats_options;
    if (options.range_of_all) {
      LEAFSTORE_ASSIGN_OR_RETURN(stats, ReadStats(summary.rows, {}));
      const TensorStats all = Merged(stats);
      if (all.finite_count() > 0) {
        stats_options.histogram_range = StatsOptions::Range{all.min, all.max};
      }
    }
    LEAFSTORE_ASSIGN_OR_RETURN(stats, ReadStats(summary.rows, stats_options));
    summary.row_stats.emplace();
    for (const Row& row : summary.rows.rows()) {
      summary.row_stats->push_back(
          Merged(absl::MakeConstSpan(stats).subspan(row.begin, row.end - row.begin)));
    }
    summary.all_stats = Merged(stats);
  }
  if (summary.groups) SummarizeGroups(stats, &summary);
  if (options.path_text) LEAFSTORE_RETURN_IF_ERROR(summary.rows.CheckPathText());
  return summary;
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

absl::StatusOr<std::vector<ItemSummary>> Summarize(const Source& source,
                                                   absl::Span<const SourceItem* const> items,
                                                   const SummaryOptions& options) {
  std::vector<ItemSummary> summaries;
  for (const SourceItem* item : items) {
    absl::StatusOr<ItemSummary> summary = SummarizeItem(*item, options);
    if (!summary.ok()) return FileError(source.file, summary.status());
    summaries.push_back(*std::move(summary));
  }
  return summaries;
}

}  // namespace leafstore::tools
