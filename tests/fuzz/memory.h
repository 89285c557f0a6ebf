// How much memory a piece of code takes, in programs that link leafstore_test_memory: operator new
// and delete count there.
//
//   const MemoryUse use;
//   Decode(bytes);
//   EXPECT_LT(use.peak(), 100 * bytes.size());
//
// Memory that does not come from operator new (tensors, mappings) is not counted, but under
// sanitizers, which count all but mappings.
#ifndef LEAFSTORE_TESTS_FUZZ_MEMORY_H_
#define LEAFSTORE_TESTS_FUZZ_MEMORY_H_

#include <cstdint>

namespace leafstore {

// One at a time in a program, and no other thread may allocate meanwhile.
class MemoryUse {
 public:
  MemoryUse();
  // The most bytes that were held since this was made, beyond those that were held then.
  int64_t peak() const;

 private:
  int64_t before_;
};

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_FUZZ_MEMORY_H_
