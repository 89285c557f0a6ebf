#include "leafstore/core/buffer_pool.h"

#include <atomic>
#include <cstdlib>
#include <mutex>
#include <vector>

#include "absl/base/config.h"
#include "absl/container/flat_hash_map.h"

#ifdef ABSL_HAVE_ADDRESS_SANITIZER
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#endif

namespace leafstore {
namespace {

class Pool {
 public:
  // Never destroyed: buffers may be dropped as late as after main.
  static Pool& Get() {
    static Pool* const pool = new Pool();
    return *pool;
  }

  // Without the lock, for those who need not come in: whether anything is or may be kept.
  bool empty() const { return held_.load(std::memory_order_relaxed) == 0; }
  bool closed() const { return limit_.load(std::memory_order_relaxed) == 0; }
  int64_t held() const { return held_.load(std::memory_order_relaxed); }

  void ChangeLimit(int64_t by) {
    const std::lock_guard<std::mutex> lock(mutex_);
    limit_.store(limit_.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
    Trim(limit_.load(std::memory_order_relaxed));
  }

  void* Take(size_t size) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = by_size_.find(size);
    if (found == by_size_.end() || found->second.empty()) return nullptr;
    void* const memory = found->second.back();
    found->second.pop_back();
    AddHeld(-static_cast<int64_t>(size));
    ASAN_UNPOISON_MEMORY_REGION(memory, size);
    return memory;
  }

  bool Keep(void* memory, size_t size) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (held() + static_cast<int64_t>(size) > limit_.load(std::memory_order_relaxed)) return false;
    by_size_[size].push_back(memory);
    AddHeld(static_cast<int64_t>(size));
    ASAN_POISON_MEMORY_REGION(memory, size);
    return true;
  }

  void Drop() {
    const std::lock_guard<std::mutex> lock(mutex_);
    Trim(0);
  }

 private:
  void AddHeld(int64_t bytes) { held_.store(held() + bytes, std::memory_order_relaxed); }

  void Trim(int64_t most) {
    for (auto& [size, kept] : by_size_) {
      while (held() > most && !kept.empty()) {
        ASAN_UNPOISON_MEMORY_REGION(kept.back(), size);
        std::free(kept.back());
        kept.pop_back();
        AddHeld(-static_cast<int64_t>(size));
      }
    }
    if (held() == 0) by_size_.clear();
  }

  std::mutex mutex_;  // of all below; the numbers are read without it too
  std::atomic<int64_t> limit_{0};
  std::atomic<int64_t> held_{0};
  absl::flat_hash_map<size_t, std::vector<void*>> by_size_;
};

}  // namespace

BufferPool::Reservation::~Reservation() {
  if (bytes_ != 0) Pool::Get().ChangeLimit(-bytes_);
}

BufferPool::Reservation BufferPool::Keep(int64_t bytes) {
  Pool::Get().ChangeLimit(bytes);
  return Reservation(bytes);
}

int64_t BufferPool::held_bytes() { return Pool::Get().held(); }

namespace internal {

void* TakePooled(size_t size) {
  if (size < BufferPool::kSmallest || Pool::Get().empty()) return nullptr;
  return Pool::Get().Take(size);
}

bool KeepPooled(void* memory, size_t size) {
  if (size < BufferPool::kSmallest || Pool::Get().closed()) return false;
  return Pool::Get().Keep(memory, size);
}

void DropPooled() { Pool::Get().Drop(); }

}  // namespace internal
}  // namespace leafstore
