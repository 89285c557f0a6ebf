// An operator new, for this test program, that refuses one large allocation on request. Not with
// AddressSanitizer, which has its own.
#ifndef LEAFSTORE_TESTS_INTEROP_REFUSING_NEW_H_
#define LEAFSTORE_TESTS_INTEROP_REFUSING_NEW_H_

#include "absl/base/config.h"

namespace leafstore {

#ifdef ABSL_HAVE_ADDRESS_SANITIZER
inline constexpr bool kCanRefuseMemory = false;
#else
inline constexpr bool kCanRefuseMemory = true;
#endif

// The number of allocations of this thread of at least 16 KiB that succeed before one is refused;
// negative: none is refused. It is -1 again after the refusal.
extern thread_local int large_until_refused;

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_INTEROP_REFUSING_NEW_H_
