// The numbers of a report, read from tensors by several threads.
//
// Tensors are read a few at a time and let go of, so that memory stays small; those of one item are
// dealt out to threads by pieces of some MiB.
//
// Errors: as SourceItem::Load, with the file in front that they are of. Complexity: O(bytes),
// several passes.
#ifndef LEAFSTORE_TOOLS_REPORT_REPORT_NUMBERS_H_
#define LEAFSTORE_TOOLS_REPORT_REPORT_NUMBERS_H_

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "leafstore/core/leaf.h"
#include "leafstore/numeric/stats.h"
#include "leafstore/tools/present/progress.h"
#include "leafstore/tools/report/report_data.h"
#include "leafstore/tools/source/source.h"

namespace leafstore::tools {

// Bins of a leaf's histogram: as many as a row of the table has room for.
inline constexpr int kReportBins = 32;

// An item, null where the file does not have it, and the file that errors of reading it name.
struct FileItem {
  const SourceItem* item = nullptr;
  std::string file;
};

// How the numbers are read.
class NumberReader {
 public:
  // `threads`: as in ReadOptions. `progress` must outlive this; it is told the bytes read.
  NumberReader(int threads, Progress* progress) : threads_(threads), progress_(progress) {}

  // Of the leaves at `places` of an item, in that order; of static leaves empty ones.
  absl::StatusOr<std::vector<TensorStats>> Stats(const FileItem& from,
                                                 absl::Span<const uint32_t> places);

  // Of leaves that are there twice; the histograms of both have one range.
  struct Pair {
    TensorStats before;
    TensorStats after;
    LeafChange change;
  };
  // The places of leaves of one path.
  struct Places {
    uint32_t before;
    uint32_t after;
  };
  absl::StatusOr<std::vector<Pair>> Compare(const FileItem& before, const FileItem& after,
                                            absl::Span<const Places> places);

  // An item at a step: of each leaf of a report its place there, or kNoPlace, and what Norms said
  // of it.
  struct StepItem {
    FileItem from;
    std::vector<uint32_t> places;
    std::vector<std::optional<ReportSeries::Point>> points;
  };
  // The points of `now`, by leaf. The step before it is read once more, as what it had may not all
  // be in memory; one without an item has nothing to compare with.
  absl::StatusOr<std::vector<std::optional<ReportSeries::Point>>> Norms(const StepItem& before,
                                                                        const StepItem& now);

 private:
  void Advance(int64_t bytes);

  int threads_;
  Progress* progress_;
  std::mutex mutex_;
};

// How `before` and `after` differ, as numeric/diff.h has it.
LeafChange CompareLeaves(const Leaf& before, const Leaf& after);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_REPORT_REPORT_NUMBERS_H_
