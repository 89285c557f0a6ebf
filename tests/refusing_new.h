// An operator new, for a test program, that refuses memory on request.
//
//   allocations_left = 2;     // the third allocation of this thread throws std::bad_alloc
//   ...
//   allocations_left = -1;
//   if (memory_was_refused) ...
#ifndef LEAFSTORE_TESTS_REFUSING_NEW_H_
#define LEAFSTORE_TESTS_REFUSING_NEW_H_

#include <cstddef>

namespace leafstore {

// The number of allocations of this thread that still succeed; negative: all do.
extern thread_local int allocations_left;
// Smaller allocations always succeed and do not count.
extern thread_local size_t refusable_size;
// Set by a refusal.
extern thread_local bool memory_was_refused;

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_REFUSING_NEW_H_
