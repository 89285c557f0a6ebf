// ReportItem: an item of a report, of one file or of two.
//
//   ReportItem item = ReportItem::Create(request, {before, after}).value();   // reads no tensor
//   LEAFSTORE_RETURN_IF_ERROR(item.Read(&progress));                          // reads the tensors
//   Json json = item.ToJson();
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

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "leafstore/select/grouping.h"
#include "leafstore/select/internal/glob.h"
#include "leafstore/tools/present/json.h"
#include "leafstore/tools/present/output.h"
#include "leafstore/tools/report/report_numbers.h"
#include "leafstore/tools/report/report_tree.h"
#include "leafstore/tools/source/for_each_leaf.h"
#include "leafstore/tools/source/item_rows.h"
#include "leafstore/tools/source/item_summary.h"

namespace leafstore::tools {

struct ReportRequest {
  std::vector<std::string> items;            // empty: all
  std::vector<internal::GlobPattern> match;  // empty: all leaves
  std::vector<NamedFilter> groups;           // empty: the saved groups
  bool verify = true;
  int threads = 0;
};

class ReportItem {
 public:
  // Lists the leaves of an item, or of one before and after; of these one may be null. The
  // arguments must outlive this.
  static absl::StatusOr<ReportItem> Create(const ReportRequest& request,
                                           std::vector<const SourceItem*> sides);

  const std::string& name() const { return main().name(); }
  // Returns the count of bytes that Read reads, at most 1 TiB.
  int64_t bytes_to_read() const;
  // Computes the statistics.
  absl::Status Read(Progress* progress);

  // The leaves at a step, in the order of this, and their points.
  struct Step {
    ItemPlaces leaves;
    std::vector<std::optional<SeriesPoint>> points;
  };
  // Returns the points at a step, whose item may be null; `before` is the step that was added last,
  // or empty. It is read again, because it may not fit into memory.
  absl::StatusOr<Step> ReadStep(const SourceItem* item, const Step& before,
                                Progress* progress) const;
  // Adds the result of ReadStep to the series. A step must be added to all items or to none.
  void AddStep(const Step& step);

  // Returns the entry of `items` (report_data.h); `steps` are those that were added, null without a
  // series.
  Json ToJson(const std::vector<int64_t>* steps = nullptr) const;

 private:
  struct Entry {
    explicit Entry(ReportTree::Node at) : node(at) {}

    ReportTree::Node node;
    std::array<uint32_t, 2> places = {kNoPlace, kNoPlace};  // on each side
    std::optional<uint32_t> group;
    std::array<TensorStats, 2> stats;
    LeafChange change;
    std::vector<std::optional<SeriesPoint>> points;
  };

  ReportItem(const ReportRequest& request, std::vector<const SourceItem*> sides)
      : request_(request), sides_(std::move(sides)), totals_(sides_.size()) {}

  // Returns the side with the names, groups and metadata.
  size_t main_side() const { return sides_.back() != nullptr ? sides_.size() - 1 : 0; }
  const SourceItem& main() const { return *sides_[main_side()]; }

  void ListSide(size_t side);
  ReportTree::Node NodeOf(const ItemRows& rows, NodeId node, std::vector<ReportTree::Node>* nodes);
  void AddLeaf(size_t side, ReportTree::Node node, uint32_t place);
  void DropAliasesOfLeaves();
  void CompareStructures();
  absl::Status Group();
  void SumGroups();

  Json TreeJson() const;
  Json GroupsJson() const;
  Json SideJson(size_t side) const;
  Json ChangeJson() const;
  Json SeriesJson(const std::vector<int64_t>& steps) const;

  const ReportRequest& request_;
  std::vector<const SourceItem*> sides_;
  std::vector<std::optional<Totals>> totals_;
  ReportTree tree_;
  std::vector<ReportTree::Node> order_;  // the nodes in preorder
  std::vector<uint32_t> number_;         // by node, its index there
  std::vector<Entry> leaves_;            // in preorder
  absl::flat_hash_map<ReportTree::Node, size_t> leaf_of_node_;
  std::vector<std::pair<ReportTree::Node, ReportTree::Node>> aliases_;
  std::vector<std::pair<ReportTree::Node, std::string>> tags_;
  std::optional<Grouping> grouping_;
  std::vector<GroupSummary> groups_;
  std::vector<std::string> structure_;
};

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_REPORT_REPORT_ITEM_H_
