// Buffer: reference-counted bytes that tensors are views of.
//
//   Buffer owned = Buffer::Allocate(4096).value();                 // 64-byte aligned
//   Buffer mine = Buffer::External(ptr, size, [ptr] { free(ptr); }).value();
//
// A Buffer is a handle. Copying it is O(1) and shares the bytes, which are freed with the last
// handle. Only the sole holder of an owned buffer, or of external memory that was passed as
// writable, may write; every other writer makes a copy first (see tensor.h). So the bytes of a
// Buffer do not change while a copy of it is held.
//
// Threads: the reference count is atomic, so handles may be copied and dropped in any thread. One
// handle object must not be assigned to in one thread while another reads it.
#ifndef LEAFSTORE_CORE_BUFFER_H_
#define LEAFSTORE_CORE_BUFFER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace leafstore {

namespace internal {

// The number of references to a T, which is destroyed with the last one. Begins with one.
template <typename T>
struct RefCounted {
  std::atomic<uint32_t> refs{1};

  void Ref() { refs.fetch_add(1, std::memory_order_relaxed); }
  void Unref() {
    if (IsUnique() || refs.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      static_cast<T*>(this)->Destroy();
    }
  }
  // Returns whether the caller's reference is the only one. That stays true until the caller copies
  // it.
  bool IsUnique() const { return refs.load(std::memory_order_acquire) == 1; }
};

// The reference-counted block behind Buffer and Tensor. An owned block is one allocation: this
// header, room for the header of the first tensor over it (tensor.cc), and the bytes from the next
// multiple of kBufferAlignment on. A foreign block stores a pointer to its bytes.
struct Storage : RefCounted<Storage> {
  bool writable;
  uint16_t data_offset;  // of an owned block, from `this`; 0 for a foreign one
  int64_t size;

  std::byte* data();
  void Destroy();
};

// A block whose bytes are in another allocation.
struct ForeignStorage : Storage {
  std::byte* foreign_data;
  std::function<void()> release;
};

inline std::byte* Storage::data() {
  return data_offset != 0 ? reinterpret_cast<std::byte*>(this) + data_offset
                          : static_cast<ForeignStorage*>(this)->foreign_data;
}

// Returns a new owned block with one reference: `header_bytes` of room after the Storage itself,
// then `size` uninitialized bytes. Returns null without memory.
Storage* NewOwnedStorage(int64_t size, size_t header_bytes);

}  // namespace internal

// The alignment of every owned buffer, in bytes.
inline constexpr size_t kBufferAlignment = 64;

class Buffer {
 public:
  // Makes a null buffer without bytes.
  Buffer() = default;
  Buffer(const Buffer& other) : storage_(other.storage_) {
    if (storage_ != nullptr) storage_->Ref();
  }
  Buffer(Buffer&& other) noexcept : storage_(std::exchange(other.storage_, nullptr)) {}
  Buffer& operator=(Buffer other) noexcept {
    std::swap(storage_, other.storage_);
    return *this;
  }
  ~Buffer() {
    if (storage_ != nullptr) storage_->Unref();
  }

  // Allocates zeroed bytes, aligned to kBufferAlignment.
  // error InvalidArgument: `size` is negative. error ResourceExhausted: out of memory.
  static absl::StatusOr<Buffer> Allocate(int64_t size);

  // Like Allocate, but the bytes are uninitialized: write all of them before reading any.
  static absl::StatusOr<Buffer> AllocateUninitialized(int64_t size);

  // Maps the first `size` bytes of a file that is open for reading. The caller keeps the descriptor
  // and may close it afterwards. The mapping keeps the file's inode, so it stays valid if the file
  // is replaced by a rename. If another process shortens the file, reading past the new end raises
  // SIGBUS, which no library can turn into an error; use plain reads where that can happen.
  // error InvalidArgument: `size` is negative. Other errors of mmap. Messages call the file `name`.
  static absl::StatusOr<Buffer> MapOpenFile(int fd, int64_t size, absl::string_view name);

  // Wraps memory of the caller, which must stay valid and unchanged until `release` is called. It
  // is called once, in the thread that drops the last handle. The memory is never written to.
  // error InvalidArgument: `size` is negative; `release` is not called.
  static absl::StatusOr<Buffer> External(const void* data, int64_t size,
                                         std::function<void()> release);

  // Like External, but a sole holder may write the memory in place.
  static absl::StatusOr<Buffer> ExternalWritable(void* data, int64_t size,
                                                 std::function<void()> release);

  bool null() const { return storage_ == nullptr; }
  int64_t size() const { return storage_ == nullptr ? 0 : storage_->size; }
  // Returns the first byte. Valid while this handle or a copy of it lives.
  const std::byte* data() const { return storage_ == nullptr ? nullptr : storage_->data(); }
  absl::Span<const std::byte> bytes() const& {
    return absl::MakeConstSpan(data(), static_cast<size_t>(size()));
  }
  absl::Span<const std::byte> bytes() && = delete;  // would dangle

  // Returns whether this handle is the only one and the memory is writable.
  bool IsWritable() const {
    return storage_ != nullptr && storage_->writable && storage_->IsUnique();
  }
  // Returns the bytes for writing. IsWritable() must be true.
  std::byte* mutable_data() { return storage_->data(); }

 private:
  friend class Tensor;
  friend struct TensorAccess;
  static absl::StatusOr<Buffer> Foreign(void* data, int64_t size, bool writable,
                                        std::function<void()> release);
  // Adopts one reference.
  explicit Buffer(internal::Storage* storage) : storage_(storage) {}

  internal::Storage* storage_ = nullptr;
};

}  // namespace leafstore

#endif  // LEAFSTORE_CORE_BUFFER_H_
