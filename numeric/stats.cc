#include "leafstore/numeric/stats.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/numeric/elements.h"
#include "leafstore/numeric/internal/lanes.h"

namespace leafstore {
namespace {

using internal::kLanes;
using internal::SumByLanes;

// Calls `fn(absl::Span<double>)` with all elements, one block at a time. `fn` may change the block.
template <typename Fn>
void ForEachBlock(const Tensor& tensor, Fn fn) {
  std::array<double, kElementBlock> block;
  internal::ForEachBlock(tensor.element_count(), [&](int64_t begin, size_t size) {
    ReadElements(tensor, begin, absl::MakeSpan(block.data(), size));
    fn(absl::MakeSpan(block.data(), size));
  });
}

double SumOf(absl::Span<const double> x) {
  return SumByLanes(x, [](double value) { return value; });
}

// Counts and removes the elements that are not finite. Returns the finite elements of the block.
absl::Span<const double> KeepFinite(absl::Span<double> x, TensorStats* stats) {
  size_t kept = 0;
  for (const double value : x) {
    if (std::isfinite(value)) {
      x[kept++] = value;
    } else {
      ++(std::isnan(value) ? stats->nan_count : stats->inf_count);
    }
  }
  return x.first(kept);
}

// Returns the sum divided by n, dividing each term if the sum overflows.
double MeanOf(absl::Span<const double> x, double sum) {
  const auto n = static_cast<double>(x.size());
  if (std::isfinite(sum)) return sum / n;
  return SumByLanes(x, [n](double value) { return value / n; });
}

// Computes minimum, maximum and the count of zeros, by lanes, to avoid one long dependency chain.
void AddExtremes(absl::Span<const double> x, TensorStats* stats) {
  double min[kLanes];
  double max[kLanes];
  double zeros[kLanes] = {};
  std::fill_n(min, kLanes, x[0]);
  std::fill_n(max, kLanes, x[0]);
  const auto add = [&](size_t lane, double value) {
    min[lane] = value < min[lane] ? value : min[lane];
    max[lane] = value > max[lane] ? value : max[lane];
    zeros[lane] += value == 0 ? 1.0 : 0.0;
  };
  size_t i = 0;
  for (; i + kLanes <= x.size(); i += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) add(lane, x[i + lane]);
  }
  for (size_t lane = 0; i + lane < x.size(); ++lane) add(lane, x[i + lane]);
  stats->min = *std::min_element(min, min + kLanes);
  stats->max = *std::max_element(max, max + kLanes);
  stats->zero_count = static_cast<int64_t>(SumOf(zeros));
}

// Returns the exponent of the power of two by which elements up to this magnitude are divided
// before they are squared: 0 if their squares neither overflow in any sum nor lose digits.
int ScaleFor(double magnitude) {
  constexpr int kMaxExponent = 400;
  if (magnitude == 0) return 0;
  const int exponent = std::ilogb(magnitude);
  return std::abs(exponent) > kMaxExponent ? exponent : 0;
}

TensorStats OfBlock(absl::Span<double> block) {
  TensorStats stats;
  stats.count = static_cast<int64_t>(block.size());
  absl::Span<const double> x = block;
  double sum = SumOf(x);
  if (!std::isfinite(sum)) {  // an element is not finite, or the sum overflows
    x = KeepFinite(block, &stats);
    sum = SumOf(x);
  }
  if (x.empty()) return stats;
  AddExtremes(x, &stats);
  stats.scale = ScaleFor(std::max(std::abs(stats.min), std::abs(stats.max)));
  if (stats.scale != 0) {
    for (double& value : block.first(x.size())) value = std::ldexp(value, -stats.scale);
    sum = SumOf(x);
  }
  const double mean = MeanOf(x, sum);
  stats.mean = std::ldexp(mean, stats.scale);
  const auto n = static_cast<double>(x.size());
  // Subtracts the square of the rounding error of the mean (the corrected two-pass algorithm of
  // Chan, Golub and LeVeque).
  const double left = SumByLanes(x, [mean](double value) { return value - mean; });
  const double deviations =
      SumByLanes(x, [mean](double value) { return (value - mean) * (value - mean); });
  stats.squared_deviations = std::max(0.0, deviations - left * left / n);
  stats.squares = SumByLanes(x, [](double value) { return value * value; });
  return stats;
}

TensorStats NumbersOf(const Tensor& tensor) {
  TensorStats stats;
  ForEachBlock(tensor, [&stats](absl::Span<double> block) { stats.Merge(OfBlock(block)); });
  stats.tensors = 1;
  stats.bytes = tensor.byte_size();
  return stats;
}

void AddToHistogram(const Tensor& tensor, Histogram* histogram) {
  const double lo = histogram->lo;
  const double hi = histogram->hi;
  const size_t last = histogram->bins.size() - 1;
  // Halved only if the difference of the two overflows: half of the smallest double is zero.
  const double scale = std::isfinite(hi - lo) ? 1.0 : 0.5;
  const double width = hi * scale - lo * scale;
  const auto bins = static_cast<double>(histogram->bins.size());
  ForEachBlock(tensor, [&](absl::Span<double> block) {
    for (const double value : block) {
      if (!std::isfinite(value)) continue;
      if (value < lo) {
        ++histogram->below;
      } else if (value > hi) {
        ++histogram->above;
      } else {
        const double at = value == hi ? bins : (value * scale - lo * scale) / width * bins;
        ++histogram->bins[std::min(last, static_cast<size_t>(at))];
      }
    }
  });
}

absl::Status CheckOptions(const StatsOptions& options) {
  if (options.histogram_bins < 0 || options.histogram_bins > StatsOptions::kMaxBins) {
    return absl::InvalidArgumentError(absl::StrCat("histogram_bins: expected 0 to ",
                                                   StatsOptions::kMaxBins, ", found ",
                                                   options.histogram_bins));
  }
  if (!options.histogram_range) return absl::OkStatus();
  const auto [lo, hi] = *options.histogram_range;
  if (std::isfinite(lo) && std::isfinite(hi) && lo <= hi) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "histogram_range: expected two finite numbers, lo <= hi, found ", lo, " and ", hi));
}

