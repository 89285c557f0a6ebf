// DirectBuffer: memory for direct reads and writes, in huge pages if the system has them. A direct
// read or write pins a few huge pages faster than thousands of small ones.
#ifndef LEAFSTORE_IO_INTERNAL_DIRECT_BUFFER_H_
#define LEAFSTORE_IO_INTERNAL_DIRECT_BUFFER_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/statusor.h"

#include "leafstore/core/buffer.h"

namespace leafstore::internal {

struct DirectBuffer {
  Buffer buffer;
  std::byte* data = nullptr;  // inside the buffer
  int64_t size = 0;           // from `data` on, a multiple of kDirectAlignment

  // Allocates at least `size` bytes; `data` is at a multiple of kDirectAlignment, and from 8 MiB on
  // at a multiple of the size of a huge page (2 MiB). error ResourceExhausted: out of memory.
  static absl::StatusOr<DirectBuffer> Allocate(int64_t size);
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_IO_INTERNAL_DIRECT_BUFFER_H_
