// An operator new, for a test program, that refuses memory on request.
//
//   allocations_left = 2;     // the third allocation of this thread throws std::bad_alloc
//   ...
//   allocations_left = -1;
//   if (memory_was_refused) ...
#ifndef LEAFSTORE_TESTS_REFUSING_NEW_H_
#define LEAFSTORE_TESTS_REFUSING_NEW_H_

#include <atomic>
#include <cstddef>

namespace leafstore {

// The number of allocations of this thread that still succeed; negative: all do.
extern thread_local int allocations_left;
// The same for all threads together, without `refusable_size`. Refusals set `any_was_refused`.
extern std::atomic<int> allocations_left_of_all;
extern std::atomic<bool> any_was_refused;
// Smaller allocations always succeed and do not count.
extern thread_local size_t refusable_size;
// Set by a refusal.
extern thread_local bool memory_was_refused;
// Whether only one allocation of all threads fails; otherwise all later ones fail, too.
extern std::atomic<bool> refuse_once;
// Called before the first refusal in all threads, if not null. It may allocate.
extern void (*on_refusal)();

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_REFUSING_NEW_H_
