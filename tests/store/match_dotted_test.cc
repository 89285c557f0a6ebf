#include "leafstore/store/match_dotted.h"

#include <string>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/store/merge.h"

#include "tests/core/status_matchers.h"
#include "tests/store/sample_models.h"

namespace leafstore {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// As a file of PyTorch's has them: one flat dict, or dicts inside one another.
ParamStore FromElsewhere() {
  return StoreAt({{"['layers']['1']['bias']", Floats({7, 8})},
                  {"['head.bias']", Floats({5, 6})},
                  {"['layers.0.bias']", Floats({1, 2})}});
}

TEST(MatchDottedTest, LeavesGoWhereTheirDottedFormIs) {
  ParamStore params = SampleParams();
  const ParamStore matched = MatchDotted(FromElsewhere(), params.layout()).value();
  EXPECT_TRUE(matched.layout() == params.layout());
  EXPECT_EQ(matched.size(), 3u);
  ASSERT_THAT(params.Update(matched), IsOk());
  EXPECT_EQ(*params.Find(".head.bias"), Leaf(Floats({5, 6})));
  EXPECT_EQ(*params.Find(".layers[0].bias"), Leaf(Floats({1, 2})));
  EXPECT_EQ(*params.Find(".layers[1].bias"), Leaf(Floats({7, 8})));
  EXPECT_EQ(*params.Find(".activation"), Leaf(Value("gelu")));
  const ParamStore* const groups[] = {&matched};
  EXPECT_THAT(CheckMerge(params.layout(), groups).missing,
              ElementsAre(".activation", ".head.weight", ".layers[0].weight", ".layers[1].weight",
                          ".steps"));
}

TEST(MatchDottedTest, AnAliasLeadsToItsOwner) {
  const ParamStore matched =
      MatchDotted(StoreAt({{"['output.table']", Floats({4, 5, 6})}}), TiedParams().layout())
          .value();
  EXPECT_EQ(*matched.Find(".embedding.table"), Leaf(Floats({4, 5, 6})));
}

TEST(MatchDottedTest, ALayoutOfPathsIsMetToo) {
  const Layout layout = StoreAt({{".w", Value(1)}, {".a.b", Value(2)}}).layout();
  const ParamStore matched = MatchDotted(StoreAt({{"['a.b']", Value(3)}}), layout).value();
  EXPECT_EQ(*matched.Find(".a.b"), Leaf(Value(3)));
}

TEST(MatchDottedTest, WhatFitsNowhereIsListedInFull) {
  const ParamStore store =
      StoreAt({{"['head.bais']", Value(1)}, {"['steps']", Value(1)}, {"['other']", Value(2)}});
  EXPECT_THAT(
      MatchDotted(store, SampleParams().layout()),
      StatusIs(absl::StatusCode::kNotFound,
               AllOf(HasSubstr("found 2 that are not: "), HasSubstr("bais"),
                     HasSubstr("did you mean bias?"), HasSubstr("expected a child other"))));
}

TEST(MatchDottedTest, TwoLeavesForOneSlotAreAnError) {
  EXPECT_THAT(MatchDotted(StoreAt({{"['head.bias']", Value(1)}, {"['head']['bias']", Value(2)}}),
                          SampleParams().layout()),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("expected one leaf for .head.bias, found "),
                             HasSubstr("['head.bias']"), HasSubstr("['head']['bias']"))));
}

TEST(MatchDottedTest, TwoPathsOfOneDottedFormAreAnError) {
  const Layout layout = StoreAt({{".a.b", Value(1)}, {"['a.b']", Value(2)}}).layout();
  EXPECT_THAT(MatchDotted(StoreAt({{"['a']['b']", Value(3)}}), layout),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("could be")));
}

TEST(MatchDottedTest, WhatIsBeingWrittenIsNotShared) {
  ParamStore store = StoreAt({{"['head.bias']", Floats({5, 6})}});
  const MutableTensor open = store.MutateAt(0).value();
  EXPECT_THAT(MatchDotted(store, SampleParams().layout()),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("match by dotted form")));
}

}  // namespace
}  // namespace leafstore