absl::Status CheckStore(const ParamStore& store, const StatsOptions& options) {
  LEAFSTORE_RETURN_IF_ERROR(CheckOptions(options));
  return store.CheckNoBorrow("take statistics of a store");
}

TensorStats StatsOfTensors(absl::Span<const Tensor* const> tensors, const StatsOptions& options) {
  TensorStats stats;
  for (const Tensor* tensor : tensors) stats.Merge(NumbersOf(*tensor));
  if (options.histogram_bins == 0) return stats;
  Histogram& histogram = stats.histogram.emplace();
  histogram.bins.resize(static_cast<size_t>(options.histogram_bins));
  if (options.histogram_range) {
    histogram.lo = options.histogram_range->lo;
    histogram.hi = options.histogram_range->hi;
  } else if (stats.finite_count() > 0) {
    histogram.lo = stats.min;
    histogram.hi = stats.max;
  }
  for (const Tensor* tensor : tensors) AddToHistogram(*tensor, &histogram);
  return stats;
}

std::vector<const Tensor*> TensorsOf(const ParamStore& store) {
  std::vector<const Tensor*> tensors;
  for (const Leaf& leaf : store.leaves()) {
    if (leaf.is_tensor()) tensors.push_back(&leaf.tensor());
  }
  return tensors;
}

void MergeHistograms(const TensorStats& other, TensorStats* stats) {
  if (other.count == 0) return;
  if (stats->count == 0) {
    stats->histogram = other.histogram;
    return;
  }
  std::optional<Histogram>& mine = stats->histogram;
  const std::optional<Histogram>& theirs = other.histogram;
  if (!mine || !theirs || mine->lo != theirs->lo || mine->hi != theirs->hi ||
      mine->bins.size() != theirs->bins.size()) {
    mine.reset();
    return;
  }
  for (size_t i = 0; i < mine->bins.size(); ++i) mine->bins[i] += theirs->bins[i];
  mine->below += theirs->below;
  mine->above += theirs->above;
}

// Returns the scale for the combined sums: the larger of the two, beside which the digits that the
// other loses are negligible. A side with only zeros has no scale.
int CommonScale(const TensorStats& a, const TensorStats& b) {
  if (a.squares == 0) return b.scale;
  if (b.squares == 0) return a.scale;
  return std::max(a.scale, b.scale);
}

// Merges the means and squares of the finite elements. Both sides must have some.
void MergeMoments(const TensorStats& other, TensorStats* stats) {
  const auto mine = static_cast<double>(stats->finite_count());
  const auto theirs = static_cast<double>(other.finite_count());
  const double all = mine + theirs;
  const int scale = CommonScale(*stats, other);
  const auto squares_of = [scale](double sum, int from) {
    return std::ldexp(sum, 2 * (from - scale));
  };
  const double mean = std::ldexp(stats->mean, -scale);
  const double delta = std::ldexp(other.mean, -scale) - mean;
  stats->squared_deviations = squares_of(stats->squared_deviations, stats->scale) +
                              squares_of(other.squared_deviations, other.scale) +
                              delta * (mine / all) * delta * theirs;
  stats->mean = std::ldexp(mean + delta * (theirs / all), scale);
  stats->squares =
      squares_of(stats->squares, stats->scale) + squares_of(other.squares, other.scale);
  stats->scale = scale;
  stats->min = std::min(stats->min, other.min);
  stats->max = std::max(stats->max, other.max);
}

}  // namespace

