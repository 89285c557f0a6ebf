#include "tests/interop/refusing_new.h"

#include <cstddef>
#include <cstdlib>
#include <new>

namespace leafstore {

thread_local int large_until_refused = -1;

}  // namespace leafstore

#ifndef ABSL_HAVE_ADDRESS_SANITIZER
// In a separate file: where the compiler can see the definitions, it warns of mismatched calls.
void* operator new(size_t size) {
  // More than the arrays that simdjson has in debug builds only and does not check.
  constexpr size_t kLarge = 16384;
  int& left = leafstore::large_until_refused;
  const bool refused = size >= kLarge && left >= 0 && left-- == 0;
  void* memory = refused ? nullptr : std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
#endif  // ABSL_HAVE_ADDRESS_SANITIZER
