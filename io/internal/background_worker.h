// BackgroundWorker: a thread that does one piece of work after another, whose failure waits to be
// asked for. For checkpoint/ alone.
//
//   BackgroundWorker worker;
//   worker.Start([] { return absl::OkStatus(); });
//   absl::Status failure = worker.Wait();
//
// Work that is begun while other work runs waits for its turn. When a piece fails, what waits
// behind it is dropped.
//
// Threads: calls from one thread at a time.
#ifndef LEAFSTORE_IO_INTERNAL_BACKGROUND_WORKER_H_
#define LEAFSTORE_IO_INTERNAL_BACKGROUND_WORKER_H_

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <thread>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"

namespace leafstore::internal {

class BackgroundWorker {
 public:
  BackgroundWorker() = default;
  // Waits for all work.
  ~BackgroundWorker();
  BackgroundWorker(const BackgroundWorker&) = delete;
  BackgroundWorker& operator=(const BackgroundWorker&) = delete;

  // Whether any work is running or waiting.
  bool busy() const;
  // Starts the thread, if there is none yet, which takes a while. Whether there is one now.
  bool StartThread();
  // Begins the work, after what was begun before. Where there is no thread it is started; where the
  // system has no more to give, the work is done before this returns. An exception is its failure:
  // ResourceExhausted for std::bad_alloc, otherwise Internal.
  void Start(absl::AnyInvocable<absl::Status()> work);
  // The error of work that has ended, once; OK where there was none, or it has been asked for.
  absl::Status TakeFailure();
  // Returns when no more than `left` pieces of work are running or waiting; the error as
  // TakeFailure.
  absl::Status Wait(size_t left = 0);

 private:
  static absl::Status Do(absl::AnyInvocable<absl::Status()>& work);
  void Run();

  // Not Abseil's: ThreadSanitizer does not see into that library, and would find races in all that
  // is handed from one thread to the other.
  mutable std::mutex mutex_;         // of all but the thread itself
  std::condition_variable changed_;  // left_ or stop_
  std::deque<absl::AnyInvocable<absl::Status()>> waiting_;
  size_t left_ = 0;  // what waits, and what runs
  absl::Status failure_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_IO_INTERNAL_BACKGROUND_WORKER_H_
