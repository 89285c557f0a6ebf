#include "leafstore/core/buffer.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "leafstore/core/internal/buffer_pool.h"
#include "leafstore/core/status_macros.h"

namespace leafstore {
namespace internal {

namespace {

// Returns aligned memory, from the pool or new. Returns null if there is none.
void* NewMemory(size_t size) {
  if (void* pooled = TakePooled(size); pooled != nullptr) return pooled;
  void* memory = nullptr;
  if (posix_memalign(&memory, kBufferAlignment, size) == 0) return memory;
  DropPooled();
  return posix_memalign(&memory, kBufferAlignment, size) == 0 ? memory : nullptr;
}

}  // namespace

Storage* NewOwnedStorage(int64_t size, size_t header_bytes) {
  const size_t offset =
      (sizeof(Storage) + header_bytes + kBufferAlignment - 1) / kBufferAlignment * kBufferAlignment;
  // aligned_alloc requires a size that is a multiple of the alignment; glibc does not, which saves
  // bytes.
  if (static_cast<uint64_t>(size) > std::numeric_limits<size_t>::max() - offset) return nullptr;
  void* const memory = NewMemory(offset + static_cast<size_t>(size));
  if (memory == nullptr) return nullptr;
  return new (memory) Storage{{}, /*writable=*/true, static_cast<uint16_t>(offset), size};
}

void Storage::Destroy() {
  if (data_offset != 0) {
    const size_t bytes = data_offset + static_cast<size_t>(size);
    this->~Storage();
    if (!KeepPooled(this, bytes)) std::free(this);
    return;
  }
  auto* foreign = static_cast<ForeignStorage*>(this);
  if (foreign->release) foreign->release();
  delete foreign;
}

}  // namespace internal

namespace {

absl::Status CheckSize(int64_t size) {
  if (size >= 0) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("buffer size: expected >= 0, found ", size));
}

}  // namespace

absl::StatusOr<Buffer> Buffer::AllocateUninitialized(int64_t size) {
  LEAFSTORE_RETURN_IF_ERROR(CheckSize(size));
  internal::Storage* storage = internal::NewOwnedStorage(size, 0);
  if (storage == nullptr) {
    return absl::ResourceExhaustedError(absl::StrCat("no memory for a buffer of ", size, " bytes"));
  }
  return Buffer(storage);
}

absl::StatusOr<Buffer> Buffer::Allocate(int64_t size) {
  absl::StatusOr<Buffer> buffer = AllocateUninitialized(size);
  if (buffer.ok()) std::memset(buffer->mutable_data(), 0, static_cast<size_t>(size));
  return buffer;
}

absl::StatusOr<Buffer> Buffer::MapOpenFile(int fd, int64_t size, absl::string_view name) {
  LEAFSTORE_RETURN_IF_ERROR(CheckSize(size));
  if (size == 0) return External(nullptr, 0, nullptr);  // mmap refuses a length of 0
  void* data = mmap(nullptr, static_cast<size_t>(size), PROT_READ, MAP_SHARED, fd, 0);
  if (data == MAP_FAILED) return absl::ErrnoToStatus(errno, absl::StrCat("cannot map ", name));
  return External(data, size, [data, size] { munmap(data, static_cast<size_t>(size)); });
}

absl::StatusOr<Buffer> Buffer::Foreign(void* data, int64_t size, bool writable,
                                       std::function<void()> release) {
  LEAFSTORE_RETURN_IF_ERROR(CheckSize(size));
  return Buffer(new internal::ForeignStorage{
      {{}, writable, 0, size}, static_cast<std::byte*>(data), std::move(release)});
}

absl::StatusOr<Buffer> Buffer::External(const void* data, int64_t size,
                                        std::function<void()> release) {
  // The const_cast is safe: the storage is not writable, so nothing writes through the pointer.
  return Foreign(const_cast<void*>(data), size, /*writable=*/false, std::move(release));
}

absl::StatusOr<Buffer> Buffer::ExternalWritable(void* data, int64_t size,
                                                std::function<void()> release) {
  return Foreign(data, size, /*writable=*/true, std::move(release));
}

}  // namespace leafstore
