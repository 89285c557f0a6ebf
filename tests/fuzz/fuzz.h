// What every fuzz target defines: one call per input, which must neither crash nor leak, and
// returns 0. It must depend on the input alone, so that a finding can be replayed:
// `build/asan/bin/path_fuzz FILE`.
#ifndef LEAFSTORE_TESTS_FUZZ_FUZZ_H_
#define LEAFSTORE_TESTS_FUZZ_FUZZ_H_

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

#endif  // LEAFSTORE_TESTS_FUZZ_FUZZ_H_
