#include "leafstore/tools/temporary_files.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <mutex>
#include <set>
#include <system_error>
#include <thread>

#include "leafstore/core/status_macros.h"

namespace leafstore::tools {

struct TemporaryFiles::Registry {
  std::mutex mutex;
  std::set<std::string> paths;
  sigset_t signals;
  std::once_flag guarded;
};

TemporaryFiles::Registry& TemporaryFiles::registry() {
  // Never destroyed: the thread may look at it while the program ends.
  static Registry* const registry = new Registry();
  return *registry;
}

void TemporaryFiles::WaitForSignals() {
  Registry& known = registry();
  int number = 0;
  while (sigwait(&known.signals, &number) != 0) {
  }
  // Held for ever: nobody makes another file.
  known.mutex.lock();
  for (const std::string& path : known.paths) unlink(path.c_str());
  signal(number, SIG_DFL);
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, number);
  pthread_sigmask(SIG_UNBLOCK, &one, nullptr);
  kill(getpid(), number);
  for (;;) pause();
}

void TemporaryFiles::GuardAgainstSignals() {
  Registry& known = registry();
  std::call_once(known.guarded, [&known] {
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&known.signals);
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
      struct sigaction action = {};
      if (sigaction(number, nullptr, &action) == 0 && action.sa_handler != SIG_IGN) {
        sigaddset(&known.signals, number);
      }
    }
    sigset_t before;
    pthread_sigmask(SIG_BLOCK, &known.signals, &before);
    try {
      std::thread(WaitForSignals).detach();
    } catch (const std::system_error&) {
      // Without a thread, a signal ends the program at once, as ever.
      pthread_sigmask(SIG_SETMASK, &before, nullptr);
    }
  });
}

absl::StatusOr<std::unique_ptr<WritableFile>> TemporaryFiles::Create(const std::string& path) {
  Registry& known = registry();
  const std::lock_guard<std::mutex> lock(known.mutex);
  absl::StatusOr<std::unique_ptr<WritableFile>> file = FileSystem::Posix().Create(path);
  if (file.ok()) known.paths.insert(path);
  return file;
}

absl::Status TemporaryFiles::Remove(const std::string& path) {
  Registry& known = registry();
  const std::lock_guard<std::mutex> lock(known.mutex);
  if (known.paths.erase(path) == 0) return absl::OkStatus();
  return FileSystem::Posix().Remove(path);
}

bool TemporaryFiles::Knows(const std::string& path) {
  Registry& known = registry();
  const std::lock_guard<std::mutex> lock(known.mutex);
  return known.paths.count(path) > 0;
}

absl::Status TemporaryFiles::Release(const std::vector<std::string>& paths,
                                     absl::FunctionRef<absl::Status()> put_into_place) {
  Registry& known = registry();
  const std::lock_guard<std::mutex> lock(known.mutex);
  LEAFSTORE_RETURN_IF_ERROR(put_into_place());
  for (const std::string& path : paths) known.paths.erase(path);
  return absl::OkStatus();
}

}  // namespace leafstore::tools
