#include "leafstore/tools/files/output_files.h"

#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <mutex>
#include <new>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

#include "leafstore/core/error_reason.h"
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

// Arranges that the signals that end a program and can be waited for, unless they are ignored,
// first remove all files. Must be called before threads are started.
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

// Ends the program with a message. Needs no memory; safe in a signal handler.
[[noreturn]] void EndWith(absl::string_view message) {
  temporaries.Unlink();
  // An error of this write cannot be reported.
  while (write(STDERR_FILENO, message.data(), message.size()) < 0 && errno == EINTR) {
  }
  _exit(temporaries.crash_code);
}

void OnCrash(int number) {
  if (number == SIGBUS) {
    EndWith(
        "leafstore: a file was truncated while it was read, or its disk cannot be read; try "
        "again when no other program is writing to it\n");
  }
  temporaries.Unlink();
  signal(number, SIG_DFL);
  raise(number);
}

// Ends the program instead of throwing, because an exception can leave tables of other code
// damaged.
void OnNoMemory() {
  EndWith("leafstore: out of memory; a limit of this process (ulimit -v) may be too low\n");
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
  std::set_new_handler(OnNoMemory);
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
  return Collect({{from, to}}, {});
}

absl::Status OutputFiles::Remove(const std::string& path) {
  if (const auto removed = RemoveTemporary(PlaceOf(path))) return *removed;
  return Collect({{"", path}}, {});
}

absl::Status OutputFiles::Collect(std::vector<internal::FileChange> changes,
                                  std::vector<std::string> discarded) {
  for (internal::FileChange& change : changes) {
    const std::string to = change.path;
    if (!change.temporary.empty()) {
      LEAFSTORE_RETURN_IF_ERROR(CheckFree(to));
      change.path = FileBehind(to);
      change.temporary = PlaceOf(change.temporary);
      change.replace &= force_;
    }
    const std::lock_guard<std::mutex> lock(temporaries.mutex);
    for (const internal::FileChange& other : changes_) {
      if (other.temporary.empty() || change.temporary.empty() || other.path != change.path)
        continue;
      return absl::InvalidArgumentError(absl::StrCat(
          to, ": expected a different file for each output, found one file for two outputs"));
    }
    changes_.push_back(std::move(change));
  }
  discarded_.insert(discarded_.end(), discarded.begin(), discarded.end());
  return absl::OkStatus();
}

absl::StatusOr<int64_t> OutputFiles::SizeOf(const std::string& path) const {
  const std::string file = FileBehind(path);
  for (const internal::FileChange& change : changes_) {
    if (change.temporary.empty() || change.path != file) continue;
    LEAFSTORE_ASSIGN_OR_RETURN(const auto opened, Files().Open(change.temporary));
    return opened->size();
  }
  return absl::NotFoundError(absl::StrCat(path, ": it was not written"));
}

std::vector<std::string> OutputFiles::Removed() const {
  std::vector<std::string> removed;
  for (const internal::FileChange& change : changes_) {
    if (change.temporary.empty()) removed.push_back(change.path);
  }
  removed.insert(removed.end(), discarded_.begin(), discarded_.end());
  return removed;
}

absl::Status OutputFiles::Check() {
  for (const internal::FileChange& change : changes_) {
    if (change.temporary.empty()) continue;
    LEAFSTORE_RETURN_IF_ERROR(CheckFree(change.path));
    LEAFSTORE_RETURN_IF_ERROR(TakeModeOf(change.path, change.temporary));
  }
  return absl::OkStatus();
}

absl::Status OutputFiles::Commit() {
  // The files may have been created meanwhile.
  LEAFSTORE_RETURN_IF_ERROR(Check());
  // No signal is handled between the first and the last rename.
  const std::lock_guard<std::mutex> lock(temporaries.mutex);
  for (const internal::FileChange& change : changes_) temporaries.Forget(change.temporary);
  // If memory is exhausted, the set undoes its changes before the program ends.
  const absl::Cleanup restore = [handler = std::set_new_handler(nullptr)] {
    std::set_new_handler(handler);
  };
  internal::AtomicFileSet set({});
  for (internal::FileChange& change : changes_) set.Add(std::move(change));
  for (std::string& path : discarded_) set.Discard(std::move(path));
  changes_.clear();
  discarded_.clear();
  const absl::Status status = set.Commit();
  if (ReasonOf(status) != ErrorReason::kExists) return status;
  return WithMessage(status, absl::StrCat(status.message(), "; --force replaces it"));
}

}  // namespace leafstore::tools
