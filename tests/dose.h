// Dose: how much of a random test is run. Normal tests run less; tests with the ctest label `full`
// (scripts/test --full), which compile the same sources again, run everything.
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

// Like Dose above, for tests that take several times as long with sanitizers; the build without
// sanitizers runs more.
constexpr int Dose(int every_run, int full, int sanitized) {
  return kSanitized ? sanitized : Dose(every_run, full);
}

// The depth of structures in tests that recursion would make overflow the stack. With sanitizers,
// where frames are larger, a tenth is enough.
inline constexpr int kManyLevels = kSanitized ? 100'000 : 1'000'000;

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_DOSE_H_
