// Progress: counts bytes that have been written or checked, and reports them after every few MiB
// and at the end.
//
// Threads: calls are thread-safe.
#ifndef LEAFSTORE_IO_INTERNAL_PROGRESS_H_
#define LEAFSTORE_IO_INTERNAL_PROGRESS_H_

#include <cstdint>
#include <functional>
#include <mutex>

namespace leafstore::internal {

class Progress {
 public:
  using Function = std::function<void(int64_t done, int64_t total)>;  // IoOptions::progress

  // `tell`, which may be null, must outlive this object.
  Progress(const Function& tell, int64_t total) : tell_(tell), total_(total) {}

  void SetTotal(int64_t total) { total_ = total; }
  // Counts more bytes. Reports them if they are many.
  void Add(int64_t bytes) { Report(bytes, kStep); }
  // Reports the bytes that have not been reported yet. Call it after the last Add.
  void Finish() { Report(0, 1); }

 private:
  static constexpr int64_t kStep = int64_t{4} << 20;

  // Counts more bytes, and reports if at least `least` have been counted since the last report.
  void Report(int64_t bytes, int64_t least) {
    if (!tell_) return;
    const std::lock_guard<std::mutex> lock(mutex_);
    done_ += bytes;
    if (done_ - told_ < least) return;
    told_ = done_;
    tell_(done_, total_);
  }

  const Function& tell_;
  int64_t total_;
  std::mutex mutex_;
  int64_t done_ = 0;
  int64_t told_ = 0;
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_IO_INTERNAL_PROGRESS_H_
