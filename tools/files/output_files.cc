#include "leafstore/tools/files/output_files.h"

#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>

#include "absl/strings/str_cat.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/tools/present/errors.h"

namespace leafstore::tools {
namespace {

FileSystem& Files() { return FileSystem::Posix(); }

// The temporary files of all OutputFiles, which must not outlive this process. Unless they say
// otherwise, functions need the mutex, which the lists of an OutputFiles need as well.
struct Registry {
  // Never freed: a signal handler may read it.
  struct File {
    std::string path;
    File* next = nullptr;
    std::atomic<bool> exists{true};
  };

  void Add(const std::string& path) { first.store(new File{path, first.load()}); }
  // Returns whether the file was one of these.
  bool Forget(const std::string& path) {
    for (File* file = first; file != nullptr; file = file->next) {
      if (file->path == path && file->exists.exchange(false)) return true;
    }
    return false;
  }
  // Removes the files. Needs no mutex; safe in a signal handler.
  void Unlink() const {
    for (const File* file = first; file != nullptr; file = file->next) {
      if (file->exists) unlink(file->path.c_str());
    }
  }

  std::mutex mutex;
  std::atomic<File*> first{nullptr};
  std::atomic<int> crash_code{1};
  sigset_t signals;
  std::once_flag guarded;
};

// Never destroyed: the thread may use it while the program ends.
Registry& temporaries = *new Registry();

[[noreturn]] void WaitForSignals() {
  int number = 0;
  while (sigwait(&temporaries.signals, &number) != 0) {
  }
  // Never unlocked, so that no other file is created.
  temporaries.mutex.lock();
  temporaries.Unlink();
  signal(number, SIG_DFL);
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, number);
  pthread_sigmask(SIG_UNBLOCK, &one, nullptr);
  kill(getpid(), number);
  for (;;) pause();
}

// Arranges that the signals that end a program and can be waited for, unless they are ignored, first
// remove all files. Must be called before threads are started.
void GuardAgainstSignals() {
  std::call_once(temporaries.guarded, [] {
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&temporaries.signals);
    for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGALRM, SIGVTALRM, SIGPROF, SIGUSR1,
                             SIGUSR2, SIGXCPU, SIGIO}) {
      struct sigaction action = {};
      if (sigaction(number, nullptr, &action) == 0 && action.sa_handler != SIG_IGN) {
        sigaddset(&temporaries.signals, number);
      }
    }
    sigset_t before;
    pthread_sigmask(SIG_BLOCK, &temporaries.signals, &before);
    try {
      std::thread(WaitForSignals).detach();
    } catch (const std::system_error&) {
      // Without the thread, a signal ends the program at once.
      pthread_sigmask(SIG_SETMASK, &before, nullptr);
    }
  });
}

void OnCrash(int number) {
  temporaries.Unlink();
  if (number == SIGBUS) {
    constexpr char kWhy[] =
        "leafstore: a file was truncated while it was read, or its disk cannot be read; try "
        "again when no other program is writing to it\n";
    // An error of this write cannot be reported.
    while (write(STDERR_FILENO, kWhy, sizeof(kWhy) - 1) < 0 && errno == EINTR) {
    }
    _exit(temporaries.crash_code);
  }
  signal(number, SIG_DFL);
  raise(number);
}

// Removes a temporary file, if it is one. Returns no value if it is not.
std::optional<absl::Status> RemoveTemporary(const std::string& path) {
  const std::lock_guard<std::mutex> lock(temporaries.mutex);
  if (!temporaries.Forget(path)) return std::nullopt;
  return Files().Remove(path);
}

absl::Status AlreadyExists(const std::string& path) {
  return absl::AlreadyExistsError(absl::StrCat(path, ": it already exists; --force replaces it"));
}

const char* KindName(mode_t mode) {
  if (S_ISDIR(mode)) return "a directory";
  if (S_ISFIFO(mode)) return "a pipe";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

// Checks that `path` is a regular file or does not exist.
absl::Status CheckRegular(const std::string& path) {
  struct stat status = {};
  if (stat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return absl::OkStatus();
    return absl::ErrnoToStatus(errno, absl::StrCat(path, ": cannot inspect it"));
  }
  if (S_ISREG(status.st_mode)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      path, ": expected a regular file to write to, or none, found ", KindName(status.st_mode)));
}

// Returns the file that a link points to, whether it exists or not; `path` if it is not a link.
std::string FileBehind(const std::string& path) {
  constexpr int kMaxLinks = 40;  // the limit of the kernel
  std::filesystem::path file = path;
  std::error_code error;
  for (int links = 0; links < kMaxLinks; ++links) {
    const std::filesystem::path next = std::filesystem::read_symlink(file, error);
    if (error) break;
    file = file.parent_path() / next;  // this is `next` if that is absolute
  }
  return file.string();
}

