// ParallelFor: runs independent loop iterations on several threads.
#ifndef LEAFSTORE_IO_INTERNAL_PARALLEL_H_
#define LEAFSTORE_IO_INTERNAL_PARALLEL_H_

#include <cstddef>
#include <cstdint>

#include "absl/functional/function_ref.h"

namespace leafstore::internal {

// The bytes to read and check that are worth starting a thread, and the size of one piece of work.
inline constexpr int64_t kBytesPerThread = int64_t{4} << 20;

// Returns the number of threads for work on `bytes`: `asked`, or if that is 0 the number of
// processors, up to eight (beyond that memory is the bottleneck); fewer for few bytes.
int ThreadsFor(int asked, int64_t bytes);

// Calls `body` once with each index below `count`, on up to `threads` threads including the
// caller's, and waits for all calls. Works with fewer threads if the system cannot start them. If a
// call throws, this throws after the running calls have ended, and some indices are skipped.
void ParallelFor(size_t count, int threads, absl::FunctionRef<void(size_t)> body);

}  // namespace leafstore::internal

#endif  // LEAFSTORE_IO_INTERNAL_PARALLEL_H_
