// Runs the program, which saves after every step, kills it with SIGKILL at random moments, and
// resumes it until it is done.
#ifndef LEAFSTORE_TESTS_DIGITS_KILL_AND_RESUME_H_
#define LEAFSTORE_TESTS_DIGITS_KILL_AND_RESUME_H_

#include <cstdint>

namespace digits {

struct KillCounts {
  int kills = 0;
  int inside_a_save = 0;  // kills that left an unfinished file
  int runs = 0;
};

// Trains on some of the images, each run in a new directory, until `kills` processes were killed.
// Expects after each kill that every checkpoint is intact and that the next process resumes from
// the newest; and that each run prints the same line for every epoch, and ends with the same items,
// bit for bit, as an uninterrupted run.
KillCounts KillAndResume(int kills, uint32_t seed);

// Returns a seed that differs from test to test.
uint32_t SeedOfTheClock();

}  // namespace digits

#endif  // LEAFSTORE_TESTS_DIGITS_KILL_AND_RESUME_H_
