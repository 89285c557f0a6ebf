// BackgroundWorker: a thread that runs tasks one after another and keeps the first failure.
//
//   BackgroundWorker worker;
//   worker.Start([] { return absl::OkStatus(); });
//   absl::Status failure = worker.Wait();
//
// Tasks run in the order in which they were started. When a task fails, the tasks that wait after
// it are dropped.
//
// Threads: calls from one thread at a time.
#ifndef LEAFSTORE_IO_INTERNAL_BACKGROUND_WORKER_H_
#define LEAFSTORE_IO_INTERNAL_BACKGROUND_WORKER_H_

#include <condition_variable>
#include <cstddef>
#include <list>
#include <mutex>
#include <thread>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"

namespace leafstore::internal {

class BackgroundWorker {
 public:
  BackgroundWorker() = default;
  // Waits for all tasks.
  ~BackgroundWorker();
  BackgroundWorker(const BackgroundWorker&) = delete;
  BackgroundWorker& operator=(const BackgroundWorker&) = delete;

  // Returns whether a task is running or waiting.
  bool busy() const;
  // Starts the thread if it is not running yet, which takes a while. Returns whether it runs now.
  bool StartThread();
  // Runs `work` after all earlier tasks. Starts the thread if needed; if the system cannot start a
  // thread, runs `work` before this returns. An exception is a failure of the task:
  // ResourceExhausted for std::bad_alloc, otherwise Internal.
  void Start(absl::AnyInvocable<absl::Status()> work);
  // Returns the error of a finished task, once. OK if no task failed or the error was returned
  // before.
  absl::Status TakeFailure();
  // Waits until at most `left` tasks are running or waiting. Returns the error like TakeFailure.
  absl::Status Wait(size_t left = 0);

 private:
  absl::Status Do(absl::AnyInvocable<absl::Status()>& work) const noexcept;
  void Run();

  // Not absl::Mutex: ThreadSanitizer does not instrument that library, and would report races for
  // everything that is passed between the threads.
  mutable std::mutex mutex_;         // guards everything except thread_
  std::condition_variable changed_;  // left_ or stop_
  std::list<absl::AnyInvocable<absl::Status()>> waiting_;
  size_t left_ = 0;  // tasks that are waiting or running
  absl::Status failure_;
  bool stop_ = false;
  // Created in advance, because it is needed when memory is exhausted.
  const absl::Status no_memory_ = absl::ResourceExhaustedError("no memory for a background task");
  std::thread thread_;
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_IO_INTERNAL_BACKGROUND_WORKER_H_
