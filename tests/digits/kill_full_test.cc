// As kill_test.cc, long enough that kills fall into every part of a save.
#include "gtest/gtest.h"

#include "tests/digits/kill_and_resume.h"

namespace digits {
namespace {

TEST(KillFullTest, AHundredKillsWhileEveryStepIsSavedChangeNoBit) {
  const KillCounts counts = KillAndResume(100, SeedOfTheClock());
  EXPECT_EQ(counts.kills, 100);
  EXPECT_GE(counts.inside_a_save, 10) << "the moments were not those that matter";
}

}  // namespace
}  // namespace digits
