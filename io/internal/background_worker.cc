#include "leafstore/io/internal/background_worker.h"

#include <pthread.h>
#include <sched.h>

#include <exception>
#include <new>
#include <system_error>
#include <utility>

namespace leafstore::internal {

BackgroundWorker::~BackgroundWorker() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

bool BackgroundWorker::busy() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return left_ > 0;
}

bool BackgroundWorker::StartThread() {
  if (thread_.joinable()) return true;
  try {
    thread_ = std::thread([this] { Run(); });
  } catch (const std::system_error&) {
    return false;
  }
  return true;
}

// An exception that leaves a thread would terminate the process. So creating an error must not
// throw either if memory is exhausted.
absl::Status BackgroundWorker::Do(absl::AnyInvocable<absl::Status()>& work) const noexcept {
  try {
    try {
      return work();
    } catch (const std::bad_alloc&) {
      return no_memory_;
    } catch (const std::exception& thrown) {
      return absl::InternalError(thrown.what());
    } catch (...) {
      return absl::InternalError("a background task threw something that is not a std::exception");
    }
  } catch (const std::bad_alloc&) {
    return no_memory_;
  }
}

void BackgroundWorker::Start(absl::AnyInvocable<absl::Status()> work) {
  if (!StartThread()) {
    absl::Status status = Do(work);
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!status.ok()) failure_ = std::move(status);
    return;
  }
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    waiting_.push_back(std::move(work));
    ++left_;
  }
  changed_.notify_all();
}

absl::Status BackgroundWorker::TakeFailure() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return std::exchange(failure_, absl::OkStatus());
}

absl::Status BackgroundWorker::Wait(size_t left) {
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait(lock, [this, left] { return left_ <= left; });
  return std::exchange(failure_, absl::OkStatus());
}

void BackgroundWorker::Run() {
  // Lets the thread that starts a task continue first: a SCHED_BATCH thread that wakes up does not
  // preempt a running thread, which it otherwise may, for milliseconds. Threads that it starts
  // inherit this. If the system refuses, only this benefit is lost.
  const sched_param no_priority{};
  pthread_setschedparam(pthread_self(), SCHED_BATCH, &no_priority);
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return !waiting_.empty() || stop_; });
    if (waiting_.empty()) return;
    absl::AnyInvocable<absl::Status()> work = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    absl::Status status = Do(work);
    work = nullptr;                                         // releases everything that it holds
    std::list<absl::AnyInvocable<absl::Status()>> dropped;  // an empty list takes no memory
    lock.lock();
    if (!status.ok()) {
      failure_ = std::move(status);
      dropped.swap(waiting_);
    }
    left_ = waiting_.size();
    changed_.notify_all();
  }
}

}  // namespace leafstore::internal
