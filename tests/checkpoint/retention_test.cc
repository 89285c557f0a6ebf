#include "leafstore/checkpoint/internal/retention.h"

#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace leafstore {

using internal::CheckpointsToKeep;
using internal::StepRecord;

namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

StepRecord At(int64_t step, Metrics metrics = {}, std::vector<std::string> bases = {}) {
  return {step, absl::StrCat("step", step), std::move(metrics), std::move(bases)};
}

std::vector<int64_t> Kept(const std::vector<StepRecord>& checkpoints, const Retention& retention) {
  const std::vector<bool> keep = CheckpointsToKeep(checkpoints, retention);
  std::vector<int64_t> steps;
  for (size_t i = 0; i < keep.size(); ++i) {
    if (keep[i]) steps.push_back(checkpoints[i].step);
  }
  return steps;
}

TEST(RetentionTest, Last_KeepsTheNewest) {
  EXPECT_THAT(Kept({At(1), At(2), At(5)}, {.last = 1}), ElementsAre(5));
  EXPECT_THAT(Kept({At(1), At(2), At(5)}, {.last = 2}), ElementsAre(2, 5));
  EXPECT_THAT(Kept({At(1), At(2), At(5)}, {.last = 9}), ElementsAre(1, 2, 5));
  EXPECT_THAT(Kept({}, {.last = 2}), IsEmpty());
}

TEST(RetentionTest, WithoutRules_AllAreKept) {
  EXPECT_THAT(Kept({At(1), At(2), At(5)}, {}), ElementsAre(1, 2, 5));
  EXPECT_THAT(Kept({At(1), At(2)}, {.metric = "accuracy"}), ElementsAre(1, 2));
}

TEST(RetentionTest, Newest_IsAlwaysKept) {
  EXPECT_THAT(Kept({At(1), At(2)}, {.every = 100}), ElementsAre(2));
  EXPECT_THAT(
      Kept({At(1, {{"loss", 2}}), At(2)}, {.best = 1, .metric = "loss", .higher_is_better = false}),
      ElementsAre(1, 2));
}

// The name may be misspelt, so the best is unknown.
TEST(RetentionTest, WithoutAnyMetric_AllAreKept) {
  std::vector<StepRecord> checkpoints = {At(1, {{"acuracy", 0.9}}), At(2), At(3)};
  const Retention retention = {.last = 1, .best = 1, .metric = "accuracy"};
  EXPECT_THAT(Kept(checkpoints, retention), ElementsAre(1, 2, 3));
  checkpoints.push_back(At(4, {{"accuracy", 0.1}}));
  checkpoints[3].damaged = true;
  EXPECT_THAT(Kept(checkpoints, retention), ElementsAre(1, 2, 3, 4));
  checkpoints.push_back(At(5, {{"accuracy", 0.1}}));
  EXPECT_THAT(Kept(checkpoints, retention), ElementsAre(4, 5));
}

TEST(RetentionTest, Damaged_AreKeptAndCountForNoRule) {
  std::vector<StepRecord> checkpoints = {At(1), At(2, {{"m", 2}}), At(3, {{"m", 9}}, {"step1"}),
                                         At(4), At(5, {{"m", 7}})};
  checkpoints[2].damaged = true;
  checkpoints[4].damaged = true;
  EXPECT_THAT(Kept(checkpoints, {.last = 1}), ElementsAre(3, 4, 5));
  EXPECT_THAT(Kept(checkpoints, {.last = 2}), ElementsAre(2, 3, 4, 5));
  EXPECT_THAT(Kept(checkpoints, {.best = 1, .metric = "m"}), ElementsAre(2, 3, 4, 5));
}

TEST(RetentionTest, Every_KeepsMultiples) {
  EXPECT_THAT(Kept({At(0), At(50), At(100), At(150), At(199)}, {.last = 1, .every = 100}),
              ElementsAre(0, 100, 199));
}

TEST(RetentionTest, Best_KeepsTheBest) {
  const std::vector<StepRecord> checkpoints = {
      At(1, {{"accuracy", 0.5}}), At(2, {{"accuracy", 0.9}}), At(3, {{"accuracy", 0.7}}),
      At(4, {{"accuracy", 0.1}})};
  EXPECT_THAT(Kept(checkpoints, {.last = 1, .best = 2, .metric = "accuracy"}),
              ElementsAre(2, 3, 4));
  EXPECT_THAT(
      Kept(checkpoints, {.last = 1, .best = 1, .metric = "accuracy", .higher_is_better = false}),
      ElementsAre(4));
}

TEST(RetentionTest, EqualMetrics_PreferTheNewer) {
  EXPECT_THAT(Kept({At(1, {{"m", 1}}), At(2, {{"m", 1}}), At(3, {{"m", 0}})},
                   {.last = 1, .best = 1, .metric = "m"}),
              ElementsAre(2, 3));
}

TEST(RetentionTest, MissingMetric_IsWorst) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THAT(Kept({At(1, {{"m", nan}}), At(2, {{"other", 5}}), At(3, {{"m", -7}}), At(4)},
                   {.last = 1, .best = 3, .metric = "m"}),
              ElementsAre(3, 4));
}

TEST(RetentionTest, Pinned_IsKept) {
  std::vector<StepRecord> checkpoints = {At(1), At(2), At(3)};
  checkpoints[0].pinned = true;
  EXPECT_THAT(Kept(checkpoints, {.last = 1}), ElementsAre(1, 3));
}

TEST(RetentionTest, BasesOfKept_AreKept) {
  EXPECT_THAT(
      Kept({At(1), At(2, {}, {"step1"}), At(3, {}, {"step2"}), At(4, {}, {"step1"})}, {.last = 1}),
      ElementsAre(1, 4));
  // A base is a checkpoint too, and must remain intact.
  EXPECT_THAT(Kept({At(1), At(2, {}, {"step1"}), At(3, {}, {"step2"})}, {.last = 1}),
              ElementsAre(1, 2, 3));
  // A base of removed checkpoints only is not kept.
  EXPECT_THAT(Kept({At(1), At(2, {}, {"step1"}), At(3)}, {.last = 1}), ElementsAre(3));
}

}  // namespace
}  // namespace leafstore
