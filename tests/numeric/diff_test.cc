#include "leafstore/numeric/diff.h"

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

#include "leafstore/store/flatten.h"
#include "leafstore/treedef/tree/tree.h"

#include "tests/core/status_matchers.h"
#include "tests/store/sample_stores.h"

namespace leafstore {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

StoreDiff Diff(const ParamStore& a, const ParamStore& b, const DiffOptions& options = {}) {
  return DiffStores(a, b, options).value();
}

// Returns the difference of two stores of one leaf, or a LeafDiff with `differing` 0.
LeafDiff DiffOf(const Tensor& a, const Tensor& b, const DiffOptions& options = {}) {
  const StoreDiff diff = Diff(StoreOf({{"x", a}}), StoreOf({{"x", b}}), options);
  return diff.leaves.empty() ? LeafDiff() : diff.leaves[0];
}
LeafDiff DiffOf(double a, double b, const DiffOptions& options = {}) {
  return DiffOf(VectorOf<double>({a}), VectorOf<double>({b}), options);
}

ParamStore NumbersAndText() {
  return StoreOf({{"a", Floats({1, 2, 3})}, {"b", Ints({7})}, {"c", Value("gelu")}});
}

// ---- leaves ----

TEST(DiffTest, EqualStores_HaveNoDifference) {
  const StoreDiff diff = Diff(NumbersAndText(), NumbersAndText());
  EXPECT_TRUE(diff.same());
  EXPECT_EQ(diff.same_count, 3);
  EXPECT_EQ(diff.skipped_count, 0);
  EXPECT_EQ(diff.ToString(), "no difference, 3 leaves are the same\n");
}

TEST(DiffTest, Diff_CountsDifferingElements) {
  const Tensor a = Tensor::From<float>({2, 3}, {1, 2, 3, 4, 5, 6}).value();
  const Tensor b = Tensor::From<float>({2, 3}, {1, 2, 3, 5, 5, 4}).value();
  const LeafDiff diff = DiffOf(a, b);
  EXPECT_EQ(diff.path, ".x");
  EXPECT_EQ(diff.what, LeafDiff::What::kNumbers);
  EXPECT_EQ(diff.differing, 2);
  EXPECT_EQ(diff.count, 6);
  EXPECT_THAT(diff.first, ElementsAre(1, 0));
  EXPECT_EQ(diff.max_abs, 2);
  EXPECT_EQ(diff.max_rel, 0.5);
  EXPECT_EQ(diff.ToString(),
            "at .x: 2 of 6 elements differ, first at [1, 0]; by at most 2, relatively 0.5");
}

TEST(DiffTest, KindDTypeAndShape_AreReportedForBothSides) {
  const ParamStore a = StoreOf({{"d", Floats({1})}, {"k", Floats({1})}, {"s", Floats({1, 2})}});
  const ParamStore b = StoreOf({{"d", Ints({1})}, {"k", Value(1)}, {"s", Floats({1})}});
  const StoreDiff diff = Diff(a, b);
  ASSERT_EQ(diff.leaves.size(), 3u);
  EXPECT_EQ(diff.leaves[0].what, LeafDiff::What::kDType);
  EXPECT_EQ(diff.leaves[0].ToString(), "at .d: f32[1] and i32[1]");
  EXPECT_EQ(diff.leaves[1].what, LeafDiff::What::kKind);
  EXPECT_EQ(diff.leaves[1].ToString(), "at .k: f32[1] and static int");
  EXPECT_EQ(diff.leaves[2].what, LeafDiff::What::kShape);
  EXPECT_EQ(diff.leaves[2].ToString(), "at .s: f32[2] and f32[1]");
}

TEST(DiffTest, StaticLeaves_DifferByValueAndKind) {
  const ParamStore a = StoreOf({{"x", Value("gelu")}, {"y", Value(1)}, {"z", Value(2)}});
  const ParamStore b = StoreOf({{"x", Value("relu")}, {"y", Value(1.0)}, {"z", Value(2)}});
  const StoreDiff diff = Diff(a, b);
  ASSERT_EQ(diff.leaves.size(), 2u);
  EXPECT_EQ(diff.leaves[0].what, LeafDiff::What::kValue);
  EXPECT_EQ(diff.leaves[0].ToString(), "at .x: 'gelu' and 'relu'");
  EXPECT_EQ(diff.leaves[1].ToString(), "at .y: 1 and 1.0");
  EXPECT_EQ(diff.same_count, 1);
}

// ---- values ----

TEST(DiffTest, RelativeTolerance_IsOfTheSecondStore) {
  EXPECT_EQ(DiffOf(1.1, 1.0).differing, 1);
  EXPECT_EQ(DiffOf(1.1, 1.0, {.atol = 0.2}).differing, 0);
  EXPECT_EQ(DiffOf(1.1, 1.0, {.rtol = 0.2}).differing, 0);
  EXPECT_EQ(DiffOf(1.1, 1.0, {.rtol = 0.06, .atol = 0.06}).differing, 0);  // their sum
  EXPECT_EQ(DiffOf(2.0, 1.0, {.rtol = 0.5}).differing, 1);                 // of 1: 0.5 is allowed
  EXPECT_EQ(DiffOf(1.0, 2.0, {.rtol = 0.5}).differing, 0);                 // of 2: 1 is allowed
}

TEST(DiffTest, ZeroAndMinusZero_AreEqual) {
  EXPECT_EQ(DiffOf(0.0, -0.0).differing, 0);
  const LeafDiff diff = DiffOf(1.0, 0.0);
  EXPECT_EQ(diff.max_abs, 1);
  EXPECT_EQ(diff.max_rel, kInf);
}

TEST(DiffTest, InfinitiesOfOneSign_AreEqual) {
  EXPECT_EQ(DiffOf(kInf, kInf).differing, 0);
  EXPECT_EQ(DiffOf(kInf, -kInf, {.rtol = 1}).differing, 1);
  EXPECT_EQ(DiffOf(1.0, kInf, {.rtol = 1}).differing, 1);
  EXPECT_EQ(DiffOf(kInf, 1.0, {.atol = 1e300}).max_abs, kInf);
}

TEST(DiffTest, NaN_EqualsNaNByDefault) {
  EXPECT_EQ(DiffOf(kNaN, kNaN).differing, 0);
  EXPECT_EQ(DiffOf(kNaN, -kNaN).differing, 0);  // other bits
  EXPECT_EQ(DiffOf(kNaN, kNaN, {.nan_equals_nan = false}).differing, 1);
  const LeafDiff diff = DiffOf(kNaN, 1.0, {.rtol = kInf});
  EXPECT_EQ(diff.differing, 1);
  EXPECT_EQ(diff.max_abs, 0);
  EXPECT_EQ(diff.ToString(), "at .x: 1 of 1 element differs, first at [0]");
}

TEST(DiffTest, Integers_AreComparedExactly) {
  constexpr int64_t kBig = int64_t{1} << 60;
  EXPECT_EQ(DiffOf(VectorOf<int64_t>({kBig}), VectorOf<int64_t>({kBig + 1})).max_abs, 1);
  EXPECT_EQ(
      DiffOf(VectorOf<uint64_t>({~uint64_t{0}}), VectorOf<uint64_t>({~uint64_t{0} - 3})).max_abs,
      3);
  EXPECT_EQ(DiffOf(VectorOf<int64_t>({std::numeric_limits<int64_t>::max()}),
                   VectorOf<int64_t>({std::numeric_limits<int64_t>::min()}))
                .max_abs,
            std::ldexp(1.0, 64));
  EXPECT_EQ(DiffOf(VectorOf<int64_t>({kBig}), VectorOf<int64_t>({kBig + 1}), {.atol = 1}).differing,
            0);
}

TEST(DiffTest, ComplexElements_AreComparedByMagnitudeOfTheDifference) {
  using Complex = std::complex<float>;
  const LeafDiff diff = DiffOf(VectorOf<Complex>({{3, 4}}), VectorOf<Complex>({{0, 0}}));
  EXPECT_EQ(diff.max_abs, 5);
  // Equal magnitudes are not equal elements.
  EXPECT_EQ(DiffOf(VectorOf<Complex>({{3, 4}}), VectorOf<Complex>({{4, 3}})).differing, 1);
  EXPECT_EQ(DiffOf(VectorOf<Complex>({{kNaN, 1}}), VectorOf<Complex>({{1, kNaN}})).differing, 0);
  EXPECT_EQ(DiffOf(VectorOf<Complex>({{kNaN, 1}}), VectorOf<Complex>({{1, 1}})).differing, 1);
  EXPECT_EQ(DiffOf(VectorOf<Complex>({{kInf, 1}}), VectorOf<Complex>({{kInf, 2}}), {.atol = kInf})
                .differing,
            1);
}

TEST(DiffTest, EmptyAndScalarTensors_AreCompared) {
  EXPECT_EQ(DiffOf(Floats({}), Floats({})).differing, 0);
  const LeafDiff diff = DiffOf(Tensor::Scalar(1.0f), Tensor::Scalar(2.0f));
  EXPECT_THAT(diff.first, IsEmpty());
  EXPECT_EQ(diff.count, 1);
}

// Compares with NumPy's rule, computed naively.
TEST(DiffTest, RandomTensors_AgreeWithTheDefinition) {
  for (uint32_t seed = 0; seed < 50; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    std::mt19937 random(seed);
    std::vector<float> a(1 + random() % 4000);
    std::vector<float> b(a.size());
    const DiffOptions options = {.rtol = random() % 2 * 0.1, .atol = random() % 2 * 0.5};
    int64_t differing = 0;
    int64_t first = -1;
    double max_abs = 0;
    for (size_t i = 0; i < a.size(); ++i) {
      a[i] = static_cast<float>(random() % 10);
      b[i] = static_cast<float>(random() % 10) / 2;
      const double distance = std::fabs(double{a[i]} - double{b[i]});
      if (distance <= options.atol + options.rtol * std::fabs(double{b[i]})) continue;
      if (differing++ == 0) first = static_cast<int64_t>(i);
      max_abs = std::max(max_abs, distance);
    }
    const LeafDiff diff = DiffOf(Floats(a), Floats(b), options);
    ASSERT_EQ(diff.differing, differing);
    ASSERT_EQ(diff.max_abs, max_abs);
    if (differing > 0) {
      ASSERT_THAT(diff.first, ElementsAre(first));
    }
  }
}

// ---- generations ----

TEST(DiffTest, EqualGenerations_AreNotRead) {
  ParamStore store = NumbersAndText();
  const ParamStore before = store.Snapshot().value();
  { MutableTensor writing = store.Mutate(".a").value(); }
  const StoreDiff diff = Diff(before, store);
  EXPECT_TRUE(diff.same());
  EXPECT_EQ(diff.same_count, 3);
  EXPECT_EQ(diff.skipped_count, 2);  // .a was read, since it might have been written
}

TEST(DiffTest, NaNDiffersFromNaN_ReadsEverything) {
  const ParamStore store = StoreOf({{"x", VectorOf<double>({kNaN})}});
  const StoreDiff diff = Diff(store, store, {.nan_equals_nan = false});
  EXPECT_EQ(diff.leaves.size(), 1u);
  EXPECT_EQ(diff.skipped_count, 0);
}

// ---- structure ----

TEST(DiffTest, Leaves_AreMatchedByPath) {
  const ParamStore a = StoreOf({{"a", Floats({1})}, {"b", Floats({1})}, {"c", Floats({1})}});
  const ParamStore b = StoreOf({{"b", Floats({1})}, {"c", Floats({2})}, {"d", Floats({1})}});
  const StoreDiff diff = Diff(a, b);
  EXPECT_THAT(diff.only_in_a, ElementsAre(".a"));
  EXPECT_THAT(diff.only_in_b, ElementsAre(".d"));
  ASSERT_EQ(diff.leaves.size(), 1u);
  EXPECT_EQ(diff.leaves[0].path, ".c");
  EXPECT_EQ(diff.same_count, 1);
  EXPECT_FALSE(diff.same());
}

TEST(DiffTest, GroupsOfOneLayout_AreMatchedBySlot) {
  const ParamStore store = NumbersAndText();
  const StoreDiff diff = Diff(GroupOf(store, {0, 1}), GroupOf(store, {1, 2}));
  EXPECT_THAT(diff.only_in_a, ElementsAre(".a"));
  EXPECT_THAT(diff.only_in_b, ElementsAre(".c"));
  EXPECT_EQ(diff.same_count, 1);
}

TEST(DiffTest, Structures_MayDifferWithoutDifferingLeaves) {
  const ParamStore a =
      Flatten(Tree::Dict().With("x", Tree::List().Add(Floats({1}))).With("y", Tree::None()))
          .value()
          .params;
  const ParamStore b =
      Flatten(Tree::Dict().With("x", Tree::Tuple().Add(Floats({1}))).With("y", Tree::Dict()))
          .value()
          .params;
  const StoreDiff diff = Diff(a, b);
  EXPECT_THAT(diff.leaves, IsEmpty());
  EXPECT_EQ(diff.structure.size(), 2u);
  EXPECT_FALSE(diff.same());
  EXPECT_THAT(diff.ToString(), HasSubstr("structure: at ['x']"));
}

TEST(DiffTest, ToString_ListsAllDifferences) {
  const ParamStore a = StoreOf({{"a", Floats({1})}, {"b", Floats({1, 2})}, {"old", Value(1)}});
  const ParamStore b = StoreOf({{"a", Floats({1})}, {"b", Floats({1, 3})}, {"new", Value(1)}});
  EXPECT_EQ(Diff(a, b).ToString(),
            "1 leaf differs, 1 is the same\n"
            "at .b: 1 of 2 elements differ, first at [1]; by at most 1, relatively 0.333333\n"
            "only in the first: .old\n"
            "only in the second: .new\n");
}

TEST(DiffTest, LongLists_AreShortened) {
  std::vector<std::pair<std::string, Leaf>> a;
  std::vector<std::pair<std::string, Leaf>> b;
  for (int i = 0; i < 30; ++i) {
    a.emplace_back(absl::StrCat("p", i), Value(i));
    b.emplace_back(absl::StrCat("p", i), Value(-1));
  }
  const StoreDiff diff = Diff(StoreOf(std::move(a)), StoreOf(std::move(b)));
  EXPECT_THAT(diff.ToString(2), HasSubstr("30 leaves differ, 0 are the same\nat .p0: 0 and -1\n"
                                          "at .p1: 1 and -1\n... 28 more\n"));
}

// ---- errors ----

TEST(DiffTest, InvalidTolerance_IsNamed) {
  EXPECT_THAT(DiffStores(NumbersAndText(), NumbersAndText(), {.rtol = -1}),
              StatusIs(absl::StatusCode::kInvalidArgument, "rtol: expected 0 or more, found -1"));
  EXPECT_THAT(DiffStores(NumbersAndText(), NumbersAndText(), {.atol = kNaN}),
              StatusIs(absl::StatusCode::kInvalidArgument, "atol: expected 0 or more, found nan"));
}

TEST(DiffTest, OpenBorrow_IsAnError) {
  ParamStore open = NumbersAndText();
  const MutableTensor writing = open.Mutate(".a").value();
  const auto is_open =
      StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("cannot compare a store"));
  EXPECT_THAT(DiffStores(open, NumbersAndText()), is_open);
  EXPECT_THAT(DiffStores(NumbersAndText(), open), is_open);
}