// Returns the name of a temporary file beside the file that a link points to.
std::string PlaceOf(const std::string& path) {
  const size_t suffix = path.rfind(".tmp-");
  if (suffix == std::string::npos) return path;
  return FileBehind(path.substr(0, suffix)) + path.substr(suffix);
}

// Sets the mode of `path` to that of the file that it will replace, if that exists.
absl::Status TakeModeOf(const std::string& replaced, const std::string& path) {
  struct stat status = {};
  if (stat(replaced.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return absl::OkStatus();
  if (chmod(path.c_str(), status.st_mode & 0777) == 0) return absl::OkStatus();
  return absl::ErrnoToStatus(errno, absl::StrCat("cannot change the mode of ", path));
}

}  // namespace

void GuardAgainstCrashes(int exit_code) {
  temporaries.crash_code = exit_code;
  for (const int number : {SIGBUS, SIGABRT}) signal(number, OnCrash);
}

OutputFiles::OutputFiles(bool force) : force_(force) { GuardAgainstSignals(); }

OutputFiles::~OutputFiles() {
  // Committed files are no longer temporary, and stay.
  for (const std::string& path : created_) RemoveTemporary(path);
}

absl::Status OutputFiles::CheckFree(const std::string& path) const {
  if (path == "-") {
    return UsageError("expected a file to write to, found '-'; a file of that name is ./-");
  }
  LEAFSTORE_RETURN_IF_ERROR(CheckRegular(path));
  struct stat status = {};
  if (!force_ && lstat(path.c_str(), &status) == 0) return AlreadyExists(path);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<WritableFile>> OutputFiles::Create(const std::string& path) {
  const std::string place = PlaceOf(path);
  absl::StatusOr<std::unique_ptr<WritableFile>> file;
  {
    const std::lock_guard<std::mutex> lock(temporaries.mutex);
    file = Files().Create(place);
    if (!file.ok()) return file;
    temporaries.Add(place);
    created_.push_back(place);
  }
  // The mode is set before any byte is written, because the bytes may be private.
  LEAFSTORE_RETURN_IF_ERROR(TakeModeOf(place.substr(0, place.rfind(".tmp-")), place));
  return file;
}

absl::Status OutputFiles::Rename(const std::string& from, const std::string& to) {
  LEAFSTORE_RETURN_IF_ERROR(CheckFree(to));
  const std::string file = FileBehind(to);
  const std::lock_guard<std::mutex> lock(temporaries.mutex);
  for (const Step& step : steps_) {
    if (step.from.empty() || step.to != file) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        to, ": expected a different file for each output, found one that two are written to"));
  }
  steps_.push_back({PlaceOf(from), file});
  // The writer syncs only the directory of `to`.
  if (file != to) directories_.insert(DirectoryOf(file));
  return absl::OkStatus();
}

absl::Status OutputFiles::Remove(const std::string& path) {
  if (const auto removed = RemoveTemporary(PlaceOf(path))) return *removed;
  const std::lock_guard<std::mutex> lock(temporaries.mutex);
  steps_.push_back({"", path});
  return absl::OkStatus();
}

absl::Status OutputFiles::SyncDirectory(const std::string& path) {
  const std::lock_guard<std::mutex> lock(temporaries.mutex);
  directories_.insert(path);
  return absl::OkStatus();
}

absl::Status OutputFiles::Run(const Step& step) {
  if (step.from.empty()) {
    absl::Status status = Files().Remove(step.to);
    return absl::IsNotFound(status) ? absl::OkStatus() : status;
  }
  if (!force_) {
    const absl::Status status = Files().RenameNew(step.from, step.to);
    return absl::IsAlreadyExists(status) ? AlreadyExists(step.to) : status;
  }
  // The target may have been created meanwhile.
  LEAFSTORE_RETURN_IF_ERROR(CheckRegular(step.to));
  LEAFSTORE_RETURN_IF_ERROR(TakeModeOf(step.to, step.from));
  return Files().Rename(step.from, step.to);
}

absl::Status OutputFiles::RunSteps() {
  for (size_t i = 0; i < steps_.size(); ++i) {
    absl::Status status = Run(steps_[i]);
    if (status.ok()) continue;
    if (!force_) {  // the earlier files of this commit are new
      for (size_t done = 0; done < i; ++done) {
        if (!steps_[done].from.empty()) Files().Remove(steps_[done].to).IgnoreError();
      }
    }
    return status;
  }
  return absl::OkStatus();
}

absl::Status OutputFiles::Commit() {
  std::set<std::string> directories;
  {
    // No signal is handled between the first rename and the last.
    const std::lock_guard<std::mutex> lock(temporaries.mutex);
    LEAFSTORE_RETURN_IF_ERROR(RunSteps());
    for (const Step& step : steps_) temporaries.Forget(step.from);
    steps_.clear();
    directories.swap(directories_);
  }
  for (const std::string& directory : directories) {
    LEAFSTORE_RETURN_IF_ERROR(Files().SyncDirectory(directory));
  }
  return absl::OkStatus();
}

}  // namespace leafstore::tools
