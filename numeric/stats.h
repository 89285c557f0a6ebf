// Stats: what the numbers in tensors are like.
//
//   TensorStats all = StatsOf(params).value();                       // of a store: one group
//   std::vector<TensorStats> leaves = StatsOfLeaves(params).value(); // by place
//   TensorStats head = StatsOfSubtree(params, ".head").value();
//   std::vector<TensorStats> groups = StatsOfGroups(params, labels).value();
//   all.ToString();   // "9 tensors, 1234 numbers, 4936 bytes: min -1.5, max 2, mean 0.01, ..."
//
// Which numbers. Every dtype: bool as 0 and 1, integers, all floating kinds, c64 by magnitude
// (elements.h). min, max, mean, standard deviation and L2 are of the finite numbers; NaN and
// infinities are counted apart, zeros are counted too (-0 is one). Static leaves are no numbers.
// Gaps of a pack belong to no tensor, so they are in no statistics.
//
// Accuracy. Sums are taken in double, within blocks around the block's own mean; blocks, leaves and
// groups are put together as partial results are (Chan, Golub, LeVeque, "Updating Formulae and a
// Pairwise Algorithm for Computing Sample Variances", 1979), so a large mean does not swallow a
// small deviation. Counts are exact, also when partial results are merged. Where the largest number
// of a block is so large or so small that squares would overflow or vanish (beyond 2^400, below
// 2^-400), the block is scaled by a power of two first: the deviation is right for all finite f64
// numbers, and L2 is infinite only where it is over the largest double itself.
//
// Histogram. `bins` equal bins over [lo, hi], the last with its upper end; of finite numbers.
// Without a range it is that of the numbers asked about, which costs a second pass; numbers outside
// a range given are counted below and above.
//
// Errors: FailedPrecondition: a borrow of the store is open. InvalidArgument: an option; names it.
// Complexity: O(bytes). Threads: functions of values; safe.
#ifndef LEAFSTORE_NUMERIC_STATS_H_
#define LEAFSTORE_NUMERIC_STATS_H_

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "leafstore/core/tensor.h"
#include "leafstore/select/labels.h"
#include "leafstore/store/param_store.h"

namespace leafstore {

struct Histogram {
  double lo = 0;
  double hi = 0;
  std::vector<int64_t> bins;
  int64_t below = 0;
  int64_t above = 0;

  friend bool operator==(const Histogram&, const Histogram&) = default;
};

struct StatsOptions {
  // Largest number of histogram bins.
  static constexpr int kMaxBins = 1 << 20;

  // 0: no histogram. error InvalidArgument: negative or over kMaxBins.
  int histogram_bins = 0;
  // Of the histogram. error InvalidArgument: not finite, or lo > hi.
  struct Range {
    double lo;
    double hi;
  };
  std::optional<Range> histogram_range = {};
};

// Statistics of some tensors together.
struct TensorStats {
  int64_t tensors = 0;
  int64_t count = 0;  // numbers, of all kinds
  int64_t bytes = 0;
  int64_t nan_count = 0;
  int64_t inf_count = 0;  // of both signs
  int64_t zero_count = 0;

  // Of the finite numbers; NaN where there are none, but l2, which is 0 then.
  double min = std::numeric_limits<double>::quiet_NaN();
  double max = std::numeric_limits<double>::quiet_NaN();
  double mean = std::numeric_limits<double>::quiet_NaN();
  // Sum of squared deviations from the mean, and of squares, both of the numbers divided by
  // 2^scale. The scale is 0 unless numbers are very large or all very small (see above).
  double squared_deviations = 0;
  double squares = 0;
  int scale = 0;

  std::optional<Histogram> histogram;

  int64_t finite_count() const { return count - nan_count - inf_count; }
  // Of the whole population (divided by n, as numpy's); NaN where there are no finite numbers.
  double stddev() const;
  double l2() const;

  // Makes this the statistics of both together. Counts are exact. Histograms are added where their
  // ranges and bins are equal, otherwise dropped (one side without numbers has none to add).
  void Merge(const TensorStats& other);

  // One line.
  std::string ToString() const;
};

absl::StatusOr<TensorStats> StatsOf(const Tensor& tensor, const StatsOptions& options = {});
// Of all tensors of a store together.
absl::StatusOr<TensorStats> StatsOf(const ParamStore& store, const StatsOptions& options = {});
// Of each leaf by itself, by place; of static leaves empty ones. A histogram without a range given
// has the leaf's own.
absl::StatusOr<std::vector<TensorStats>> StatsOfLeaves(const ParamStore& store,
                                                       const StatsOptions& options = {});
// Of the leaves at and below the node at `path` that are in the store.
// error NotFound, InvalidArgument: as TreeDef::Find; or as Layout::def.
absl::StatusOr<TensorStats> StatsOfSubtree(const ParamStore& store, absl::string_view path,
                                           const StatsOptions& options = {});
// Of each labelled group, by number; what is in no group is in none.
// error InvalidArgument also: the labels are for another Layout.
absl::StatusOr<std::vector<TensorStats>> StatsOfGroups(const ParamStore& store,
                                                       const Labels& labels,
                                                       const StatsOptions& options = {});

}  // namespace leafstore

#endif  // LEAFSTORE_NUMERIC_STATS_H_
