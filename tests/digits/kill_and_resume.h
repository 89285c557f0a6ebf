// The program killed with SIGKILL at random moments, while it saves after every step, and resumed
// until it is done.
#ifndef LEAFSTORE_TESTS_DIGITS_KILL_AND_RESUME_H_
#define LEAFSTORE_TESTS_DIGITS_KILL_AND_RESUME_H_

#include <cstdint>

namespace digits {

struct KillCounts {
  int kills = 0;
  int inside_a_save = 0;  // of these; what they leave is a file that is not finished
  int runs = 0;
};

// Trains on some of the images, each run in a new directory, until so many processes were killed.
// Expects after each kill that every checkpoint which is there is whole, and of the next process
// that it goes on from the newest; and of each run, however often it was killed, that it says the
// same of every epoch and ends with the same items, bit for bit, as one that nobody disturbed.
KillCounts KillAndResume(int kills, uint32_t seed);

// One that differs from test to test.
uint32_t SeedOfTheClock();

}  // namespace digits

#endif  // LEAFSTORE_TESTS_DIGITS_KILL_AND_RESUME_H_
