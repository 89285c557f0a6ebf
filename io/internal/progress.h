// The granularity of progress callbacks.
#ifndef LEAFSTORE_IO_INTERNAL_PROGRESS_H_
#define LEAFSTORE_IO_INTERNAL_PROGRESS_H_

#include <cstdint>

namespace leafstore::internal {

// A progress callback is called each time this many bytes have been written or checked.
inline constexpr int64_t kProgressStep = int64_t{4} << 20;

}  // namespace leafstore::internal

#endif  // LEAFSTORE_IO_INTERNAL_PROGRESS_H_
