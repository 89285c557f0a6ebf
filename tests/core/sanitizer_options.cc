// Under the sanitizers a failed allocation aborts by default; here it is an error, and
// tests say so. A file of its own: the sanitizers' headers declare these too, some compilers' only.

extern "C" {
const char* __asan_default_options();
const char* __tsan_default_options();

const char* __asan_default_options() { return "allocator_may_return_null=1"; }
const char* __tsan_default_options() { return "allocator_may_return_null=1"; }
}
