// Lazy: a value that is made when it is first asked for, by whichever thread asks first; the
// others wait for it. For the library alone.
//
//   Lazy<PathTable> table;
//   const PathTable& made = table.Get([&] { return TableOf(paths); });
//
// Where making it throws, so does the call, and the next one tries again; so it does where TryGet
// gave an error. Once it is made, a call is one load.
//
// Why not absl::call_once: a callback that throws leaves its flag locked for ever; and who waits is
// waiting inside Abseil's library, which ThreadSanitizer does not see into, and would find races in
// what leafstore's users do.
//
// Threads: safe.
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

  // The value; make() gives it if there is none yet, and must not ask for it. Valid while this
  // lives.
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

  // The same where make() gives an absl::StatusOr<T>. error: make()'s.
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
  std::atomic<const T*> made_ = nullptr;  // once it is made, the value
  std::mutex mutex_;
  std::optional<T> value_;  // written under the mutex, once
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_CORE_INTERNAL_LAZY_H_
