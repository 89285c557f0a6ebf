// BackgroundWorker: a thread that does one piece of work at a time, whose failure waits to be
// asked for. For checkpoint/ alone.
//
//   BackgroundWorker worker;
//   worker.Start([] { return absl::OkStatus(); });
//   absl::Status failure = worker.Wait();
//
// Threads: calls from one thread at a time.
#ifndef LEAFSTORE_CHECKPOINT_BACKGROUND_WORKER_H_
#define LEAFSTORE_CHECKPOINT_BACKGROUND_WORKER_H_

#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"

namespace leafstore {

class BackgroundWorker {
 public:
  BackgroundWorker() = default;
  // Waits for the work that is running.
  ~BackgroundWorker();
  BackgroundWorker(const BackgroundWorker&) = delete;
  BackgroundWorker& operator=(const BackgroundWorker&) = delete;

  bool busy() const;
  // Begins the work; none may be running. The first call starts the thread; where the system has no
  // more to give, the work is done before this returns.
  void Start(absl::AnyInvocable<absl::Status()> work);
  // The error of work that has ended, once; OK where there was none, or it has been asked for.
  absl::Status TakeFailure();
  // Returns when no work is running; the error as TakeFailure.
  absl::Status Wait();

 private:
  bool HaveThread();
  void Run();
  bool idle() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !busy_; }
  bool awake() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return busy_ || stop_; }

  mutable absl::Mutex mutex_;
  absl::AnyInvocable<absl::Status()> work_ ABSL_GUARDED_BY(mutex_);  // that is to begin
  bool busy_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace leafstore

#endif  // LEAFSTORE_CHECKPOINT_BACKGROUND_WORKER_H_
