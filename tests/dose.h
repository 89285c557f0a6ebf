// How much of a random test is run: a smaller dose in every run of the tests, the full one in
// those that ctest labels `full` (scripts/test --full), which compile the same sources again.
#ifndef LEAFSTORE_TESTS_DOSE_H_
#define LEAFSTORE_TESTS_DOSE_H_

namespace leafstore {

#ifdef LEAFSTORE_FULL_DOSE
inline constexpr bool kFullDose = true;
#else
inline constexpr bool kFullDose = false;
#endif

constexpr int Dose(int every_run, int full) { return kFullDose ? full : every_run; }

// Levels of what must need no stack. Under the sanitizers, where a frame is larger and all takes
// longer, recursion of a tenth of that overflows the stack as well.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr int kManyLevels = 100'000;
#else
inline constexpr int kManyLevels = 1'000'000;
#endif

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_DOSE_H_
