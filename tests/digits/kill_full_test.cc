// Like kill_test.cc, with enough kills to interrupt every part of a save.
#include "gtest/gtest.h"

#include "tests/digits/kill_and_resume.h"

namespace digits {
namespace {

TEST(KillFullTest, HundredKillsWhileSavingEveryStep_ChangeNoBit) {
  const KillCounts counts = KillAndResume(100, SeedOfTheClock());
  EXPECT_EQ(counts.kills, 100);
  EXPECT_GE(counts.inside_a_save, 10) << "too few kills interrupted a save";
}

}  // namespace
}  // namespace digits
