// The program killed at random moments while it saves after every step (kill_full_test.cc: more
// often).
#include "gtest/gtest.h"

#include "tests/digits/kill_and_resume.h"

namespace digits {
namespace {

TEST(KillTest, TenKillsWhileSavingEveryStep_ChangeNoBit) {
  EXPECT_EQ(KillAndResume(10, SeedOfTheClock()).kills, 10);
}

}  // namespace
}  // namespace digits
