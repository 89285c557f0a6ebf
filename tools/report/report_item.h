// ReportItemBuilder: builds one item of a report from one file or two.
//
//   ReportItemBuilder builder(request, {{before, "a.leaf"}, {after, "b.leaf"}});
//   LEAFSTORE_RETURN_IF_ERROR(builder.List());                // reads no tensor
//   LEAFSTORE_RETURN_IF_ERROR(builder.Read(&reader));         // reads the tensors
//   ReportItem item = std::move(builder).Take();
//
// Errors: those of reading, with the file in front.
// Threads: one at a time.
#ifndef LEAFSTORE_TOOLS_REPORT_REPORT_ITEM_H_
#define LEAFSTORE_TOOLS_REPORT_REPORT_ITEM_H_

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "leafstore/tools/report/report_build.h"
#include "leafstore/tools/report/report_data.h"
#include "leafstore/tools/report/report_numbers.h"
#include "leafstore/tools/source/item_rows.h"
#include "leafstore/tools/source/source.h"

namespace leafstore::tools {

class ReportItemBuilder {
 public:
  // `sides`: one, or before and after, one of which may have no item. The arguments must outlive
  // this.
  ReportItemBuilder(const ReportRequest& request, std::vector<FileItem> sides)
      : request_(request), sides_(std::move(sides)) {}

  absl::Status List();
  const std::string& name() const { return item_.name; }
  // Returns the count of bytes that Read reads, at most 1 TiB. Must be called after List.
  int64_t bytes_to_read() const;
  absl::Status Read(NumberReader* reader);
  // Returns the count of leaves shown, including aliases. Must be called after List.
  size_t size() const { return item_.leaf_nodes.size() + item_.aliases.size(); }
  // Must be called after List, and before steps are added.
  void BeginSeries();
  // Returns the norms at a step; `before` is the step that was added last, or empty.
  using StepItem = NumberReader::StepItem;
  absl::StatusOr<StepItem> ReadStep(FileItem step, const StepItem& before,
                                    NumberReader* reader) const;
  // Adds the result of ReadStep. A step must be added to all items or to none.
  void AddStep(const StepItem& step);
  ReportItem Take() && { return std::move(item_); }

 private:
  static constexpr uint32_t kNoLeaf = 0xffffffff;

  // Returns the side with the names, groups and metadata.
  const FileItem& main_side() const {
    return sides_.back().item != nullptr ? sides_.back() : sides_.front();
  }
  const SourceItem& main() const { return *main_side().item; }

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
  std::vector<FileItem> sides_;
  ReportItem item_;
  absl::flat_hash_map<ReportTree::Node, uint32_t> leaf_of_node_;
  // Per side, per leaf: its place in the item, or kNoPlace.
  std::vector<std::vector<uint32_t>> places_;
};

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_REPORT_REPORT_ITEM_H_
