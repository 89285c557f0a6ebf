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
struct Pool {
  // Never destroyed: buffers may be freed after main returns.
  static Pool& Get() {
    static Pool* const pool = new Pool();
    return *pool;
  }

  // Sizes mostly differ by at least the alignment.
  Kept*& ListOf(size_t size) { return lists[size / kBufferAlignment % lists.size()]; }

  void* Unlink(Kept** at) {
    Kept* const kept = *at;
    *at = kept->next;
    held -= static_cast<int64_t>(kept->size);
    ASAN_UNPOISON_MEMORY_REGION(kept, kept->size);
    return kept;
  }

  // Frees the first entries of each list while more than `most` bytes are held and their size is
  // not `but`.
  void FreeDownTo(int64_t most, size_t but = 0) {
    for (size_t i = 0; i < lists.size() && held > most; ++i) {
      Kept*& list = lists[i];
      while (held > most && list != nullptr && list->size != but) std::free(Unlink(&list));
    }
  }

  void ChangeLimit(int64_t by) {
    const std::lock_guard<std::mutex> lock(mutex);
    limit += by;
    FreeDownTo(limit);
  }

  std::mutex mutex;  // guards all below; the counts are also read without it
  std::atomic<int64_t> limit{0};
  std::atomic<int64_t> held{0};
  std::array<Kept*, 1024> lists = {};
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

int64_t BufferPool::held_bytes() { return Pool::Get().held; }

// Most calls return early, without the lock.
void* TakePooled(size_t size) {
  if (size < BufferPool::kSmallest || Pool::Get().held == 0) return nullptr;
  Pool& pool = Pool::Get();
  const std::lock_guard<std::mutex> lock(pool.mutex);
  Kept** at = &pool.ListOf(size);
  while (*at != nullptr && (*at)->size != size) at = &(*at)->next;
  return *at == nullptr ? nullptr : pool.Unlink(at);
}

bool KeepPooled(void* memory, size_t size) {
  if (size < BufferPool::kSmallest || Pool::Get().limit == 0) return false;
  Pool& pool = Pool::Get();
  const std::lock_guard<std::mutex> lock(pool.mutex);
  const int64_t room = pool.limit - static_cast<int64_t>(size);
  if (room < 0) return false;
  // Releases memory of other sizes, which a previous model used. An entry of this size keeps those
  // behind it in its list, so that the time of a call does not depend on how much is kept.
  pool.FreeDownTo(room, size);
  if (pool.held > room) return false;
  Kept*& list = pool.ListOf(size);
  list = new (memory) Kept{list, size};
  pool.held += static_cast<int64_t>(size);
  ASAN_POISON_MEMORY_REGION(list + 1, size - sizeof(Kept));
  return true;
}

void DropPooled() {
  Pool& pool = Pool::Get();
  const std::lock_guard<std::mutex> lock(pool.mutex);
  pool.FreeDownTo(0);
}

}  // namespace leafstore::internal
