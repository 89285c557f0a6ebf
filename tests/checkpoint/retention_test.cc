#include "leafstore/checkpoint/internal/retention.h"

#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace leafstore {

using internal::CheckpointsToKeep;
using internal::FindUser;
using internal::IsBetter;
using internal::StepRecord;

namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

FileIdentity FileOf(int64_t step, uint64_t checksum = 1) {
  return {internal::StepFileName(step), 100, checksum};
}

// Returns a checkpoint that needs those of the steps `bases`.
StepRecord At(int64_t step, Metrics metrics = {}, std::vector<int64_t> bases = {}) {
  StepRecord record{.file = {step, internal::StepFileName(step)}, .metrics = std::move(metrics)};
  for (const int64_t base : bases) record.bases.push_back(FileOf(base));
  record.identity = FileOf(step);
  return record;
}

StepRecord DamagedAt(int64_t step, Metrics metrics = {}, std::vector<int64_t> bases = {}) {
  StepRecord record = At(step, std::move(metrics), std::move(bases));
  record.status = absl::DataLossError("damaged");
  return record;
}

StepRecord AbandonedAt(int64_t step, Metrics metrics = {}, std::vector<int64_t> bases = {}) {
  StepRecord record = At(step, std::move(metrics), std::move(bases));
  record.file.name = internal::AbandonedName(record.file.name, 1);
  record.file.abandoned = true;
  return record;
}

std::vector<int64_t> Kept(const std::vector<StepRecord>& checkpoints, const Retention& retention) {
  const std::vector<bool> keep = CheckpointsToKeep(checkpoints, retention);
  std::vector<int64_t> steps;
  for (size_t i = 0; i < keep.size(); ++i) {
    if (keep[i]) steps.push_back(checkpoints[i].file.step);
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
  checkpoints.push_back(DamagedAt(4, {{"accuracy", 0.1}}));
  EXPECT_THAT(Kept(checkpoints, retention), ElementsAre(1, 2, 3, 4));
  checkpoints.push_back(At(5, {{"accuracy", 0.1}}));
  EXPECT_THAT(Kept(checkpoints, retention), ElementsAre(4, 5));
}

TEST(RetentionTest, Damaged_AreKeptWithTheirBasesAndCountForNoRule) {
  const std::vector<StepRecord> checkpoints = {
      At(1), At(2, {{"m", 2}}), DamagedAt(3, {{"m", 9}}, {1}), At(4), DamagedAt(5, {{"m", 7}})};
  EXPECT_THAT(Kept(checkpoints, {.last = 1}), ElementsAre(1, 3, 4, 5));
  EXPECT_THAT(Kept(checkpoints, {.last = 2}), ElementsAre(1, 2, 3, 4, 5));
  EXPECT_THAT(Kept(checkpoints, {.best = 1, .metric = "m"}), ElementsAre(1, 2, 3, 4, 5));
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

// A loss of -inf is no result, also where lower is better.
TEST(RetentionTest, MinusInfinity_IsWorstInBothDirections) {
  const double inf = std::numeric_limits<double>::infinity();
  for (const bool higher : {true, false}) {
    const Retention retention = {.last = 1, .best = 1, .metric = "m", .higher_is_better = higher};
    EXPECT_THAT(
        Kept({At(1, {{"m", -inf}}), At(2, {{"m", 3}}), At(3, {{"m", -inf}}), At(4)}, retention),
        ElementsAre(2, 4));
    EXPECT_TRUE(IsBetter(At(1, {{"m", 5}}), At(2, {{"m", -inf}}), retention));
  }
  EXPECT_THAT(
      Kept({At(1, {{"m", inf}}), At(2, {{"m", 3}}), At(3)}, {.last = 1, .best = 1, .metric = "m"}),
      ElementsAre(1, 3));
}

TEST(RetentionTest, Abandoned_AreKeptWithTheirBasesAndCountForNoRule) {
  const std::vector<StepRecord> checkpoints = {
      At(1), At(2),          At(3), AbandonedAt(4, {{"m", 9}}, {2}), At(5, {{"m", 1}}),
      At(6), AbandonedAt(10)};
  EXPECT_THAT(Kept(checkpoints, {.last = 1}), ElementsAre(2, 4, 6, 10));
  EXPECT_THAT(Kept(checkpoints, {.last = 2}), ElementsAre(2, 4, 5, 6, 10));
  EXPECT_THAT(Kept(checkpoints, {.best = 1, .metric = "m"}), ElementsAre(2, 4, 5, 6, 10));
  EXPECT_THAT(Kept(checkpoints, {.every = 10}), ElementsAre(2, 4, 6, 10));
}

// After steps were set aside, their names are used again.
TEST(RetentionTest, BaseOfTheSameName_IsKeptOnlyIfItIsTheSameFile) {
  StepRecord abandoned = AbandonedAt(3, {}, {});
  abandoned.bases = {FileOf(2, /*checksum=*/7)};
  EXPECT_THAT(Kept({At(1), At(2), abandoned, At(4)}, {.last = 1}), ElementsAre(3, 4));
  abandoned.bases = {FileOf(2)};
  EXPECT_THAT(Kept({At(1), At(2), abandoned, At(4)}, {.last = 1}), ElementsAre(2, 3, 4));
}

// A damaged file whose footer is lost may be the base, unless another file is.
TEST(RetentionTest, User_IsFoundByIdentityWhereThatIsKnown) {
  StepRecord unknown = DamagedAt(2);
  unknown.identity = {};
  EXPECT_EQ(FindUser({At(1), unknown, At(3, {}, {2})}, 1), 2u);
  EXPECT_EQ(FindUser({At(1), AbandonedAt(2), unknown, At(3, {}, {2})}, 2), std::nullopt);
  EXPECT_EQ(FindUser({At(1), AbandonedAt(2), unknown, At(3, {}, {2})}, 1), 3u);
  EXPECT_EQ(FindUser({At(1), AbandonedAt(2), At(2), At(3, {}, {2})}, 2), std::nullopt) << "equal";
  EXPECT_EQ(FindUser({At(1), DamagedAt(3, {}, {1})}, 0), std::nullopt);
  StepRecord unread = DamagedAt(3, {}, {1});
  unread.status = absl::UnknownError("EIO");
  EXPECT_EQ(FindUser({At(1), unread}, 0), 1u);
}

TEST(RetentionTest, Pinned_IsKept) {
  std::vector<StepRecord> checkpoints = {At(1), At(2), At(3)};
  checkpoints[0].pinned = true;
  EXPECT_THAT(Kept(checkpoints, {.last = 1}), ElementsAre(1, 3));
}

TEST(RetentionTest, BasesOfKept_AreKept) {
  EXPECT_THAT(Kept({At(1), At(2, {}, {1}), At(3, {}, {2}), At(4, {}, {1})}, {.last = 1}),
              ElementsAre(1, 4));
  // A base is a checkpoint too, and must remain intact.
  EXPECT_THAT(Kept({At(1), At(2, {}, {1}), At(3, {}, {2})}, {.last = 1}), ElementsAre(1, 2, 3));
  // A base of removed checkpoints only is not kept.
  EXPECT_THAT(Kept({At(1), At(2, {}, {1}), At(3)}, {.last = 1}), ElementsAre(3));
}

}  // namespace
}  // namespace leafstore
