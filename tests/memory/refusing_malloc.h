// Allocators of a test program that refuse memory on request: malloc and its like, as glibc,
// libstdc++ and libraries in C call them, and with them every operator new.
//
//   refuse_once = true;
//   allocations_left_of_all = 2;     // the third allocation of all threads together is refused
//   ...
//   allocations_left_of_all = -1;
//   if (any_was_refused) ...
//
// mmap is not refused.
#ifndef LEAFSTORE_TESTS_MEMORY_REFUSING_MALLOC_H_
#define LEAFSTORE_TESTS_MEMORY_REFUSING_MALLOC_H_

#include <atomic>

namespace leafstore {

// The number of allocations that still succeed; negative: all do.
extern std::atomic<int> allocations_left_of_all;
// Whether only one allocation fails; otherwise all later ones fail, too.
extern std::atomic<bool> refuse_once;
// Set by a refusal.
extern std::atomic<bool> any_was_refused;
// Called before the first refusal, if not null. It may allocate.
extern void (*on_refusal)();

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_MEMORY_REFUSING_MALLOC_H_