double TensorStats::stddev() const {
  if (finite_count() == 0) return std::numeric_limits<double>::quiet_NaN();
  return std::ldexp(std::sqrt(squared_deviations / static_cast<double>(finite_count())), scale);
}

double TensorStats::l2() const { return std::ldexp(std::sqrt(squares), scale); }

void TensorStats::Merge(const TensorStats& other) {
  MergeHistograms(other, this);
  if (finite_count() == 0) {
    min = other.min;
    max = other.max;
    mean = other.mean;
    squared_deviations = other.squared_deviations;
    squares = other.squares;
    scale = other.scale;
  } else if (other.finite_count() > 0) {
    MergeMoments(other, this);
  }
  tensors += other.tensors;
  count += other.count;
  bytes += other.bytes;
  nan_count += other.nan_count;
  inf_count += other.inf_count;
  zero_count += other.zero_count;
}

std::string TensorStats::ToString() const {
  std::string text = absl::StrCat(tensors, tensors == 1 ? " tensor, " : " tensors, ", count,
                                  count == 1 ? " element, " : " elements, ", bytes, " bytes");
  if (finite_count() > 0) {
    absl::StrAppend(&text, ": min ", min, ", max ", max, ", mean ", mean, ", std ", stddev(),
                    ", L2 ", l2());
  }
  if (zero_count > 0) absl::StrAppend(&text, ", ", zero_count, " zero");
  if (nan_count > 0) absl::StrAppend(&text, ", ", nan_count, " NaN");
  if (inf_count > 0) absl::StrAppend(&text, ", ", inf_count, " infinite");
  return text;
}

absl::StatusOr<TensorStats> StatsOf(const Tensor& tensor, const StatsOptions& options) {
  LEAFSTORE_RETURN_IF_ERROR(CheckOptions(options));
  if (tensor.null()) {
    return absl::InvalidArgumentError("statistics: expected a tensor, found null");
  }
  return StatsOfTensors({&tensor}, options);
}

absl::StatusOr<TensorStats> StatsOf(const ParamStore& store, const StatsOptions& options) {
  LEAFSTORE_RETURN_IF_ERROR(CheckStore(store, options));
  return StatsOfTensors(TensorsOf(store), options);
}

absl::StatusOr<std::vector<TensorStats>> StatsOfLeaves(const ParamStore& store,
                                                       const StatsOptions& options) {
  LEAFSTORE_RETURN_IF_ERROR(CheckStore(store, options));
  std::vector<TensorStats> stats;
  stats.reserve(store.size());
  for (const Leaf& leaf : store.leaves()) {
    stats.push_back(leaf.is_tensor() ? StatsOfTensors({&leaf.tensor()}, options) : TensorStats());
  }
  return stats;
}

absl::StatusOr<TensorStats> StatsOfSubtree(const ParamStore& store, absl::string_view path,
                                           const StatsOptions& options) {
  LEAFSTORE_RETURN_IF_ERROR(CheckStore(store, options));
  LEAFSTORE_ASSIGN_OR_RETURN(const TreeDef def, store.layout().def());
  LEAFSTORE_ASSIGN_OR_RETURN(const NodeId found, def.Find(path));
  const NodeId node = def.Resolve(found);
  const Slot end = def.leaf_begin(def.end(node));
  std::vector<const Tensor*> tensors;
  for (Slot slot = def.leaf_begin(node); slot < end; ++slot) {
    const Leaf* leaf = store.FindSlot(slot);
    if (leaf != nullptr && leaf->is_tensor()) tensors.push_back(&leaf->tensor());
  }
  return StatsOfTensors(tensors, options);
}

absl::StatusOr<std::vector<TensorStats>> StatsOfGroups(const Groups& groups,
                                                       const StatsOptions& options) {
  std::vector<TensorStats> stats;
  for (const Group& group : groups) {
    LEAFSTORE_ASSIGN_OR_RETURN(const ParamStore store, group.Snapshot());
    LEAFSTORE_ASSIGN_OR_RETURN(TensorStats of_group, StatsOf(store, options));
    stats.push_back(std::move(of_group));
  }
  return stats;
}

}  // namespace leafstore
