// ParallelFor: a loop whose passes do not need one another, by several threads. For checkpoint/ and
// tools/ alone.
#ifndef LEAFSTORE_IO_INTERNAL_PARALLEL_H_
#define LEAFSTORE_IO_INTERNAL_PARALLEL_H_

#include <cstddef>
#include <cstdint>

#include "absl/functional/function_ref.h"

namespace leafstore::internal {

// So many bytes to read and check are worth a thread's start, and are a piece of work for it.
inline constexpr int64_t kBytesPerThread = int64_t{4} << 20;

// For work on `bytes`: as many threads as `asked`, or where that is 0 as this machine has
// processors, up to eight (by then memory is what one waits for); fewer where the bytes are few.
int ThreadsFor(int asked, int64_t bytes);

// Calls `body` once with each number below `count`, from up to `threads` threads, the caller's
// among them; returns when all are done. Threads that the system will not give are done without.
// Where a call throws, so does this, once the others have ended, and not all numbers were called.
void ParallelFor(size_t count, int threads, absl::FunctionRef<void(size_t)> body);

}  // namespace leafstore::internal

#endif  // LEAFSTORE_IO_INTERNAL_PARALLEL_H_
