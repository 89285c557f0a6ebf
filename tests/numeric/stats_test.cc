#include "leafstore/numeric/stats.h"

#include <cmath>
#include <complex>
#include <limits>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/core/buffer.h"
#include "leafstore/pack/pack.h"
#include "leafstore/select/grouping.h"
#include "leafstore/select/groups.h"
#include "leafstore/store/flatten.h"
#include "leafstore/treedef/tree/tree.h"

#include "tests/core/status_matchers.h"
#include "tests/status_codes.h"
#include "tests/store/sample_stores.h"

namespace leafstore {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsNan;

TensorStats Of(const Tensor& tensor) { return StatsOf(tensor).value(); }

// ---- one tensor ----

TEST(StatsTest, Tensor_HasStatistics) {
  const TensorStats stats = Of(Floats({-1, 0, 3, 2}));
  EXPECT_EQ(stats.tensors, 1);
  EXPECT_EQ(stats.count, 4);
  EXPECT_EQ(stats.bytes, 16);
  EXPECT_EQ(stats.min, -1);
  EXPECT_EQ(stats.max, 3);
  EXPECT_EQ(stats.mean, 1);
  EXPECT_EQ(stats.stddev(), std::sqrt(2.5));  // of the population: (4 + 1 + 4 + 1) / 4
  EXPECT_EQ(stats.l2(), std::sqrt(14.0));
  EXPECT_EQ(stats.zero_count, 1);
  EXPECT_EQ(stats.nan_count, 0);
  EXPECT_EQ(stats.inf_count, 0);
  EXPECT_EQ(stats.histogram, std::nullopt);
}

TEST(StatsTest, NaNAndInfinity_AreCountedSeparately) {
  const TensorStats stats = Of(Floats({1, kNaN, 3, kInf, -kInf, -0.0f}));
  EXPECT_EQ(stats.count, 6);
  EXPECT_EQ(stats.nan_count, 1);
  EXPECT_EQ(stats.inf_count, 2);
  EXPECT_EQ(stats.finite_count(), 3);
  EXPECT_EQ(stats.zero_count, 1);
  EXPECT_EQ(stats.min, 0);
  EXPECT_EQ(stats.max, 3);
  EXPECT_DOUBLE_EQ(stats.mean, 4.0 / 3);
  EXPECT_EQ(stats.l2(), std::sqrt(10.0));
}

TEST(StatsTest, WithoutFiniteElements_MeanIsNaN) {
  for (const Tensor& tensor : {Floats({}), Floats({kNaN, kInf})}) {
    const TensorStats stats = Of(tensor);
    EXPECT_EQ(stats.count, tensor.element_count());
    EXPECT_THAT(stats.min, IsNan());
    EXPECT_THAT(stats.max, IsNan());
    EXPECT_THAT(stats.mean, IsNan());
    EXPECT_THAT(stats.stddev(), IsNan());
    EXPECT_EQ(stats.l2(), 0);
  }
}

TEST(StatsTest, EveryDType_HasStatistics) {
  EXPECT_EQ(Of(TensorOfBytes(DType::kBool, {0, 1, 1, 0})).mean, 0.5);
  EXPECT_EQ(Of(Ints({-5, 7})).min, -5);
  EXPECT_EQ(Of(VectorOf<uint64_t>({~uint64_t{0}})).max, std::ldexp(1.0, 64));
  EXPECT_EQ(Of(VectorOf<std::complex<float>>({{3, 4}, {0, 0}})).max, 5);  // magnitude
  const TensorStats f8 = Of(TensorOfBytes(DType::kF8E4M3, {0x7e, 0x7f, 0x00, 0xfe}));
  EXPECT_EQ(f8.max, 448);
  EXPECT_EQ(f8.min, -448);
  EXPECT_EQ(f8.nan_count, 1);
  EXPECT_EQ(f8.zero_count, 1);
  const TensorStats f4 = Of(TensorOfBytes(DType::kF4, {0x21, 0xf0}));
  EXPECT_EQ(f4.count, 4);
  EXPECT_EQ(f4.bytes, 2);
  EXPECT_EQ(f4.min, -6);
  EXPECT_EQ(Of(TensorOfBytes(DType::kF6E3M2, {0, 0, 0x7c})).max, 28);  // the last code is 0x1f
}

TEST(StatsTest, LargeMean_KeepsASmallDeviation) {
  std::vector<double> values(10'000);
  for (size_t i = 0; i < values.size(); ++i) values[i] = 1e9 + (i % 2 == 0 ? 0.5 : -0.5);
  const TensorStats stats = Of(VectorOf(values));
  EXPECT_THAT(stats.stddev(), DoubleNear(0.5, 1e-9));
  EXPECT_EQ(stats.mean, 1e9);
}

TEST(StatsTest, HugeElements_HaveAMean) {
  const TensorStats stats = Of(VectorOf<double>({1.7e308, 1.7e308, -1.7e308, 1.7e308}));
  EXPECT_EQ(stats.inf_count, 0);
  EXPECT_DOUBLE_EQ(stats.mean, 0.85e308);
  EXPECT_EQ(stats.l2(), kInf);  // as the header says
}

TEST(StatsTest, OverflowingSquares_AreScaled) {
  const TensorStats large = Of(VectorOf<double>({1e200, -1e200}));
  EXPECT_DOUBLE_EQ(large.stddev(), 1e200);
  EXPECT_DOUBLE_EQ(large.l2(), std::sqrt(2.0) * 1e200);
  const TensorStats small = Of(VectorOf<double>({1e-200, -1e-200}));
  EXPECT_DOUBLE_EQ(small.stddev(), 1e-200);
  EXPECT_DOUBLE_EQ(small.l2(), std::sqrt(2.0) * 1e-200);
  const TensorStats mixed = Of(VectorOf<double>({-1.1e303, 1, 2}));
  EXPECT_DOUBLE_EQ(mixed.stddev(), 1.1e303 * std::sqrt(2.0) / 3);
  constexpr double kMost = std::numeric_limits<double>::max();
  EXPECT_DOUBLE_EQ(Of(VectorOf<double>({kMost, -kMost})).stddev(), kMost);
  constexpr double kLeast = std::numeric_limits<double>::denorm_min();
  EXPECT_EQ(Of(VectorOf<double>({kLeast, -kLeast})).stddev(), kLeast);
  EXPECT_EQ(Of(VectorOf<double>({0, 0})).l2(), 0);
}

TEST(StatsTest, Merge_CombinesDifferentScales) {
  const std::vector<std::vector<double>> parts = {
      {0, 0}, {1e-200, -3e-200}, {1, 2, 3}, {1e200, -2e200}, {0}, {1e-300}};
  for (uint32_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    std::mt19937 random(seed);
    std::vector<double> full;
    TensorStats merged;
    for (int i = 0; i < 6; ++i) {
      const std::vector<double>& part = parts[random() % parts.size()];
      full.insert(full.end(), part.begin(), part.end());
      merged.Merge(Of(VectorOf(part)));
    }
    const TensorStats all = Of(VectorOf(full));
    const double tolerance = 1e-12 * std::max(std::fabs(all.min), std::fabs(all.max));
    EXPECT_NEAR(merged.mean, all.mean, tolerance);
    EXPECT_NEAR(merged.stddev(), all.stddev(), tolerance);
    EXPECT_NEAR(merged.l2(), all.l2(), 4 * tolerance);
  }
}

TEST(StatsTest, NullTensor_HasNoStatistics) {
  EXPECT_THAT(StatsOf(Tensor()), StatusIs(kInvalid, HasSubstr("expected a tensor, found null")));
}

// Compares with the definitions, summed in long double.
TEST(StatsTest, RandomTensors_AgreeWithTheDefinition) {
  for (uint32_t seed = 0; seed < 50; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    std::mt19937 random(seed);
    std::normal_distribution<double> normal(static_cast<double>(random() % 1000), 3);
    std::vector<double> values(1 + random() % 5000);
    int64_t nan = 0;
    std::vector<long double> finite;
    for (double& x : values) {
      x = normal(random);
      if (random() % 100 == 0) {
        x = std::nan("");
        ++nan;
      } else {
        finite.push_back(x);
      }
    }
    const TensorStats stats = Of(VectorOf(values));
    long double sum = 0;
    long double squares = 0;
    for (const long double x : finite) sum += x, squares += x * x;
    const long double mean = sum / static_cast<long double>(finite.size());
    long double deviations = 0;
    for (const long double x : finite) deviations += (x - mean) * (x - mean);
    ASSERT_EQ(stats.nan_count, nan);
    ASSERT_EQ(stats.finite_count(), static_cast<int64_t>(finite.size()));
    ASSERT_NEAR(stats.mean, static_cast<double>(mean), 1e-12 * std::fabs(stats.mean));
    ASSERT_NEAR(stats.l2(), static_cast<double>(std::sqrt(squares)), 1e-12 * stats.l2());
    ASSERT_NEAR(stats.squared_deviations, static_cast<double>(deviations),
                1e-9 * stats.squared_deviations + 1e-9);
  }
}

// ---- merging ----

TEST(StatsTest, Merge_OfPartsEqualsTheTotal) {
  for (uint32_t seed = 0; seed < 50; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    std::mt19937 random(seed);
    std::vector<float> full;
    TensorStats merged;
    for (uint32_t part = 0; part < 5; ++part) {
      std::vector<float> values(random() % 2000);
      for (float& x : values) x = static_cast<float>(random() % 7) - 3;
      if (!values.empty() && part == 2) values[0] = kInf;
      full.insert(full.end(), values.begin(), values.end());
      merged.Merge(Of(Floats(values)));
    }
    const TensorStats all = Of(Floats(full));
    ASSERT_EQ(merged.tensors, 5);
    ASSERT_EQ(merged.count, all.count);
    ASSERT_EQ(merged.bytes, all.bytes);
    ASSERT_EQ(merged.zero_count, all.zero_count);
    ASSERT_EQ(merged.inf_count, all.inf_count);
    if (all.finite_count() == 0) continue;
    ASSERT_EQ(merged.min, all.min);
    ASSERT_EQ(merged.max, all.max);
    ASSERT_EQ(merged.squares, all.squares);  // small integers: exact
    ASSERT_NEAR(merged.mean, all.mean, 1e-12);
    ASSERT_NEAR(merged.stddev(), all.stddev(), 1e-12);
  }
}

TEST(StatsTest, Merge_WithEmptyChangesNothing) {
  TensorStats stats = Of(Floats({1, 2}));
  stats.Merge(TensorStats());
  EXPECT_EQ(stats.mean, 1.5);
  TensorStats empty;
  empty.Merge(stats);
  EXPECT_EQ(empty.mean, 1.5);
  EXPECT_EQ(empty.count, 2);
}

// ---- histograms ----

TEST(StatsTest, Histogram_OfTheSmallestAndLargestDoubles_IsExact) {
  const double tiny = std::numeric_limits<double>::denorm_min();
  const auto bins_of = [](double lo, double hi) {
    const Tensor tensor = Tensor::From<double>({3}, {lo, hi, lo}).value();
    return StatsOf(tensor, {.histogram_bins = 4}).value().histogram->bins;
  };
  EXPECT_THAT(bins_of(0, tiny), ElementsAre(2, 0, 0, 1));
  EXPECT_THAT(bins_of(3 * tiny, 4 * tiny), ElementsAre(2, 0, 0, 1));
  EXPECT_THAT(bins_of(-tiny, tiny), ElementsAre(2, 0, 0, 1));
  // Of the largest doubles, hi - lo overflows; only the difference of the halves is finite.
  const double most = std::numeric_limits<double>::max();
  EXPECT_THAT(bins_of(-most, most), ElementsAre(2, 0, 0, 1));
}

TEST(StatsTest, Histogram_CoversMinimumToMaximum) {
  const TensorStats stats =
      StatsOf(Floats({0, 1, 2, 3, 4, kNaN, kInf}), {.histogram_bins = 4}).value();
  ASSERT_NE(stats.histogram, std::nullopt);
  EXPECT_EQ(stats.histogram->lo, 0);
  EXPECT_EQ(stats.histogram->hi, 4);
  EXPECT_THAT(stats.histogram->bins,
              ElementsAre(1, 1, 1, 2));  // the last bin includes its upper end
  EXPECT_EQ(stats.histogram->below, 0);
  EXPECT_EQ(stats.histogram->above, 0);
}

TEST(StatsTest, HistogramWithRange_CountsElementsOutside) {
  const TensorStats stats =
      StatsOf(Floats({-5, 0, 1, 9}),
              {.histogram_bins = 2, .histogram_range = StatsOptions::Range{0, 2}})
          .value();
  EXPECT_THAT(stats.histogram->bins, ElementsAre(1, 1));
  EXPECT_EQ(stats.histogram->below, 1);
  EXPECT_EQ(stats.histogram->above, 1);
}

TEST(StatsTest, Histogram_OfOneValueOrNone_HasAllBins) {
  EXPECT_THAT(StatsOf(Floats({7, 7}), {.histogram_bins = 3})->histogram->bins,
              ElementsAre(0, 0, 2));
  EXPECT_THAT(StatsOf(Floats({}), {.histogram_bins = 3})->histogram->bins, ElementsAre(0, 0, 0));
  EXPECT_THAT(
      StatsOf(VectorOf<double>({-1.7e308, 0, 1.7e308}), {.histogram_bins = 2})->histogram->bins,
      ElementsAre(1, 2));
}

TEST(StatsTest, Merge_AddsHistogramsOfEqualRangesOnly) {
  const StatsOptions fixed = {.histogram_bins = 2, .histogram_range = StatsOptions::Range{0, 2}};
  TensorStats stats = StatsOf(Floats({0, 1, 3}), fixed).value();
  stats.Merge(StatsOf(Floats({1, -1}), fixed).value());
  EXPECT_THAT(stats.histogram->bins, ElementsAre(1, 2));
  EXPECT_EQ(stats.histogram->above, 1);
  EXPECT_EQ(stats.histogram->below, 1);
  TensorStats empty;
  empty.Merge(stats);
  EXPECT_EQ(empty.histogram, stats.histogram);
  stats.Merge(TensorStats());
  EXPECT_NE(stats.histogram, std::nullopt);
  stats.Merge(StatsOf(Floats({1}), {.histogram_bins = 2}).value());
  EXPECT_EQ(stats.histogram, std::nullopt);
}

TEST(StatsTest, InvalidOptions_AreNamed) {
  EXPECT_THAT(StatsOf(Floats({1}), {.histogram_bins = -1}),
              StatusIs(kInvalid, HasSubstr("histogram_bins: expected 0 to 1048576, found -1")));
  EXPECT_THAT(StatsOf(ParamStore(), {.histogram_bins = (1 << 20) + 1}),
              StatusIs(kInvalid, HasSubstr("found 1048577")));
  for (const StatsOptions::Range range :
       {StatsOptions::Range{2, 1}, StatsOptions::Range{kNaN, 1}, StatsOptions::Range{0, kInf}}) {
    EXPECT_THAT(StatsOf(Floats({1}), {.histogram_bins = 1, .histogram_range = range}),
                StatusIs(kInvalid, HasSubstr("histogram_range: expected two finite numbers")));
  }
}

// ---- stores ----

ParamStore HeadAndTable() {
  Tree tree =
      Tree::Struct()
          .With("head", Tree::Struct().With("bias", Floats({1})).With("weight", Floats({2, 3})))
          .With("name", Value("m"))
          .With("table", Ints({10, 20}));
  return Flatten(std::move(tree)).value().params;
}

TEST(StatsTest, Store_CombinesItsTensors) {
  const TensorStats stats = StatsOf(HeadAndTable(), {.histogram_bins = 2}).value();
  EXPECT_EQ(stats.tensors, 3);
  EXPECT_EQ(stats.count, 5);
  EXPECT_EQ(stats.bytes, 20);
  EXPECT_EQ(stats.min, 1);
  EXPECT_EQ(stats.max, 20);
  EXPECT_EQ(stats.mean, 7.2);
  EXPECT_THAT(stats.histogram->bins, ElementsAre(4, 1));  // over the range of all
}

TEST(StatsTest, StatsOfLeaves_AreByPlace) {
  const std::vector<TensorStats> stats =
      StatsOfLeaves(HeadAndTable(), {.histogram_bins = 1}).value();
  ASSERT_EQ(stats.size(), 4u);
  EXPECT_EQ(stats[1].max, 3);
  EXPECT_EQ(stats[1].histogram->hi, 3);
  EXPECT_EQ(stats[2].tensors, 0);  // static
  EXPECT_EQ(stats[3].mean, 15);
}

TEST(StatsTest, StatsOfSubtree_CoverItsLeaves) {
  const ParamStore model = HeadAndTable();
  const TensorStats head = StatsOfSubtree(model, ".head").value();
  EXPECT_EQ(head.tensors, 2);
  EXPECT_EQ(head.count, 3);
  EXPECT_EQ(head.mean, 2);
  EXPECT_EQ(StatsOfSubtree(model, ".head.bias").value().count, 1);
  EXPECT_EQ(StatsOfSubtree(model, "").value().count, 5);
  EXPECT_EQ(StatsOfSubtree(model, ".name").value().tensors, 0);
  EXPECT_THAT(StatsOfSubtree(model, ".haed"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("did you mean .head?")));
  EXPECT_EQ(
      StatsOfSubtree(StoreOf({{"a", Floats({1, 2})}, {"b", Floats({9})}}), ".a").value().count, 2)
      << "without a TreeDef";
}

TEST(StatsTest, StatsOfGroups_AreByIndex) {
  const ParamStore model = HeadAndTable();
  Groups groups = Grouping::Create(model.layout(), {1, 0, 0, 1}, {"w", "b", "empty"})
                      .value()
                      .Split(model)
                      .value();
  for (const bool packed : {false, true}) {
    if (packed) {
      ASSERT_THAT(groups.Pack("w"), IsOk());
    }
    const std::vector<TensorStats> stats = StatsOfGroups(groups).value();
    ASSERT_EQ(stats.size(), 3u);
    EXPECT_EQ(stats[0].count, 2);
    EXPECT_EQ(stats[1].count, 3);
    EXPECT_EQ(stats[2].count, 0);
  }
}

TEST(StatsTest, GapsOfAPack_DoNotCount) {
  const Packed packed = Packed::Create(HeadAndTable(), DType::kF32).value();
  const TensorStats stats = StatsOf(packed.store().value()).value();
  EXPECT_EQ(stats.count, 5);
  EXPECT_EQ(stats.zero_count, 0);
}

TEST(StatsTest, OpenBorrow_IsAnError) {
  ParamStore model = HeadAndTable();
  const MutableTensor writing = model.Mutate(".table").value();
  const auto is_open =
      StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("take statistics of a store"));
  EXPECT_THAT(StatsOf(model), is_open);
  EXPECT_THAT(StatsOfLeaves(model), is_open);
  EXPECT_THAT(StatsOfSubtree(model, ""), is_open);
}

TEST(StatsTest, ToString_IsOneLine) {
  EXPECT_EQ(Of(Floats({-1, 0, 3, 2, kNaN, kInf})).ToString(),
            "1 tensor, 6 elements, 24 bytes: min -1, max 3, mean 1, std 1.58114, L2 3.74166, "
            "1 zero, 1 NaN, 1 infinite");
  EXPECT_EQ(TensorStats().ToString(), "0 tensors, 0 elements, 0 bytes");
}

}  // namespace
}  // namespace leafstore
