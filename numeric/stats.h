// Stats: statistics of the elements of tensors, leaves and stores. Merge combines those of leaves.
//
//   TensorStats all = StatsOf(params).value();                       // of a store: one group
//   std::vector<TensorStats> leaves = StatsOfLeaves(params).value(); // by place
//   all.ToString();   // "9 tensors, 1234 elements, 4936 bytes: min -1.5, max 2, mean 0.01, ..."
//
// Elements. Every dtype is supported: bool as 0 and 1, integers, all floating types, c64 by
// magnitude (elements.h). min, max, mean, standard deviation and L2 cover the finite elements; NaN,
// infinities and zeros (including -0) are counted. Static leaves and the gaps of a pack are
// ignored.
//
// Accuracy. Sums are computed in double, within blocks around the block's mean; blocks, leaves and
// groups are combined as in Chan, Golub, LeVeque, "Updating Formulae and a Pairwise Algorithm for
// Computing Sample Variances", 1979, so a large mean does not hide a small deviation. Counts are
// exact. A block whose largest magnitude is beyond 2^400 or below 2^-400 is scaled by a power of
// two first: the deviation is right for all finite f64 values, and L2 is infinite only if it
// exceeds the largest double.
//
// Histogram. `bins` equal bins over [lo, hi], the last one including hi, of the finite elements.
// Without a range it covers their minimum to maximum, which costs a second pass; elements outside a
// given range are counted in `below` and `above`.
//
// Errors: FailedPrecondition: a borrow of the store is open. InvalidArgument: an option; names it.
// Complexity: O(bytes). Threads: pure functions; thread-safe.
#ifndef LEAFSTORE_NUMERIC_STATS_H_
#define LEAFSTORE_NUMERIC_STATS_H_

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "leafstore/core/tensor.h"
#include "leafstore/select/groups.h"
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
  // The largest number of histogram bins.
  static constexpr int kMaxBins = 1 << 20;

  // 0: no histogram. error InvalidArgument: negative or over kMaxBins.
  int histogram_bins = 0;
  // The range of the histogram. error InvalidArgument: not finite, or lo > hi.
  struct Range {
    double lo;
    double hi;
  };
  std::optional<Range> histogram_range = {};
};

// The combined statistics of some tensors.
struct TensorStats {
  int64_t tensors = 0;
  int64_t count = 0;  // elements, finite or not
  int64_t bytes = 0;
  int64_t nan_count = 0;
  int64_t inf_count = 0;  // of both signs
  int64_t zero_count = 0;

  // These cover the finite elements. Without finite elements they are NaN, but l2() is 0.
  double min = std::numeric_limits<double>::quiet_NaN();
  double max = std::numeric_limits<double>::quiet_NaN();
  double mean = std::numeric_limits<double>::quiet_NaN();
  // Sums of squared deviations from the mean, and of squares, of the elements divided by 2^scale.
  // The scale is 0 unless elements are very large or all very small (see above).
  double squared_deviations = 0;
  double squares = 0;
  int scale = 0;

  std::optional<Histogram> histogram;

  int64_t finite_count() const { return count - nan_count - inf_count; }
  // Returns the population standard deviation (divided by n, like numpy.std); NaN without finite
  // elements.
  double stddev() const;
  double l2() const;

  // Adds the statistics of `other`. Counts are exact. Histograms are added if their ranges and bins
  // are equal, otherwise dropped; a side without elements is ignored.
  void Merge(const TensorStats& other);

  // Returns a summary in one line, as above.
  std::string ToString() const;
};

// Computes the statistics of one tensor.
absl::StatusOr<TensorStats> StatsOf(const Tensor& tensor, const StatsOptions& options = {});
// Computes the combined statistics of all tensors of a store.
absl::StatusOr<TensorStats> StatsOf(const ParamStore& store, const StatsOptions& options = {});
// Computes the statistics of each leaf, by place; those of static leaves are empty. Without a given
// range, each histogram has the range of its leaf.
absl::StatusOr<std::vector<TensorStats>> StatsOfLeaves(const ParamStore& store,
                                                       const StatsOptions& options = {});
// Computes the combined statistics of the store's leaves at and below the node at `path`.
// error NotFound, InvalidArgument: as TreeDef::Find; or as Layout::def.
absl::StatusOr<TensorStats> StatsOfSubtree(const ParamStore& store, absl::string_view path,
                                           const StatsOptions& options = {});
// Computes the statistics of each group, packed or not, by index.
absl::StatusOr<std::vector<TensorStats>> StatsOfGroups(const Groups& groups,
                                                       const StatsOptions& options = {});

}  // namespace leafstore

#endif  // LEAFSTORE_NUMERIC_STATS_H_
