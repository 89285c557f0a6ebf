#include "leafstore/io/internal/parallel.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace leafstore::internal {

int ThreadsFor(int asked, int64_t bytes) {
  const int64_t useful = bytes / kBytesPerThread;
  if (useful <= 1) return 1;  // counting the processors reads a file of the system
  const int64_t most = asked > 0 ? asked : std::min(std::thread::hardware_concurrency(), 8u);
  return static_cast<int>(std::min(useful, std::max(most, int64_t{1})));
}

void ParallelFor(size_t count, int threads, absl::FunctionRef<void(size_t)> body) {
  std::atomic<size_t> next{0};
  std::mutex mutex;
  std::exception_ptr thrown;
  const auto work = [&] {
    try {
      for (size_t i = next.fetch_add(1); i < count; i = next.fetch_add(1)) body(i);
    } catch (...) {
      const std::lock_guard<std::mutex> lock(mutex);
      if (thrown == nullptr) thrown = std::current_exception();
      next.store(count);  // ends the other threads
    }
  };
  std::vector<std::jthread> others;  // joined when this returns
  const size_t wanted = std::min(static_cast<size_t>(std::max(threads, 1)), count);
  for (size_t i = 1; i < wanted; ++i) {
    try {
      others.emplace_back(work);
    } catch (const std::system_error&) {
      break;
    }
  }
  work();
  others.clear();
  if (thrown != nullptr) std::rethrow_exception(thrown);
}

}  // namespace leafstore::internal
