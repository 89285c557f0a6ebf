#include "leafstore/checkpoint/background_worker.h"

#include <system_error>
#include <utility>

namespace leafstore {

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
  return busy_;
}

bool BackgroundWorker::HaveThread() {
  if (thread_.joinable()) return true;
  try {
    thread_ = std::thread([this] { Run(); });
  } catch (const std::system_error&) {
    return false;
  }
  return true;
}

void BackgroundWorker::Start(absl::AnyInvocable<absl::Status()> work) {
  if (!HaveThread()) {
    absl::Status status = work();
    const std::lock_guard<std::mutex> lock(mutex_);
    failure_ = std::move(status);
    return;
  }
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    work_ = std::move(work);
    busy_ = true;
  }
  changed_.notify_all();
}

absl::Status BackgroundWorker::TakeFailure() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return std::exchange(failure_, absl::OkStatus());
}

absl::Status BackgroundWorker::Wait() {
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait(lock, [this] { return !busy_; });
  return std::exchange(failure_, absl::OkStatus());
}

void BackgroundWorker::Run() {
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return busy_ || stop_; });
    if (!busy_) return;
    absl::AnyInvocable<absl::Status()> work = std::exchange(work_, nullptr);
    lock.unlock();
    absl::Status status = work();
    work = nullptr;  // with all that it held
    lock.lock();
    failure_ = std::move(status);
    busy_ = false;
    changed_.notify_all();
  }
}

}  // namespace leafstore
