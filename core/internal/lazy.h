// Lazy: a value that the first call of Get makes; calls on other threads wait for it.
//
//   Lazy<PathTable> table;
//   const PathTable& made = table.Get([&] { return TableOf(paths); });
//
// If make() throws or returns an error, so does the call, and the next call tries again. Once the
// value exists, a call costs one atomic load.
//
// Why not absl::call_once: a callback that throws leaves its flag locked forever; and threads wait
// inside Abseil's library, which ThreadSanitizer does not instrument, so it would report false
// races in programs that use leafstore.
//
// Threads: thread-safe.
#ifndef LEAFSTORE_CORE_INTERNAL_LAZY_H_
#define LEAFSTORE_CORE_INTERNAL_LAZY_H_

#include <atomic>
#include <mutex>
#include <optional>
#include <utility>

#include "absl/status/statusor.h"

namespace leafstore::internal {

template <typename T>
class Lazy {
 public:
  Lazy() = default;
  Lazy(const Lazy&) = delete;
  Lazy& operator=(const Lazy&) = delete;

  // Returns the value; makes it with make() if none exists yet. make() must not call Get on this
  // object. Valid while this object lives.
  template <typename Make>
  const T& Get(const Make& make) {
    if (const T* made = made_.load(std::memory_order_acquire)) return *made;
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!value_) {
      value_.emplace(make());
      made_.store(&*value_, std::memory_order_release);
    }
    return *value_;
  }

  // Like Get, for a make() that returns an absl::StatusOr<T>. Errors: those of make().
  template <typename Make>
  absl::StatusOr<const T*> TryGet(const Make& make) {
    if (const T* made = made_.load(std::memory_order_acquire)) return made;
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!value_) {
      absl::StatusOr<T> made = make();
      if (!made.ok()) return made.status();
      value_.emplace(*std::move(made));
      made_.store(&*value_, std::memory_order_release);
    }
    return &*value_;
  }

 private:
  std::atomic<const T*> made_ = nullptr;  // points to the value once it exists
  std::mutex mutex_;
  std::optional<T> value_;  // written under the mutex, once
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_CORE_INTERNAL_LAZY_H_
