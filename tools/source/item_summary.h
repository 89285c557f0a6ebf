// ItemSummary: the data of an item that `inspect` and `stats` show, in any form of output.
#ifndef LEAFSTORE_TOOLS_SOURCE_ITEM_SUMMARY_H_
#define LEAFSTORE_TOOLS_SOURCE_ITEM_SUMMARY_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

#include "leafstore/numeric/stats.h"
#include "leafstore/select/grouping.h"
#include "leafstore/tools/source/item_rows.h"
#include "leafstore/tools/source/source.h"

namespace leafstore::tools {

struct SummaryOptions {
  RowOptions rows;
  std::vector<NamedFilter> groups;  // empty: the saved groups
  bool path_text = false;           // also call ItemRows::CheckPathText
  bool stats = false;
  StatsOptions stats_options;
  // Computes histograms over the range of all listed numbers, in another pass.
  bool range_of_all = false;
};

// The leaves of one group.
struct GroupSummary {
  std::optional<std::string> name;  // none: the leaves in no group
  Totals totals;
  TensorStats stats;
};

struct ItemSummary {
  explicit ItemSummary(ItemRows item_rows) : rows(std::move(item_rows)) {}

  const SourceItem& item() const { return rows.item(); }
  // Returns the index in `groups` for a place of the item. Must have a grouping.
  uint32_t GroupOf(uint32_t place) const;
  // Returns the group of all leaves of a row; no value if they are in several, or without groups.
  std::optional<uint32_t> GroupOf(const Row& row) const;
  // Returns the name of the group whose filter matched the root, and so has every leaf.
  std::optional<std::string> root_group() const;

  ItemRows rows;
  bool partly_listed = false;  // --match excluded something
  std::optional<Grouping> grouping;
  bool groups_saved = false;  // with the file
  // The listed leaves of each group, in order, then of those in no group, if any.
  std::vector<GroupSummary> groups;
  // If statistics were requested: one per row, and those of all rows.
  std::optional<std::vector<TensorStats>> row_stats;
  TensorStats all_stats;
};

// Summarizes items of a source. Reads tensors for statistics only. error: those of ItemRows,
// Grouping::Compile and SourceItem::load, prefixed with the file; a bad option.
absl::StatusOr<std::vector<ItemSummary>> Summarize(const Source& source, const SourceItems& items,
                                                   const SummaryOptions& options);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_SOURCE_ITEM_SUMMARY_H_
