#include "leafstore/io/internal/direct_buffer.h"

#include <sys/mman.h>

#include "leafstore/core/status_macros.h"
#include "leafstore/io/file_system.h"
#include "leafstore/io/internal/file_stream.h"

namespace leafstore::internal {

absl::StatusOr<DirectBuffer> DirectBuffer::Allocate(int64_t size) {
  constexpr int64_t kHugePage = int64_t{2} << 20;
  static_assert(kHugePage % kDirectAlignment == 0);
  // A smaller buffer would need much more address space, and has huge pages inside, too.
  constexpr int64_t kLeastAligned = 4 * kHugePage;
  const int64_t alignment = size >= kLeastAligned ? kHugePage : int64_t{kDirectAlignment};
  DirectBuffer made;
  made.size = AlignUp(size, kDirectAlignment);
  LEAFSTORE_ASSIGN_OR_RETURN(made.buffer, Buffer::AllocateUninitialized(made.size + alignment));
  const auto address = reinterpret_cast<uintptr_t>(made.buffer.data());
  made.data = made.buffer.mutable_data() + (-address & static_cast<uintptr_t>(alignment - 1));
#ifdef MADV_HUGEPAGE
  if (size >= kHugePage) {
    madvise(made.data, static_cast<size_t>(made.size), MADV_HUGEPAGE);  // only slower if refused
  }
#endif
  return made;
}

}  // namespace leafstore::internal
