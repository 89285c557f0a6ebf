// MemoryUse: measures the memory that a piece of code allocates, in programs that link
// leafstore_test_memory, which replaces operator new and delete.
//
//   const MemoryUse use;
//   Decode(bytes);
//   EXPECT_LT(use.peak(), 100 * bytes.size());
//
// Memory that does not come from operator new (tensors, mappings) is not counted. With sanitizers,
// everything except mappings is counted.
#ifndef LEAFSTORE_TESTS_MEMORY_USE_H_
#define LEAFSTORE_TESTS_MEMORY_USE_H_

#include <cstdint>

namespace leafstore {

// Only one may exist at a time, and no other thread may allocate meanwhile.
class MemoryUse {
 public:
  MemoryUse();
  // Returns the most bytes allocated at one time since construction, less those allocated before.
  int64_t peak() const;

 private:
  int64_t before_;
};

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_MEMORY_USE_H_
