#include "tests/treedef/refusing_new.h"

#include <cstddef>
#include <cstdlib>
#include <new>

namespace leafstore {

thread_local int allocations_left = -1;

}  // namespace leafstore

// In a separate file: where the compiler can see the definitions, it warns of mismatched calls.
void* operator new(size_t size) {
  int& left = leafstore::allocations_left;
  const bool refused = left == 0;
  if (left > 0) --left;
  void* memory = refused ? nullptr : std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
// AddressSanitizer's form would not call this one, and its memory cannot be given to free.
void* operator new(size_t size, const std::nothrow_t&) noexcept try {
  return operator new(size);
} catch (const std::bad_alloc&) {
  return nullptr;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
