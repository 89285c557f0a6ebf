#include "tests/refusing_new.h"

#include <cstdlib>
#include <new>

namespace leafstore {

thread_local int allocations_left = -1;
thread_local size_t refusable_size = 0;
thread_local bool memory_was_refused = false;

namespace {

void* Allocate(size_t size) noexcept {
  if (size >= refusable_size && allocations_left >= 0) {
    memory_was_refused |= allocations_left == 0;
    if (allocations_left == 0) return nullptr;
    --allocations_left;
  }
  return std::malloc(size == 0 ? 1 : size);
}

void* AllocateOrThrow(size_t size) {
  void* memory = Allocate(size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace
}  // namespace leafstore

// In a separate file: where the compiler can see the definitions, it warns of mismatched calls. All
// forms, as those of AddressSanitizer do not call each other.
void* operator new(size_t size) { return leafstore::AllocateOrThrow(size); }
void* operator new[](size_t size) { return leafstore::AllocateOrThrow(size); }
void* operator new(size_t size, const std::nothrow_t&) noexcept {
  return leafstore::Allocate(size);
}
void* operator new[](size_t size, const std::nothrow_t&) noexcept {
  return leafstore::Allocate(size);
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t) noexcept { std::free(memory); }