TEST(DiffTest, AcrossDTypes_ElementsAreComparedAsDoubles) {
  const Leaf a = Tensor::From<float>({3}, {1, 2, 3.5}).value();
  const Leaf same = Tensor::From<double>({3}, {1, 2, 3.5}).value();
  const Leaf other = Tensor::From<double>({3}, {1, 2, 4}).value();
  const Leaf integers = Tensor::From<int64_t>({3}, {1, 2, 3}).value();
  EXPECT_EQ(DiffLeaves(a, same)->what, LeafDiff::What::kDType);
  const DiffOptions across = {.across_dtypes = true};
  EXPECT_FALSE(DiffLeaves(a, same, across).has_value());
  const LeafDiff diff = DiffLeaves(a, other, across).value();
  EXPECT_EQ(diff.what, LeafDiff::What::kNumbers);
  EXPECT_EQ(diff.differing, 1);
  EXPECT_EQ(diff.a, "f32[3]");
  EXPECT_EQ(diff.b, "f64[3]");
  EXPECT_EQ(DiffLeaves(a, integers, across)->max_abs, 0.5);
  EXPECT_FALSE(DiffLeaves(a, integers, {.atol = 0.5, .across_dtypes = true}).has_value());
  // A shape still differs, and a complex number has no counterpart.
  EXPECT_EQ(DiffLeaves(a, Tensor::Scalar(1.0), across)->what, LeafDiff::What::kShape);
  const Leaf complex = Tensor::Zeros(DType::kC64, {3}).value();
  EXPECT_EQ(DiffLeaves(a, complex, across)->what, LeafDiff::What::kDType);
}

}  // namespace
}  // namespace leafstore
