// FreeList: objects that are expensive to create, which the threads of a loop take and return.
//
// Threads: thread-safe.
#ifndef LEAFSTORE_CHECKPOINT_INTERNAL_FREE_LIST_H_
#define LEAFSTORE_CHECKPOINT_INTERNAL_FREE_LIST_H_

#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace leafstore::internal {

template <typename T>
class FreeList {
 public:
  // Returns an object that was returned before, if any.
  std::optional<T> Take() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (free_.empty()) return std::nullopt;
    std::optional<T> taken = std::move(free_.back());
    free_.pop_back();
    return taken;
  }
  void Give(T object) {
    const std::lock_guard<std::mutex> lock(mutex_);
    free_.push_back(std::move(object));
  }

 private:
  std::mutex mutex_;
  std::vector<T> free_;
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_CHECKPOINT_INTERNAL_FREE_LIST_H_
