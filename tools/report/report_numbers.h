// The numbers of a report: statistics, changes and norms of leaves.
#ifndef LEAFSTORE_TOOLS_REPORT_REPORT_NUMBERS_H_
#define LEAFSTORE_TOOLS_REPORT_REPORT_NUMBERS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "leafstore/core/leaf.h"
#include "leafstore/numeric/stats.h"

namespace leafstore::tools {

// The number of bins of a histogram, which fits into a row of the table.
inline constexpr int kReportBins = 32;

// The change of a leaf, as in `change` of report_data.h.
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

// Computes the statistics of a leaf on each side, with histograms of the same range. The statistics
// of a side without a tensor are empty.
absl::StatusOr<std::vector<TensorStats>> StatsOfSides(absl::Span<const Leaf> sides);

// A tensor at a step.
struct SeriesPoint {
  double l2;
  double change;  // the norm of the change; NaN where the previous step has no such tensor
  int64_t odd;    // NaN or infinite
};

// Returns the point of a leaf; no value if it is not a tensor. `before` is the leaf at the previous
// step, which may be null, and `point_before` its point.
std::optional<SeriesPoint> PointOf(const Leaf& leaf, const Leaf& before,
                                   const std::optional<SeriesPoint>& point_before);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_REPORT_REPORT_NUMBERS_H_
