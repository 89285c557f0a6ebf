#include "leafstore/core/internal/buffer_pool.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <mutex>

#include "absl/base/config.h"

#include "leafstore/core/buffer.h"

#ifdef ABSL_HAVE_ADDRESS_SANITIZER
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#endif

namespace leafstore::internal {
namespace {

// Written into the kept memory itself, so that keeping it allocates nothing.
struct Kept {
  Kept* next;
  size_t size;
};

// Lists of kept memory by size class; each list distinguishes the exact sizes in it.
class Pool {
 public:
  // Never destroyed: buffers may be freed after main returns.
  static Pool& Get() {
    static Pool* const pool = new Pool();
    return *pool;
  }

  // These read without the lock, so that most calls return early.
  int64_t held() const { return held_.load(std::memory_order_relaxed); }
  bool closed() const { return limit() == 0; }

  void ChangeLimit(int64_t by) {
    const std::lock_guard<std::mutex> lock(mutex_);
    limit_.store(limit() + by, std::memory_order_relaxed);
    FreeDownTo(limit(), kNoSize);
  }

  // Returns memory of this size, or null.
  void* Take(size_t size) {
    const std::lock_guard<std::mutex> lock(mutex_);
    Kept** at = &ListOf(size);
    while (*at != nullptr && (*at)->size != size) at = &(*at)->next;
    return *at == nullptr ? nullptr : Unlink(at);
  }

  // Returns false, and keeps nothing, if there is no room.
  bool Keep(void* memory, size_t size) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const int64_t room = limit() - static_cast<int64_t>(size);
    if (room < 0) return false;
    // Releases memory of other sizes, which a previous model used. An entry of this size keeps
    // those behind it in its list, so that the time of a call does not depend on how much is kept.
    FreeDownTo(room, size);
    if (held() > room) return false;
    Kept*& list = ListOf(size);
    list = new (memory) Kept{list, size};
    held_.store(held() + static_cast<int64_t>(size), std::memory_order_relaxed);
    ASAN_POISON_MEMORY_REGION(list + 1, size - sizeof(Kept));
    return true;
  }

  void Drop() {
    const std::lock_guard<std::mutex> lock(mutex_);
    FreeDownTo(0, kNoSize);
  }

 private:
  static constexpr size_t kNoSize = 0;

  int64_t limit() const { return limit_.load(std::memory_order_relaxed); }

  // The functions below need the lock.

  // Sizes mostly differ by at least the alignment.
  Kept*& ListOf(size_t size) { return lists_[size / kBufferAlignment % lists_.size()]; }

  void* Unlink(Kept** at) {
    Kept* const kept = *at;
    *at = kept->next;
    held_.store(held() - static_cast<int64_t>(kept->size), std::memory_order_relaxed);
    ASAN_UNPOISON_MEMORY_REGION(kept, kept->size);
    return kept;
  }

  // Frees the first entries of each list while more than `most` bytes are held and their size is
  // not `except`.
  void FreeDownTo(int64_t most, size_t except) {
    for (size_t i = 0; i < lists_.size() && held() > most; ++i) {
      Kept*& list = lists_[i];
      while (held() > most && list != nullptr && list->size != except) std::free(Unlink(&list));
    }
  }

  std::mutex mutex_;  // guards all below; the counts are also read without it
  std::atomic<int64_t> limit_{0};
  std::atomic<int64_t> held_{0};
  std::array<Kept*, 1024> lists_ = {};
};

}  // namespace

BufferPool::Reservation::~Reservation() {
  if (bytes_ != 0) Pool::Get().ChangeLimit(-bytes_);
}

BufferPool::Reservation BufferPool::Keep(int64_t bytes) {
  bytes = std::max(bytes, int64_t{0});
  Pool::Get().ChangeLimit(bytes);
  return Reservation(bytes);
}

int64_t BufferPool::held_bytes() { return Pool::Get().held(); }

void* TakePooled(size_t size) {
  if (size < BufferPool::kSmallest || Pool::Get().held() == 0) return nullptr;
  return Pool::Get().Take(size);
}

bool KeepPooled(void* memory, size_t size) {
  if (size < BufferPool::kSmallest || Pool::Get().closed()) return false;
  return Pool::Get().Keep(memory, size);
}

void DropPooled() { Pool::Get().Drop(); }

}  // namespace leafstore::internal
