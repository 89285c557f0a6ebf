// Every fuzz target defines this function. It runs one input and returns 0. It must neither crash
// nor leak, and must depend only on the input, so that a failure can be replayed:
// `build/asan/bin/path_fuzz FILE`.
#ifndef LEAFSTORE_TESTS_FUZZ_FUZZ_H_
#define LEAFSTORE_TESTS_FUZZ_FUZZ_H_

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

#endif  // LEAFSTORE_TESTS_FUZZ_FUZZ_H_
