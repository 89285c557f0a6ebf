#include "leafstore/optim/rules.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/core/status_matchers.h"
#include "tests/optim/optim_testing.h"

namespace leafstore {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

MATCHER_P3(IsInvalid, name, expected, found, "") {
  return testing::ExplainMatchResult(
      StatusIs(absl::StatusCode::kInvalidArgument,
               AllOf(HasSubstr(name), HasSubstr(std::string("expected ") + expected),
                     HasSubstr(std::string("found ") + found))),
      CheckRule(arg), result_listener);
}

TEST(RulesTest, Defaults_MatchPyTorch) {
  EXPECT_EQ(Sgd{}, (Sgd{.momentum = 0, .dampening = 0, .weight_decay = 0, .nesterov = false}));
  EXPECT_EQ(Adam{}, (Adam{.beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .weight_decay = 0}));
  EXPECT_EQ(AdamW{}, (AdamW{.beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .weight_decay = 0.01}));
  for (const Rule& rule : {Rule(Sgd{}), Rule(Adam{}), Rule(AdamW{})}) {
    EXPECT_THAT(CheckRule(rule), IsOk());
  }
}

TEST(RulesTest, Rules_HaveNames) {
  EXPECT_EQ(RuleName(Sgd{}), "sgd");
  EXPECT_EQ(RuleName(Adam{}), "adam");
  EXPECT_EQ(RuleName(AdamW{}), "adamw");
}

TEST(RulesTest, Rules_HaveTheMomentsThatTheyNeed) {
  EXPECT_THAT(MomentNames(Sgd{}), IsEmpty());
  EXPECT_THAT(MomentNames(Sgd{.momentum = 0.9}), ElementsAre("momentum_buffer"));
  EXPECT_THAT(MomentNames(Adam{}), ElementsAre("exp_avg", "exp_avg_sq"));
  EXPECT_THAT(MomentNames(AdamW{}), ElementsAre("exp_avg", "exp_avg_sq"));
}

TEST(RulesTest, HyperparametersThatPyTorchRejects_AreErrors) {
  const std::string from_0 = "a finite number of at least 0";
  EXPECT_THAT(Sgd{.momentum = -0.1}, IsInvalid("sgd: momentum", from_0, "-0.1"));
  EXPECT_THAT(Sgd{.weight_decay = -1}, IsInvalid("sgd: weight_decay", from_0, "-1"));
  const std::string below_1 = "a number from 0 to below 1";
  EXPECT_THAT(Adam{.beta1 = 1}, IsInvalid("adam: beta1", below_1, "1"));
  EXPECT_THAT(AdamW{.beta2 = -0.5}, IsInvalid("adamw: beta2", below_1, "-0.5"));
  EXPECT_THAT(Adam{.eps = -1e-8}, IsInvalid("adam: eps", from_0, "-1e-08"));
  EXPECT_THAT(AdamW{.weight_decay = -2}, IsInvalid("adamw: weight_decay", from_0, "-2"));
}

TEST(RulesTest, NonFiniteHyperparameters_AreErrors) {
  EXPECT_THAT(Sgd{.momentum = kInfinity}, IsInvalid("sgd: momentum", "a finite", "inf"));
  EXPECT_THAT(Sgd{.dampening = kNan}, IsInvalid("sgd: dampening", "a finite number", "nan"));
  EXPECT_THAT(Sgd{.weight_decay = kNan}, IsInvalid("sgd: weight_decay", "a finite", "nan"));
  EXPECT_THAT(Adam{.beta1 = kNan}, IsInvalid("adam: beta1", "a number from 0", "nan"));
  EXPECT_THAT(AdamW{.eps = kInfinity}, IsInvalid("adamw: eps", "a finite", "inf"));
}

TEST(RulesTest, Nesterov_RequiresMomentumWithoutDampening) {
  EXPECT_THAT(CheckRule(Sgd{.momentum = 0.9, .nesterov = true}), IsOk());
  EXPECT_THAT(Sgd{.nesterov = true},
              IsInvalid("sgd: nesterov", "positive momentum", "momentum 0 and dampening 0"));
  EXPECT_THAT((Sgd{.momentum = 0.9, .dampening = 0.1, .nesterov = true}),
              IsInvalid("sgd: nesterov", "positive momentum and dampening 0",
                        "momentum 0.9 and dampening 0.1"));
}

}  // namespace
}  // namespace leafstore
