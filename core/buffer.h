// Buffer: a counted run of bytes that tensors are views into.
//
//   Buffer owned = Buffer::Allocate(4096).value();                 // 64-byte aligned
//   Buffer file = Buffer::MapFile("model.leaf").value();           // read-only mapping
//   Buffer mine = Buffer::External(ptr, size, [ptr] { free(ptr); }).value();
//
// A Buffer is a handle: copying it is O(1) and shares the bytes, which go away with the last
// handle. Who may write: only the sole holder of an owned buffer, or of external memory handed over
// as writable. Everything else that wants to write makes a copy first (see tensor.h). So holding a
// Buffer by value is a promise that its bytes will not change while it is held.
//
// Threads: the count is atomic; handles may be copied and dropped in any thread. One handle object
// must not be assigned to in one thread and read in another.
#ifndef LEAFSTORE_CORE_BUFFER_H_
#define LEAFSTORE_CORE_BUFFER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace leafstore {

namespace internal {

enum class StorageKind : uint8_t { kOwned, kForeign };

// The counted block behind Buffer and Tensor. An owned block is one allocation: this header, room
// for the header of the first tensor over it (tensor.cc), and the bytes from the next multiple of
// kBufferAlignment on. Foreign blocks (buffer.cc) say where their bytes are themselves.
struct Storage {
  std::atomic<uint32_t> refs{1};
  StorageKind kind;
  bool writable;
  uint16_t data_offset;  // of an owned block, from `this`
  int64_t size;

  std::byte* data();

  void Ref() { refs.fetch_add(1, std::memory_order_relaxed); }
  void Unref() {
    if (refs.load(std::memory_order_acquire) == 1 ||
        refs.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      Destroy();
    }
  }
  // True when the caller's reference is the only one, and stays so while it shares it with nobody.
  bool IsUnique() const { return refs.load(std::memory_order_acquire) == 1; }

 private:
  void Destroy();
};

// A block whose bytes lie elsewhere.
struct ForeignStorage : Storage {
  std::byte* foreign_data;
  std::function<void()> release;
};

inline std::byte* Storage::data() {
  return kind == StorageKind::kOwned ? reinterpret_cast<std::byte*>(this) + data_offset
                                     : static_cast<ForeignStorage*>(this)->foreign_data;
}

// A new owned block with one reference: `header_bytes` of room behind the Storage itself, then
// `size` bytes, not cleared. Null where memory is not to be had.
Storage* NewOwnedStorage(int64_t size, size_t header_bytes);

}  // namespace internal

// Every owned buffer begins at a multiple of this.
inline constexpr size_t kBufferAlignment = 64;

class Buffer {
 public:
  // No bytes; null() is true.
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

  // New bytes, aligned to kBufferAlignment, all zero.
  // error InvalidArgument: `size` is negative. error ResourceExhausted: no memory.
  static absl::StatusOr<Buffer> Allocate(int64_t size);

  // The same, not cleared: for bytes that are written in full before they are read.
  static absl::StatusOr<Buffer> AllocateUninitialized(int64_t size);

  // The whole file, mapped for reading and never written to. The mapping holds the file's inode:
  // replacing the file by rename leaves it valid. Reading past the end of a file that another
  // process has shortened is a SIGBUS no library can turn into an error; use plain reads where that
  // can happen.
  // error InvalidArgument: no regular file. error NotFound, PermissionDenied, or what else
  // open/fstat/mmap report. The message names the path.
  static absl::StatusOr<Buffer> MapFile(const std::string& path);
  // The same for the first `size` bytes of a file that is open for reading; the descriptor stays
  // the caller's and may be closed afterwards. `name` stands for the file in messages.
  static absl::StatusOr<Buffer> MapOpenFile(int fd, int64_t size, absl::string_view name);

  // Memory of the caller's that stays valid and unchanged until `release` is called, once, in
  // whatever thread drops the last handle. Never written to.
  // error InvalidArgument: `size` is negative; `release` is not called then.
  static absl::StatusOr<Buffer> External(const void* data, int64_t size,
                                         std::function<void()> release);

  // The same, and a sole holder may write it in place.
  static absl::StatusOr<Buffer> ExternalWritable(void* data, int64_t size,
                                                 std::function<void()> release);

  bool null() const { return storage_ == nullptr; }
  int64_t size() const { return storage_ == nullptr ? 0 : storage_->size; }
  // Valid while this or a copy of it lives.
  const std::byte* data() const { return storage_ == nullptr ? nullptr : storage_->data(); }
  absl::Span<const std::byte> bytes() const& {
    return absl::MakeConstSpan(data(), static_cast<size_t>(size()));
  }
  absl::Span<const std::byte> bytes() && = delete;  // would dangle

  // Whether this handle is the only one and the memory may be written.
  bool IsWritable() const {
    return storage_ != nullptr && storage_->writable && storage_->IsUnique();
  }
  // The bytes for writing. IsWritable() must be true.
  std::byte* mutable_data() { return storage_->data(); }

 private:
  friend class Tensor;
  friend struct TensorAccess;
  static absl::StatusOr<Buffer> Foreign(void* data, int64_t size, bool writable,
                                        std::function<void()> release);
  // Takes over one reference.
  explicit Buffer(internal::Storage* storage) : storage_(storage) {}

  internal::Storage* storage_ = nullptr;
};

}  // namespace leafstore

#endif  // LEAFSTORE_CORE_BUFFER_H_
