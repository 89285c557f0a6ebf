#include "leafstore/tools/files/output_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/tools/files/temporary_files.h"
#include "leafstore/tools/present/errors.h"

namespace leafstore::tools {
namespace {

FileSystem& Files() { return FileSystem::Posix(); }

absl::Status ThereAlready(const std::string& path) {
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
    return absl::ErrnoToStatus(errno, absl::StrCat(path, ": cannot look at what is there"));
  }
  if (S_ISREG(status.st_mode)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      path, ": expected a regular file to write to, or none, found ", KindName(status.st_mode)));
}

// Returns the file that a link points to, whether it exists or not; `path` if it is not a link.
std::string FileBehind(const std::string& path) {
  constexpr int kMostLinks = 40;  // the limit of the kernel
  std::filesystem::path file = path;
  std::error_code error;
  for (int links = 0; links < kMostLinks; ++links) {
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

// Renames without replacing.
absl::Status RenameToFree(const std::string& from, const std::string& to) {
  if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) {
    return absl::OkStatus();
  }
  if (errno == EEXIST) return ThereAlready(to);
  // Some file systems do not support this; link() does not replace either.
  if (errno == EINVAL || errno == ENOSYS) {
    if (link(from.c_str(), to.c_str()) == 0) return Files().Remove(from);
    if (errno == EEXIST) return ThereAlready(to);
    struct stat status = {};
    if (lstat(to.c_str(), &status) == 0) return ThereAlready(to);
  }
  return Files().Rename(from, to);
}

}  // namespace

OutputFiles::OutputFiles(bool force) : force_(force) { TemporaryFiles::GuardAgainstSignals(); }

OutputFiles::~OutputFiles() {
  // Committed files are no longer temporary, and stay.
  for (const std::string& path : created_) TemporaryFiles::Remove(path).IgnoreError();
}

absl::Status OutputFiles::CheckFree(const std::string& path) const {
  if (path == "-") {
    return UsageError("expected a file to write to, found '-', which is no name of one; ./- is");
  }
  LEAFSTORE_RETURN_IF_ERROR(CheckRegular(path));
  struct stat status = {};
  if (!force_ && lstat(path.c_str(), &status) == 0) return ThereAlready(path);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<WritableFile>> OutputFiles::Create(const std::string& path) {
  const std::string place = PlaceOf(path);
  absl::StatusOr<std::unique_ptr<WritableFile>> file = TemporaryFiles::Create(place);
  if (!file.ok()) return file;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    created_.push_back(place);
  }
  // The mode is set before any byte is written, because the bytes may be private.
  LEAFSTORE_RETURN_IF_ERROR(TakeModeOf(place.substr(0, place.rfind(".tmp-")), place));
  return file;
}

absl::StatusOr<std::unique_ptr<ReadableFile>> OutputFiles::Open(const std::string& path) {
  return Files().Open(path);
}

absl::Status OutputFiles::Rename(const std::string& from, const std::string& to) {
  LEAFSTORE_RETURN_IF_ERROR(CheckFree(to));
  const std::string file = FileBehind(to);
  const std::lock_guard<std::mutex> lock(mutex_);
  for (const Step& step : steps_) {
    if (step.from.empty() || step.to != file) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        to, ": expected a file of its own, found one that another output is written to as well"));
  }
  steps_.push_back({PlaceOf(from), file});
  // The writer syncs only the directory of `to`.
  if (file != to) directories_.push_back(DirectoryOf(file));
  return absl::OkStatus();
}

absl::Status OutputFiles::Remove(const std::string& path) {
  const std::string place = PlaceOf(path);
  if (TemporaryFiles::Knows(place)) return TemporaryFiles::Remove(place);
  const std::lock_guard<std::mutex> lock(mutex_);
  steps_.push_back({"", path});
  return absl::OkStatus();
}

absl::Status OutputFiles::SyncDirectory(const std::string& path) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (std::find(directories_.begin(), directories_.end(), path) == directories_.end()) {
    directories_.push_back(path);
  }
  return absl::OkStatus();
}

absl::Status OutputFiles::CreateDirectory(const std::string& path) {
  return Files().CreateDirectory(path);
}

absl::StatusOr<std::shared_ptr<void>> OutputFiles::Lock(const std::string& path) {
  return Files().Lock(path);
}

absl::StatusOr<std::vector<std::string>> OutputFiles::List(const std::string& path) {
  return Files().List(path);
}

absl::Status OutputFiles::Take(const Step& step) {
  if (step.from.empty()) {
    absl::Status status = Files().Remove(step.to);
    return absl::IsNotFound(status) ? absl::OkStatus() : status;
  }
  if (!force_) return RenameToFree(step.from, step.to);
  // The target may have been created meanwhile.
  LEAFSTORE_RETURN_IF_ERROR(CheckRegular(step.to));
  LEAFSTORE_RETURN_IF_ERROR(TakeModeOf(step.to, step.from));
  return Files().Rename(step.from, step.to);
}

absl::Status OutputFiles::RunSteps() {
  for (size_t i = 0; i < steps_.size(); ++i) {
    absl::Status status = Take(steps_[i]);
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
  const std::lock_guard<std::mutex> lock(mutex_);
  std::vector<std::string> temporaries;
  for (const Step& step : steps_) {
    if (!step.from.empty()) temporaries.push_back(step.from);
  }
  // No signal is handled between the first rename and the last.
  LEAFSTORE_RETURN_IF_ERROR(TemporaryFiles::Release(temporaries, [this] { return RunSteps(); }));
  steps_.clear();
  for (const std::string& directory : directories_) {
    LEAFSTORE_RETURN_IF_ERROR(Files().SyncDirectory(directory));
  }
  directories_.clear();
  return absl::OkStatus();
}

}  // namespace leafstore::tools
