#include "leafstore/tools/files/temporary_files.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <map>
#include <mutex>
#include <system_error>
#include <thread>

#include "leafstore/core/status_macros.h"

namespace leafstore::tools {

struct TemporaryFiles::Registry {
  // Never freed: a signal handler may read it.
  struct File {
    std::string path;
    File* next = nullptr;
    std::atomic<bool> there{true};
  };

  void Add(const std::string& path) {
    if (const auto at = files.find(path); at != files.end()) {
      at->second->there = true;
      return;
    }
    File* const file = new File{path, first.load()};
    files.emplace(path, file);
    first.store(file);
  }
  bool Has(const std::string& path) const {
    const auto at = files.find(path);
    return at != files.end() && at->second->there;
  }
  void Forget(const std::string& path) {
    if (const auto at = files.find(path); at != files.end()) at->second->there = false;
  }
  // Removes the files. Needs no lock; safe in a signal handler.
  void Unlink() const {
    for (const File* file = first.load(); file != nullptr; file = file->next) {
      if (file->there) unlink(file->path.c_str());
    }
  }

  std::mutex mutex;
  std::map<std::string, File*> files;
  std::atomic<File*> first{nullptr};
  std::atomic<int> crash_code{1};
  sigset_t signals;
  std::once_flag guarded;
};

TemporaryFiles::Registry& TemporaryFiles::registry() {
  // Never destroyed: the thread may use it while the program ends.
  static Registry* const registry = new Registry();
  return *registry;
}

void TemporaryFiles::WaitForSignals() {
  Registry& known = registry();
  int number = 0;
  while (sigwait(&known.signals, &number) != 0) {
  }
  // Never unlocked, so that no other file is created.
  known.mutex.lock();
  known.Unlink();
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
    for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGALRM, SIGVTALRM, SIGPROF, SIGUSR1,
                             SIGUSR2, SIGXCPU, SIGIO}) {
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
      // Without the thread, a signal ends the program at once.
      pthread_sigmask(SIG_SETMASK, &before, nullptr);
    }
  });
}

void TemporaryFiles::OnCrash(int number) {
  registry().Unlink();
  if (number == SIGBUS) {
    constexpr char kWhy[] =
        "leafstore: a file was truncated while it was read, or its disk cannot be read; try "
        "again when no program writes to it\n";
    // An error of this write cannot be reported.
    while (write(STDERR_FILENO, kWhy, sizeof(kWhy) - 1) < 0 && errno == EINTR) {
    }
    _exit(registry().crash_code);
  }
  signal(number, SIG_DFL);
  raise(number);
}

void TemporaryFiles::GuardAgainstCrashes(int exit_code) {
  registry().crash_code = exit_code;
  for (const int number : {SIGBUS, SIGABRT}) signal(number, OnCrash);
}

absl::StatusOr<std::unique_ptr<WritableFile>> TemporaryFiles::Create(const std::string& path) {
  Registry& known = registry();
  const std::lock_guard<std::mutex> lock(known.mutex);
  absl::StatusOr<std::unique_ptr<WritableFile>> file = FileSystem::Posix().Create(path);
  if (file.ok()) known.Add(path);
  return file;
}

absl::Status TemporaryFiles::Remove(const std::string& path) {
  Registry& known = registry();
  const std::lock_guard<std::mutex> lock(known.mutex);
  if (!known.Has(path)) return absl::OkStatus();
  known.Forget(path);
  return FileSystem::Posix().Remove(path);
}

bool TemporaryFiles::Knows(const std::string& path) {
  Registry& known = registry();
  const std::lock_guard<std::mutex> lock(known.mutex);
  return known.Has(path);
}

absl::Status TemporaryFiles::Release(const std::vector<std::string>& paths,
                                     absl::FunctionRef<absl::Status()> put_into_place) {
  Registry& known = registry();
  const std::lock_guard<std::mutex> lock(known.mutex);
  LEAFSTORE_RETURN_IF_ERROR(put_into_place());
  for (const std::string& path : paths) known.Forget(path);
  return absl::OkStatus();
}

}  // namespace leafstore::tools
