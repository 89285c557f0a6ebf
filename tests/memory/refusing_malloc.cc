#include "tests/memory/refusing_malloc.h"

#include <malloc.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>

namespace leafstore {

constinit std::atomic<int> allocations_left_of_all = -1;
constinit std::atomic<bool> refuse_once = false;
constinit std::atomic<bool> any_was_refused = false;
void (*on_refusal)() = nullptr;

namespace {

// Returns whether an allocation fails.
bool IsRefused() {
  int left = allocations_left_of_all;
  if (left < 0) return false;
  while (left > 0 && !allocations_left_of_all.compare_exchange_weak(left, left - 1)) {
  }
  if (left != 0) return false;
  errno = ENOMEM;
  if (any_was_refused.exchange(true)) return !refuse_once;
  if (on_refusal != nullptr) {
    allocations_left_of_all = -1;
    on_refusal();
    allocations_left_of_all = 0;
  }
  if (refuse_once) allocations_left_of_all = -1;
  return true;
}

}  // namespace
}  // namespace leafstore

// A program's malloc replaces that of glibc everywhere, also within glibc.
extern "C" {

void* __libc_malloc(size_t size) noexcept;
void* __libc_calloc(size_t count, size_t size) noexcept;
void* __libc_realloc(void* memory, size_t size) noexcept;
void* __libc_memalign(size_t alignment, size_t size) noexcept;
void __libc_free(void* memory) noexcept;

void* malloc(size_t size) noexcept {
  return leafstore::IsRefused() ? nullptr : __libc_malloc(size);
}
void* calloc(size_t count, size_t size) noexcept {
  return leafstore::IsRefused() ? nullptr : __libc_calloc(count, size);
}
void* realloc(void* memory, size_t size) noexcept {
  return leafstore::IsRefused() ? nullptr : __libc_realloc(memory, size);
}
void* memalign(size_t alignment, size_t size) noexcept {
  return leafstore::IsRefused() ? nullptr : __libc_memalign(alignment, size);
}
void* aligned_alloc(size_t alignment, size_t size) noexcept { return memalign(alignment, size); }
int posix_memalign(void** memory, size_t alignment, size_t size) noexcept {
  void* const made = memalign(alignment, size);
  if (made == nullptr) return ENOMEM;
  *memory = made;
  return 0;
}
void free(void* memory) noexcept { __libc_free(memory); }

}  // extern "C"
