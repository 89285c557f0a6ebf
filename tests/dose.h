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

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

constexpr int Dose(int every_run, int full) { return kFullDose ? full : every_run; }

// Of what takes several times as long under the sanitizers, which look at the same code whatever
// the disk kept: the plain build of the same run has the whole dose.
constexpr int Dose(int every_run, int full, int sanitized) {
  return kSanitized ? sanitized : Dose(every_run, full);
}

// Levels of what must need no stack. Under the sanitizers, where a frame is larger and all takes
// longer, recursion of a tenth of that overflows the stack as well.
inline constexpr int kManyLevels = kSanitized ? 100'000 : 1'000'000;

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_DOSE_H_
