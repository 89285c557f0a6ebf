#include "leafstore/tools/source/item_summary.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/tools/present/errors.h"

namespace leafstore::tools {
namespace {

// Computes the statistics of the listed leaves, in order; those of static leaves are empty.
absl::StatusOr<std::vector<TensorStats>> ReadStats(const ItemRows& rows,
                                                   const StatsOptions& options) {
  std::vector<TensorStats> stats(rows.places().size());
  Progress progress("reading", rows.ListedTotals().bytes);
  LEAFSTORE_RETURN_IF_ERROR(
      ForEachLeaf({{&rows.item(), rows.places()}}, /*threads=*/1, &progress,
                  [&](size_t i, absl::Span<const Leaf> leaves) -> absl::Status {
                    if (!leaves[0].is_tensor()) return absl::OkStatus();
                    LEAFSTORE_ASSIGN_OR_RETURN(stats[i], StatsOf(leaves[0].tensor(), options));
                    return absl::OkStatus();
                  }));
  return stats;
}

TensorStats Merged(absl::Span<const TensorStats> stats) {
  TensorStats all;
  for (const TensorStats& one : stats) all.Merge(one);
  return all;
}

// Sums the listed leaves of each group; `stats` has one entry per listed place, or is empty.
void SummarizeGroups(const std::vector<TensorStats>& stats, ItemSummary* summary) {
  std::vector<GroupSummary>& groups = summary->groups;
  for (const std::string& name : summary->grouping->names()) groups.push_back({name});
  groups.emplace_back();
  const std::vector<uint32_t>& places = summary->rows.places();
  for (size_t i = 0; i < places.size(); ++i) {
    GroupSummary& group = groups[summary->GroupOf(places[i])];
    group.totals.Add(summary->item().entry(places[i]));
    if (!stats.empty()) group.stats.Merge(stats[i]);
  }
  if (groups.back().totals.leaves == 0) groups.pop_back();
}

absl::StatusOr<ItemSummary> SummarizeItem(const SourceItem& item, const SummaryOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(ItemRows rows, ItemRows::Create(item, options.rows));
  ItemSummary summary(std::move(rows));
  summary.partly_listed = !options.rows.match.empty();
  LEAFSTORE_ASSIGN_OR_RETURN(summary.grouping, item.GroupBy(options.groups));
  summary.groups_saved = summary.grouping && options.groups.empty();
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
  if (summary.grouping) SummarizeGroups(stats, &summary);
  if (options.path_text) LEAFSTORE_RETURN_IF_ERROR(summary.rows.CheckPathText());
  return summary;
}

}  // namespace

uint32_t ItemSummary::GroupOf(uint32_t place) const {
  const uint32_t group = grouping->GroupOf(item().slots.SlotAt(place));
  return group == kNoGroup ? grouping->group_count() : group;
}

std::optional<std::string> ItemSummary::root_group() const {
  const std::optional<uint32_t> group = grouping ? grouping->root_group() : std::nullopt;
  return group ? std::optional<std::string>(grouping->name(*group)) : std::nullopt;
}

std::optional<uint32_t> ItemSummary::GroupOf(const Row& row) const {
  std::optional<uint32_t> common;
  if (!grouping) return common;
  for (const uint32_t place : rows.PlacesOf(row)) {
    const uint32_t group = GroupOf(place);
    if (common && *common != group) return std::nullopt;
    common = group;
  }
  return common;
}

absl::StatusOr<std::vector<ItemSummary>> Summarize(const Source& source, const SourceItems& items,
                                                   const SummaryOptions& options) {
  std::vector<ItemSummary> summaries;
  for (const SourceItem* item : items) {
    LEAFSTORE_ASSIGN_OR_RETURN(auto summary, FileError(source.file, SummarizeItem(*item, options)));
    summaries.push_back(std::move(summary));
  }
  return summaries;
}

}  // namespace leafstore::tools
