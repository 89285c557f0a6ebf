#include "tests/fuzz/memory.h"

#include <malloc.h>

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace leafstore {
namespace {

std::atomic<int64_t> held{0};
std::atomic<int64_t> most_held{0};

void* Allocate(std::size_t size, std::size_t alignment) {
  void* memory = alignment <= alignof(std::max_align_t)
                     ? std::malloc(size)
                     : std::aligned_alloc(alignment, (size + alignment - 1) & -alignment);
  if (memory == nullptr) std::abort();  // a test that takes so much has failed
  const int64_t now = held += static_cast<int64_t>(malloc_usable_size(memory));
  if (now > most_held) most_held = now;
  return memory;
}

void Release(void* memory) {
  if (memory == nullptr) return;
  held -= static_cast<int64_t>(malloc_usable_size(memory));
  std::free(memory);
}

}  // namespace

MemoryUse::MemoryUse() : before_(held) { most_held = before_; }
int64_t MemoryUse::peak() const { return most_held - before_; }

}  // namespace leafstore

void* operator new(std::size_t size) { return leafstore::Allocate(size, 1); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return leafstore::Allocate(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { leafstore::Release(memory); }
void operator delete(void* memory, std::size_t) noexcept { leafstore::Release(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { leafstore::Release(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  leafstore::Release(memory);
}
