// Makes failed allocations return null under the sanitizers, where they abort by default; tests
// rely on it. This is a separate file because the sanitizers' headers of some compilers declare
// these functions too.

extern "C" {
const char* __asan_default_options();
const char* __tsan_default_options();

const char* __asan_default_options() { return "allocator_may_return_null=1"; }
const char* __tsan_default_options() { return "allocator_may_return_null=1"; }
}
