#include "tests/memory_use.h"

#include <malloc.h>

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define LEAFSTORE_SANITIZED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LEAFSTORE_SANITIZED
#endif

#ifdef LEAFSTORE_SANITIZED
// From sanitizer/allocator_interface.h, which Debian installs only with clang.
extern "C" int __sanitizer_install_malloc_and_free_hooks(void (*malloc_hook)(const volatile void*,
                                                                             size_t),
                                                         void (*free_hook)(const volatile void*));
extern "C" size_t __sanitizer_get_allocated_size(const volatile void* memory);
#endif

namespace leafstore {
namespace {

std::atomic<int64_t> held{0};
std::atomic<int64_t> most_held{0};

void Add(size_t bytes) {
  const int64_t now = held += static_cast<int64_t>(bytes);
  if (now > most_held) most_held = now;
}

void Remove(size_t bytes) { held -= static_cast<int64_t>(bytes); }

}  // namespace

int64_t MemoryUse::peak() const { return most_held - before_; }

#ifdef LEAFSTORE_SANITIZED

// A sanitizer needs its own operator new, but has hooks for all allocations.
MemoryUse::MemoryUse() {
  static const int installed = __sanitizer_install_malloc_and_free_hooks(
      [](const volatile void*, size_t size) { Add(size); },
      [](const volatile void* memory) {
        if (memory != nullptr) Remove(__sanitizer_get_allocated_size(memory));
      });
  if (installed == 0) std::abort();
  before_ = held;
  most_held = before_;
}

#else

MemoryUse::MemoryUse() : before_(held) { most_held = before_; }

namespace {

void* Allocate(size_t size, size_t alignment) {
  void* memory = alignment <= alignof(std::max_align_t)
                     ? std::malloc(size)
                     : std::aligned_alloc(alignment, (size + alignment - 1) & -alignment);
  if (memory == nullptr) std::abort();  // a test that runs out of memory has failed
  Add(malloc_usable_size(memory));
  return memory;
}

void Release(void* memory) {
  if (memory == nullptr) return;
  Remove(malloc_usable_size(memory));
  std::free(memory);
}

}  // namespace

#endif  // LEAFSTORE_SANITIZED

}  // namespace leafstore

#ifndef LEAFSTORE_SANITIZED

// The other standard forms call these.
void* operator new(size_t size) { return leafstore::Allocate(size, 1); }
void* operator new(size_t size, std::align_val_t alignment) {
  return leafstore::Allocate(size, static_cast<size_t>(alignment));
}
void operator delete(void* memory) noexcept { leafstore::Release(memory); }
void operator delete(void* memory, size_t) noexcept { leafstore::Release(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { leafstore::Release(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept {
  leafstore::Release(memory);
}

#endif  // LEAFSTORE_SANITIZED
