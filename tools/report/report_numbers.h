// Computes the statistics of a report with several threads.
//
// Tensors are read a few at a time and released, so that memory stays small; threads share the
// tensors of an item in pieces of some MiB.
//
// Errors: as SourceItem::Load, with the file in front. O(bytes), several passes.
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

// The count of bins of a histogram: as many as fit into a row of the table.
inline constexpr int kReportBins = 32;

// An item (null if the file does not have it), and the name of the file for errors.
struct FileItem {
  const SourceItem* item = nullptr;
  std::string file;
};

// Reads tensors and computes their statistics.
class NumberReader {
 public:
  // `threads`: as in ReadOptions. `progress` must outlive this; it counts the bytes read.
  NumberReader(int threads, Progress* progress) : threads_(threads), progress_(progress) {}

  // Returns the statistics of the leaves at `places`, in order; those of static leaves are empty.
  absl::StatusOr<std::vector<TensorStats>> Stats(const FileItem& from,
                                                 absl::Span<const uint32_t> places);

  // A leaf that both sides have. Both histograms have the same range.
  struct Pair {
    TensorStats before;
    TensorStats after;
    LeafChange change;
  };
  // The places of the two leaves of one path.
  struct Places {
    uint32_t before;
    uint32_t after;
  };
  absl::StatusOr<std::vector<Pair>> Compare(const FileItem& before, const FileItem& after,
                                            absl::Span<const Places> places);

  // An item at a step: per leaf of the report, its place in the item, or kNoPlace, and the result
  // of Norms.
  struct StepItem {
    FileItem from;
    std::vector<uint32_t> places;
    std::vector<std::optional<ReportSeries::Point>> points;
  };
  // Returns the points of `now`, per leaf. Reads the previous step again, because it may not fit
  // into memory. `before` has no item at the first step.
  absl::StatusOr<std::vector<std::optional<ReportSeries::Point>>> Norms(const StepItem& before,
                                                                        const StepItem& now);

 private:
  void Advance(int64_t bytes);

  int threads_;
  Progress* progress_;
  std::mutex mutex_;
};

// Compares two leaves by the rules of numeric/diff.h.
LeafChange CompareLeaves(const Leaf& before, const Leaf& after);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_REPORT_REPORT_NUMBERS_H_
