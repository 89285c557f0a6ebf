#include "leafstore/optim/clip.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/core/status_matchers.h"
#include "tests/optim/optim_testing.h"

namespace leafstore {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST(ClipScaleTest, LeavesSmallGradientsAlone) {
  EXPECT_EQ(*ClipScale(0, 1), 1);
  EXPECT_EQ(*ClipScale(0.5, 1), 1);
  EXPECT_EQ(*ClipScale(1e300, kInfinity), 1);
}

TEST(ClipScaleTest, BringsLargeOnesToTheLimitWithPyTorchsMargin) {
  EXPECT_EQ(*ClipScale(4, 1), 1 / (4 + 1e-6));
  EXPECT_EQ(*ClipScale(1, 1), 1 / (1 + 1e-6));
}

TEST(ClipScaleTest, RefusesNormsThatNoStepCouldBeMadeWith) {
  for (const double norm : {kNan, kInfinity, -1.0}) {
    EXPECT_THAT(ClipScale(norm, 1),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         AllOf(HasSubstr("norm of the gradients"), HasSubstr("finite number"))));
  }
}

TEST(ClipScaleTest, RefusesLimitsThatAreNotOverZero) {
  for (const double limit : {0.0, -1.0, kNan}) {
    EXPECT_THAT(ClipScale(1, limit), StatusIs(absl::StatusCode::kInvalidArgument,
                                              HasSubstr("max_norm: expected a number over 0")));
  }
}

}  // namespace
}  // namespace leafstore
