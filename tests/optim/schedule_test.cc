#include "leafstore/optim/schedule.h"

#include "gtest/gtest.h"

namespace leafstore {
namespace {

// optim_golden_test.cc compares schedules with PyTorch's.

TEST(ScheduleTest, Warmup_RisesLinearlyToItsPeakAndStays) {
  const Schedule lr = LinearWarmup(1, 4);
  EXPECT_EQ(lr(0), 0.25);
  EXPECT_EQ(lr(1), 0.5);
  EXPECT_EQ(lr(2), 0.75);
  EXPECT_EQ(lr(3), 1);
  EXPECT_EQ(lr(4), 1);
  EXPECT_EQ(lr(1'000'000), 1);
}

TEST(ScheduleTest, WarmupWithoutSteps_IsConstant) {
  EXPECT_EQ(LinearWarmup(0.5, 0)(0), 0.5);
  EXPECT_EQ(LinearWarmup(0.5, -3)(0), 0.5);
}

TEST(ScheduleTest, Cosine_FallsFromPeakToEndAndStays) {
  const Schedule lr = Cosine(1, 10, 0.2);
  EXPECT_EQ(lr(0), 1);
  EXPECT_DOUBLE_EQ(lr(5), 0.6);
  EXPECT_EQ(lr(10), 0.2);
  EXPECT_EQ(lr(11), 0.2);
  for (int64_t step = 0; step < 10; ++step) EXPECT_GT(lr(step), lr(step + 1)) << step;
}

TEST(ScheduleTest, CosineWithoutSteps_IsAtItsEnd) { EXPECT_EQ(Cosine(1, 0, 0.2)(0), 0.2); }

TEST(ScheduleTest, StepDecay_MultipliesEveryNSteps) {
  const Schedule lr = StepDecay(1, 3, 0.5);
  EXPECT_EQ(lr(0), 1);
  EXPECT_EQ(lr(2), 1);
  EXPECT_EQ(lr(3), 0.5);
  EXPECT_EQ(lr(8), 0.25);
  EXPECT_EQ(StepDecay(1, 0)(100), 1);
}

TEST(ScheduleTest, WarmupCosine_IsWarmupThenCosine) {
  const Schedule lr = WarmupCosine({.peak = 1, .warmup_steps = 2, .total_steps = 12, .end = 0.1});
  EXPECT_EQ(lr(0), 0.5);
  EXPECT_EQ(lr(1), 1);
  EXPECT_EQ(lr(2), 1);
  for (int64_t step = 2; step < 12; ++step) EXPECT_EQ(lr(step), Cosine(1, 10, 0.1)(step - 2));
  EXPECT_EQ(lr(12), 0.1);
  EXPECT_EQ(lr(1000), 0.1);
}

TEST(ScheduleTest, NegativeSteps_CountAsZero) {
  EXPECT_EQ(LinearWarmup(1, 4)(-1), 0.25);
  EXPECT_EQ(Cosine(1, 4)(-7), 1);
  EXPECT_EQ(StepDecay(1, 2)(-7), 1);
  EXPECT_EQ(WarmupCosine({.peak = 1, .warmup_steps = 4, .total_steps = 8})(-7), 0.25);
}

}  // namespace
}  // namespace leafstore
