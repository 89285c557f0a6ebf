// For checkpoint/ alone.
#ifndef LEAFSTORE_IO_INTERNAL_PROGRESS_H_
#define LEAFSTORE_IO_INTERNAL_PROGRESS_H_

#include <cstdint>

namespace leafstore::internal {

// After each of these many bytes, written or checked, a progress callback is told.
inline constexpr int64_t kProgressStep = int64_t{4} << 20;

}  // namespace leafstore::internal

#endif  // LEAFSTORE_IO_INTERNAL_PROGRESS_H_
