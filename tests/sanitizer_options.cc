// Options of the sanitizers for every program of a build with them. ASAN_OPTIONS and TSAN_OPTIONS
// add to these. Failed allocations return null, where they abort by default; tests rely on it. This
// is a separate file because the sanitizers' headers of some compilers declare these functions too.
#include "absl/base/config.h"

// Newer versions of Abseil mark the unused memory of hash tables, and clear the marks in part in
// their installed libraries, which are built without AddressSanitizer.
#if defined(ABSL_LTS_RELEASE_VERSION) && ABSL_LTS_RELEASE_VERSION >= 20230802
#define LEAFSTORE_POISONING ":allow_user_poisoning=0"
#else
#define LEAFSTORE_POISONING ""
#endif

extern "C" {
const char* __asan_default_options();
const char* __tsan_default_options();

const char* __asan_default_options() { return "allocator_may_return_null=1" LEAFSTORE_POISONING; }
const char* __tsan_default_options() { return "allocator_may_return_null=1"; }
}
