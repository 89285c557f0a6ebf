// ReportItem: an item of a report, of one file or of two.
//
//   ReportItem item = ListReportItem({before, after}, match, groups).value();  // reads no tensor
//   LEAFSTORE_RETURN_IF_ERROR(ReadReportItem(threads, &progress, &item));      // reads the tensors
//   Json json = ReportItemJson(item);                                          // report_data.h
//
// Leaves are paired by path. A leaf that is tied on one side only is reported as a leaf.
//
// Errors: those of reading, prefixed with the file. Threads: one at a time.
#ifndef LEAFSTORE_TOOLS_REPORT_REPORT_ITEM_H_
#define LEAFSTORE_TOOLS_REPORT_REPORT_ITEM_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "leafstore/numeric/stats.h"
#include "leafstore/select/grouping.h"
#include "leafstore/tools/present/output.h"
#include "leafstore/tools/source/item_rows.h"
#include "leafstore/tools/source/item_summary.h"

namespace leafstore::tools {

// The number of bins of a histogram, which fits into a row of the table.
inline constexpr int kReportBins = 32;

// The change of a leaf, as in `change` of docs/report.md.
struct LeafChange {
  std::string what = "same";
  // For two tensors of one dtype and shape.
  std::optional<int64_t> differing = {};
  double max_abs = 0;
  double max_rel = 0;
  double l2 = 0;
};

// Compares two leaves by the rules of numeric/diff.h. A leaf is null if that side does not have it.
LeafChange CompareLeaves(const Leaf& before, const Leaf& after);

// A tensor at a step.
struct SeriesPoint {
  double l2;
  double change;  // the norm of the change; NaN where the previous step has no such tensor
  int64_t odd;    // NaN or infinite
};

struct ReportItem {
  // A leaf, or a node above one. It is identified by its parent and its key, so that equal paths of
  // two items are one node, whatever their order and structure.
  struct Node {
    uint32_t parent = 0;
    // The key as part of a dotted path, and of canonical text; cut where it is long.
    std::string key;
    std::string step;
  };
  struct Entry {
    uint32_t node;
    std::array<uint32_t, 2> places = {kNoPlace, kNoPlace};  // on each side
    std::optional<uint32_t> group = {};
    std::array<TensorStats, 2> stats = {};
    LeafChange change = {};
  };

  // Returns the side with the names, groups and metadata.
  size_t main_side() const { return sides.back() != nullptr ? sides.size() - 1 : 0; }
  const SourceItem& main() const { return *sides[main_side()]; }
  // Returns the count of bytes that ReadReportItem reads, at most 1 TiB.
  int64_t bytes_to_read() const;

  SourceItems sides;
  std::vector<std::optional<Totals>> totals;  // of each side
  std::vector<Node> nodes;                    // in preorder, siblings in the order of their leaves
  std::vector<Entry> leaves;                  // in the order of nodes
  std::vector<std::pair<uint32_t, uint32_t>> aliases;  // nodes that are other names of nodes
  std::vector<std::pair<uint32_t, std::string>> tags;  // of nodes
  std::optional<Grouping> grouping;
  bool groups_saved = false;  // with the file
  std::vector<GroupSummary> groups;
  std::vector<std::string> structure;  // what differs, apart from leaves
  // The leaves at each step, in their order.
  std::vector<std::vector<std::optional<SeriesPoint>>> series;
};

// Lists the leaves of an item that `match` selects, or of one before and after, of which one may be
// null; groups them by `groups`, or as saved. The items must outlive the result.
absl::StatusOr<ReportItem> ListReportItem(SourceItems sides, const Globs& match,
                                          const std::vector<NamedFilter>& groups);

// Computes the statistics.
absl::Status ReadReportItem(int threads, Progress* progress, ReportItem* item);

// Adds a step to the series, at which the item is `at`, which may be null; no step after an error.
// Returns its leaves. `before` has those of the step that was added last, or is empty; they are
// read again, because they may not fit into memory.
absl::StatusOr<ItemPlaces> AddStep(const SourceItem* at, ItemPlaces before, int threads,
                                   Progress* progress, ReportItem* item);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_REPORT_REPORT_ITEM_H_
