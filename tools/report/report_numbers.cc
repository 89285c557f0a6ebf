#include "leafstore/tools/report/report_numbers.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <complex>
#include <limits>

#include "leafstore/core/status_macros.h"
#include "leafstore/numeric/diff.h"
#include "leafstore/numeric/elements.h"
#include "leafstore/tools/present/json.h"

namespace leafstore::tools {
namespace {

// Returns the norm of b - a over elements that are finite on both sides. Both must have the same
// dtype and shape.
double NormOfChange(const Tensor& a, const Tensor& b) {
  double squares = 0;
  if (a.dtype() == DType::kC64) {
    const auto x = a.span<std::complex<float>>();
    const auto y = b.span<std::complex<float>>();
    for (size_t i = 0; i < x.size(); ++i) {
      const double square = std::norm(std::complex<double>(y[i]) - std::complex<double>(x[i]));
      if (std::isfinite(square)) squares += square;
    }
    return std::sqrt(squares);
  }
  std::array<double, kElementBlock> x;
  std::array<double, kElementBlock> y;
  const int64_t count = a.element_count();
  for (int64_t begin = 0; begin < count; begin += kElementBlock) {
    const auto size = std::min<size_t>(kElementBlock, static_cast<size_t>(count - begin));
    ReadElements(a, begin, absl::MakeSpan(x.data(), size));
    ReadElements(b, begin, absl::MakeSpan(y.data(), size));
    for (size_t i = 0; i < size; ++i) {
      const double change = y[i] - x[i];
      if (std::isfinite(change)) squares += change * change;
    }
  }
  return std::sqrt(squares);
}

bool AreComparable(const Leaf& a, const Leaf& b) {
  return a.is_tensor() && b.is_tensor() && a.spec() == b.spec();
}

}  // namespace

LeafChange CompareLeaves(const Leaf& before, const Leaf& after) {
  if (before.null()) return {"added"};
  if (after.null()) return {"removed"};
  LeafChange change;
  if (AreComparable(before, after)) change.differing = 0;
  const std::optional<LeafDiff> diff = DiffLeaves(before, after);
  if (!diff) return change;
  change.what = ToJson(diff->what);
  if (!change.differing) return change;
  change.differing = diff->differing;
  change.max_abs = diff->max_abs;
  change.max_rel = diff->max_rel;
  change.l2 = NormOfChange(before.tensor(), after.tensor());
  return change;
}

absl::StatusOr<std::vector<TensorStats>> StatsOfSides(absl::Span<const Leaf> sides) {
  std::vector<TensorStats> stats(sides.size());
  StatsOptions options = {.histogram_bins = kReportBins};
  if (std::all_of(sides.begin(), sides.end(), [](const Leaf& leaf) { return leaf.is_tensor(); }) &&
      sides.size() > 1) {
    // The first pass finds the range for both histograms.
    StatsOptions::Range range = {std::numeric_limits<double>::infinity(),
                                 -std::numeric_limits<double>::infinity()};
    for (const Leaf& leaf : sides) {
      LEAFSTORE_ASSIGN_OR_RETURN(const TensorStats side, StatsOf(leaf.tensor()));
      if (side.finite_count() == 0) continue;
      range = {std::min(range.lo, side.min), std::max(range.hi, side.max)};
    }
    if (range.lo <= range.hi) options.histogram_range = range;
  }
  for (size_t i = 0; i < sides.size(); ++i) {
    if (!sides[i].is_tensor()) continue;
    LEAFSTORE_ASSIGN_OR_RETURN(stats[i], StatsOf(sides[i].tensor(), options));
  }
  return stats;
}

std::optional<SeriesPoint> PointOf(const Leaf& leaf, const Leaf& before,
                                   const std::optional<SeriesPoint>& point_before) {
  if (!leaf.is_tensor()) return std::nullopt;
  const Tensor& tensor = leaf.tensor();
  const bool comparable = AreComparable(before, leaf);
  if (comparable && point_before && before.tensor().bytes() == tensor.bytes()) {
    return SeriesPoint{point_before->l2, 0, point_before->odd};
  }
  const TensorStats stats = StatsOf(tensor).value();  // cannot fail without options
  const double change =
      comparable ? NormOfChange(before.tensor(), tensor) : std::numeric_limits<double>::quiet_NaN();
  return SeriesPoint{stats.l2(), change, stats.nan_count + stats.inf_count};
}

}  // namespace leafstore::tools
