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

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_DOSE_H_
