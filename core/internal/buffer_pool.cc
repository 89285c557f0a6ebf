#include "leafstore/core/internal/buffer_pool.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <mutex>

#include "absl/base/config.h"

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

  // Read without the lock, so that most calls return early: whether anything is or may be kept.
  bool empty() const { return held() == 0; }
  bool closed() const { return limit() == 0; }
  int64_t held() const { return held_.load(std::memory_order_relaxed); }

  void ChangeLimit(int64_t by) {
    const std::lock_guard<std::mutex> lock(mutex_);
    limit_.store(limit() + by, std::memory_order_relaxed);
    for (Kept*& list : lists_) FreeDownTo(limit(), kNoSize, &list);
  }

  void* Take(size_t size) {
    const std::lock_guard<std::mutex> lock(mutex_);
    Kept** at = &ListOf(size);
    while (*at != nullptr && (*at)->size != size) at = &(*at)->next;
    return *at == nullptr ? nullptr : Unlink(at);
  }

  bool Keep(void* memory, size_t size) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const int64_t room = limit() - static_cast<int64_t>(size);
    if (room < 0) return false;
    // Releases memory of other sizes, which a previous model used. Only the first entry of each
    // list is considered, so that the time of a call does not depend on how much is kept.
    for (size_t i = 0; i < lists_.size() && held() > room; ++i) FreeDownTo(room, size, &lists_[i]);
    if (held() > room) return false;
    Kept*& list = ListOf(size);
    list = new (memory) Kept{list, size};
    held_.store(held() + static_cast<int64_t>(size), std::memory_order_relaxed);
    ASAN_POISON_MEMORY_REGION(list + 1, size - sizeof(Kept));
    return true;
  }

  void Drop() {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (Kept*& list : lists_) FreeDownTo(0, kNoSize, &list);
  }

 private:
  int64_t limit() const { return limit_.load(std::memory_order_relaxed); }
  Kept*& ListOf(size_t size) { return lists_[size / kBufferPoolUnit % lists_.size()]; }

  void* Unlink(Kept** at) {
    Kept* const kept = *at;
    *at = kept->next;
    held_.store(held() - static_cast<int64_t>(kept->size), std::memory_order_relaxed);
    ASAN_UNPOISON_MEMORY_REGION(kept, kept->size);
    return kept;
  }

  // Frees the first entry of a list while more than `most` bytes are held and its size is not
  // `but`.
  void FreeDownTo(int64_t most, size_t but, Kept** list) {
    while (held() > most && *list != nullptr && (*list)->size != but) std::free(Unlink(list));
  }

  static constexpr size_t kNoSize = 0;
  static constexpr size_t kBufferPoolUnit = 64;  // sizes mostly differ by at least the alignment

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
  if (size < BufferPool::kSmallest || Pool::Get().empty()) return nullptr;
  return Pool::Get().Take(size);
}

bool KeepPooled(void* memory, size_t size) {
  if (size < BufferPool::kSmallest || Pool::Get().closed()) return false;
  return Pool::Get().Keep(memory, size);
}

void DropPooled() { Pool::Get().Drop(); }

}  // namespace leafstore::internal
