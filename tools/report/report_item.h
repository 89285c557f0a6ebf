// ReportItemBuilder: one item of a report, of one file or of two.
//
//   ReportItemBuilder builder(request, {before, after});      // null: that file does not have it
//   LEAFSTORE_RETURN_IF_ERROR(builder.List());                // what there is, without tensors
//   LEAFSTORE_RETURN_IF_ERROR(builder.Read(&reader));         // its numbers
//   ReportItem item = std::move(builder).Take();
//
// Threads: one at a time.
#ifndef LEAFSTORE_TOOLS_REPORT_REPORT_ITEM_H_
#define LEAFSTORE_TOOLS_REPORT_REPORT_ITEM_H_

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"

#include "leafstore/tools/item_rows.h"
#include "leafstore/tools/report/report_build.h"
#include "leafstore/tools/report/report_data.h"
#include "leafstore/tools/report/report_numbers.h"
#include "leafstore/tools/source.h"

namespace leafstore::tools {

class ReportItemBuilder {
 public:
  // `sides`: one, or before and after, of which one may be null. All must outlive this.
  ReportItemBuilder(const ReportRequest& request, std::vector<const SourceItem*> sides)
      : request_(request), sides_(std::move(sides)) {}

  absl::Status List();
  const std::string& name() const { return item_.name; }
  // Bytes that Read reads, 1 TiB at most. After List.
  int64_t bytes_to_read() const;
  absl::Status Read(NumberReader* reader);
  // Adds the norms at steps, of which the last is that of the side. `failed` gets, by step, the
  // first error.
  void ReadSeries(const std::vector<const SourceItem*>& steps, NumberReader* reader,
                  std::vector<absl::Status>* failed);
  ReportItem Take() && { return std::move(item_); }

 private:
  static constexpr uint32_t kNoLeaf = 0xffffffff;

  // The one that names, groups and metadata are of.
  const SourceItem& main() const { return sides_.back() ? *sides_.back() : *sides_.front(); }

  absl::Status ListSide(size_t side);
  ReportTree::Node NodeOf(const ItemRows& rows, NodeId node, std::vector<ReportTree::Node>* nodes);
  void AddLeaf(size_t side, ReportTree::Node node, uint32_t place);
  void DropAliasesOfLeaves();
  absl::Status Group();
  void GroupSide(const SourceItem& item, size_t side, const ItemGroups& groups);
  void SumGroups();
  void CompareStructures();
  absl::Status ReadOne(size_t side, NumberReader* reader);
  absl::Status ReadPairs(NumberReader* reader);
  std::optional<ReportLeaf> Describe(size_t side, size_t leaf) const;
  std::vector<uint32_t> PlacesAt(const SourceItem& item) const;

  const ReportRequest& request_;
  std::vector<const SourceItem*> sides_;
  ReportItem item_;
  absl::flat_hash_map<ReportTree::Node, uint32_t> leaf_of_node_;
  // By side, by leaf: its place there, or kNoPlace.
  std::vector<std::vector<uint32_t>> places_;
};

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_REPORT_REPORT_ITEM_H_
