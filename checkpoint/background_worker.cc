#include "leafstore/checkpoint/background_worker.h"

#include <system_error>
#include <utility>

namespace leafstore {

BackgroundWorker::~BackgroundWorker() {
  {
    absl::MutexLock lock(&mutex_);
    stop_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

bool BackgroundWorker::busy() const {
  absl::MutexLock lock(&mutex_);
  return !idle();
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
    absl::MutexLock lock(&mutex_);
    failure_ = std::move(status);
    return;
  }
  absl::MutexLock lock(&mutex_);
  work_ = std::move(work);
  busy_ = true;
}

absl::Status BackgroundWorker::TakeFailure() {
  absl::MutexLock lock(&mutex_);
  return std::exchange(failure_, absl::OkStatus());
}

absl::Status BackgroundWorker::Wait() {
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(this, &BackgroundWorker::idle));
  return std::exchange(failure_, absl::OkStatus());
}

void BackgroundWorker::Run() {
  absl::MutexLock lock(&mutex_);
  for (;;) {
    mutex_.Await(absl::Condition(this, &BackgroundWorker::awake));
    if (!busy_) return;
    absl::AnyInvocable<absl::Status()> work = std::exchange(work_, nullptr);
    mutex_.Unlock();
    absl::Status status = work();
    work = nullptr;  // with all that it held
    mutex_.Lock();
    failure_ = std::move(status);
    busy_ = false;
  }
}

}  // namespace leafstore
