#include "leafstore/io/file_system.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <mutex>
#include <optional>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"

#include "leafstore/core/error_reason.h"
#include "leafstore/core/status_macros.h"

namespace leafstore {
namespace {

#ifndef MADV_POPULATE_READ  // since Linux 5.14
#define MADV_POPULATE_READ 22
#endif

// The limit of one read or write in Linux, a page less than 2 GiB.
constexpr size_t kMaxAtOnce = size_t{1} << 30;

absl::Status Failed(absl::string_view what, absl::string_view path, int error = errno) {
  const std::string message = absl::StrCat("cannot ", what, " ", path);
  // For the caller, a limit of the file system or of the process is the same as a full disk.
  if (error == EFBIG || error == EDQUOT) {
    return absl::ResourceExhaustedError(absl::ErrnoToStatus(error, message).message());
  }
  return absl::ErrnoToStatus(error, message);
}

absl::Status Truncated(absl::string_view message) {
  return WithReason(absl::DataLossError(message), ErrorReason::kTruncated);
}

// Returns the result of a system call, which is repeated while a signal interrupts it.
template <typename Call>
int Retry(const Call& call) {
  int result = -1;
  do {
    result = call();
  } while (result < 0 && errno == EINTR);
  return result;
}

// Returns a path to pass to a system call. If it has a NUL, at which the system call would cut it,
// returns "": no file has either name.
const char* ForSystem(const std::string& path) {
  return path.find('\0') == std::string::npos ? path.c_str() : "";
}

int OpenRetrying(const std::string& path, int flags, mode_t mode = 0) {
  return Retry([&] { return open(ForSystem(path), flags | O_CLOEXEC, mode); });
}

class PosixWritableFile : public WritableFile {
 public:
  explicit PosixWritableFile(std::string path) : path_(std::move(path)) {}
  ~PosixWritableFile() override {
    if (fd_ >= 0) close(fd_);
  }
  PosixWritableFile(const PosixWritableFile&) = delete;
  PosixWritableFile& operator=(const PosixWritableFile&) = delete;

  absl::Status Create() {
    fd_ = OpenRetrying(path_, O_WRONLY | O_CREAT | O_EXCL, 0666);
    return fd_ >= 0 ? absl::OkStatus() : Failed("create", path_);
  }

  absl::Status WriteAt(int64_t offset, absl::Span<const std::byte> bytes) override {
    const size_t wanted = bytes.size();
    while (!bytes.empty()) {
      LEAFSTORE_RETURN_IF_ERROR(SetDirect(prefer_direct_ && IsAligned(offset, bytes)));
      const ssize_t written = pwrite(fd_, bytes.data(), std::min(bytes.size(), kMaxAtOnce), offset);
      if (written < 0 && errno == EINTR) continue;
      if (written < 0 && errno == EINVAL && direct_) {  // the file system has other requirements
        prefer_direct_ = false;
        continue;
      }
      if (written < 0) {
        return Failed(absl::StrCat("write ", wanted, " bytes, ", bytes.size(), " of them at byte ",
                                   offset, ", to"),
                      path_);
      }
      offset += written;
      bytes.remove_prefix(static_cast<size_t>(written));
    }
    return absl::OkStatus();
  }

  void PreferDirect() override { prefer_direct_ = true; }

  absl::Status Sync() override {
    // Not retried after EINTR or EIO: the kernel may have dropped data that it could not write.
    return fsync(fd_) == 0 ? absl::OkStatus() : Failed("sync", path_);
  }

  absl::Status Close() override {
    // On Linux the descriptor is closed even after EINTR.
    const int result = close(std::exchange(fd_, -1));
    return result == 0 || errno == EINTR ? absl::OkStatus() : Failed("close", path_);
  }

 private:
  static bool IsAligned(int64_t offset, absl::Span<const std::byte> bytes) {
    const auto address = reinterpret_cast<uintptr_t>(bytes.data());
    return (static_cast<size_t>(offset) | bytes.size() | address) % kDirectAlignment == 0;
  }

  // If the file system does not support it, nothing changes and it is not tried again.
  absl::Status SetDirect(bool direct) {
    if (direct == direct_) return absl::OkStatus();
    if (fcntl(fd_, F_SETFL, direct ? O_DIRECT : 0) == 0) {
      direct_ = direct;
    } else if (direct) {
      prefer_direct_ = false;
    } else {
      return Failed("write through the page cache to", path_);
    }
    return absl::OkStatus();
  }

  std::string path_;
  int fd_ = -1;
  bool prefer_direct_ = false;
  bool direct_ = false;  // whether fd_ is in direct mode
};

// Returns whether a file system of this type (statfs(2)) is on other machines or in another
// process.
bool IsRemoteType(uint32_t type) {
  constexpr uint32_t kRemote[] = {
      0x6969,      // NFS
      0x517B,      // SMB
      0xFF534D42,  // CIFS
      0xFE534D42,  // SMB 2
      0x0BD00BD0,  // Lustre
      0x65735546,  // FUSE, virtiofs
      0x01021997,  // 9p
      0x00C36400,  // Ceph
      0x19830326,  // BeeGFS
      0x47504653,  // GPFS
      0x5346414F,  // AFS
  };
  return std::find(std::begin(kRemote), std::end(kRemote), type) != std::end(kRemote);
}

class PosixReadableFile : public ReadableFile {
 public:
  PosixReadableFile(std::string path, int fd, int64_t size)
      : path_(std::move(path)), fd_(fd), size_(size) {}
  ~PosixReadableFile() override {
    close(fd_);
    if (direct_fd_.value_or(-1) >= 0) close(*direct_fd_);
  }
  PosixReadableFile(const PosixReadableFile&) = delete;
  PosixReadableFile& operator=(const PosixReadableFile&) = delete;

  int64_t size() const override { return size_; }

  absl::Status ReadAt(int64_t offset, absl::Span<std::byte> out) const override {
    while (!out.empty()) {
      const ssize_t read = pread(fd_, out.data(), std::min(out.size(), kMaxAtOnce), offset);
      if (read < 0 && errno == EINTR) continue;
      if (read < 0) {
        return Failed(absl::StrCat("read ", out.size(), " bytes at byte ", offset, " of"), path_);
      }
      if (read == 0) {
        return Truncated(absl::StrCat(path_, ": expected ", out.size(), " more bytes at byte ",
                                      offset, ", found the end of the file"));
      }
      offset += read;
      out.remove_prefix(static_cast<size_t>(read));
    }
    return absl::OkStatus();
  }

  absl::Status ReadDirect(int64_t offset, absl::Span<std::byte> out) const override {
    const int64_t end = std::min(offset + static_cast<int64_t>(out.size()), size_);
    for (const int fd = DirectFd(); fd >= 0 && offset < end;) {
      const ssize_t read = pread(fd, out.data(), std::min(out.size(), kMaxAtOnce), offset);
      if (read < 0 && errno == EINTR) continue;
      if (read <= 0) break;
      offset += read;
      out.remove_prefix(static_cast<size_t>(read));
      if (static_cast<size_t>(read) % kDirectAlignment != 0) break;
    }
    if (offset >= end) return absl::OkStatus();
    // Through the page cache, which also reports what is wrong.
    return ReadAt(offset, out.subspan(0, static_cast<size_t>(end - offset)));
  }

  bool IsLocal() const override {
    struct statfs info;
    return fstatfs(fd_, &info) != 0 || !IsRemoteType(static_cast<uint32_t>(info.f_type));
  }

  bool IsCached() const override {
    constexpr int64_t kSamples = 64;
    const absl::StatusOr<Buffer> map = Map();
    if (!map.ok() || size_ == 0) return true;
    int64_t cached = 0;
    for (int64_t i = 0; i < kSamples; ++i) {
      const auto at = static_cast<size_t>(size_ / kSamples * i);
      cached += InMemory(map->bytes().subspan(at, 1)) ? 1 : 0;
    }
    return cached >= kSamples / 2;
  }

  absl::StatusOr<Buffer> Map() const override { return Buffer::MapOpenFile(fd_, size_, path_); }

  absl::Status MakeResident(int64_t offset, absl::Span<const std::byte> bytes) const override {
    struct stat info;
    if (fstat(fd_, &info) != 0) return Failed("stat", path_);
    const int64_t end = offset + static_cast<int64_t>(bytes.size());
    if (info.st_size < end) return Shortened(end, info.st_size);
    // Reads ahead the full range: a page fault reads only the next few pages.
    if (!InMemory(bytes)) posix_fadvise(fd_, offset, end - offset, POSIX_FADV_WILLNEED);
    // Without madvise (Linux before 5.14), a later access reads the pages.
    const int error = Populate(bytes);
    if (error == 0 || (error != EFAULT && error != EIO)) return absl::OkStatus();
    // A page is not available: the file was just truncated, or the disk cannot read it.
    if (fstat(fd_, &info) == 0 && info.st_size < end) return Shortened(end, info.st_size);
    return Failed(absl::StrCat("read ", bytes.size(), " bytes at byte ", offset, " of"), path_,
                  EIO);
  }

 private:
  absl::Status Shortened(int64_t expected, int64_t found) const {
    return Truncated(absl::StrCat(path_, ": expected at least ", expected, " bytes, found ", found,
                                  ": the file was shortened after it had been opened"));
  }

  // Returns the beginning of the first page of a mapping's bytes.
  static uintptr_t FirstPage(absl::Span<const std::byte> bytes) {
    static const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
    return reinterpret_cast<uintptr_t>(bytes.data()) / page * page;
  }

  // Returns whether the first page of a mapping's bytes is in the page cache, if that is known.
  static bool InMemory(absl::Span<const std::byte> bytes) {
    unsigned char resident = 1;
    mincore(reinterpret_cast<void*>(FirstPage(bytes)), 1, &resident);
    return (resident & 1) != 0;
  }

  // Reads the pages of a mapping into memory. Returns an errno, or 0.
  static int Populate(absl::Span<const std::byte> bytes) {
    const auto begin = reinterpret_cast<uintptr_t>(bytes.data());
    const uintptr_t first = FirstPage(bytes);
    const int result = Retry([&] {
      return madvise(reinterpret_cast<void*>(first), begin + bytes.size() - first,
                     MADV_POPULATE_READ);
    });
    return result == 0 ? 0 : errno;
  }

  // Returns a descriptor that reads past the page cache, or -1 if the file system has none.
  int DirectFd() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!direct_fd_.has_value()) {
      // By now, the path may refer to another file.
      direct_fd_ = OpenRetrying(absl::StrCat("/proc/self/fd/", fd_), O_RDONLY | O_DIRECT);
    }
    return *direct_fd_;
  }

  std::string path_;
  int fd_;
  int64_t size_;
  mutable std::mutex mutex_;
  mutable std::optional<int> direct_fd_;  // under mutex_; opened when it is first needed
};

class PosixFileSystem : public FileSystem {
 public:
  absl::StatusOr<std::unique_ptr<WritableFile>> Create(const std::string& path) override {
    // Allocates before the file exists: a file without an owner would remain.
    auto file = std::make_unique<PosixWritableFile>(path);
    LEAFSTORE_RETURN_IF_ERROR(file->Create());
    return file;
  }

  absl::StatusOr<std::unique_ptr<ReadableFile>> Open(const std::string& path) override {
    const int fd =
        OpenRetrying(path, O_RDONLY | O_NONBLOCK);  // does not wait for the other end of a pipe
    if (fd < 0) return Failed("open", path);
    absl::Cleanup close_fd = [fd] { close(fd); };
    struct stat info;
    if (fstat(fd, &info) != 0) return Failed("stat", path);
    if (!S_ISREG(info.st_mode)) {
      return WithReason(absl::InvalidArgumentError(absl::StrCat(
                            "cannot open ", path, ": not a regular file",
                            S_ISDIR(info.st_mode) ? "" : "; write what it holds to a file first")),
                        ErrorReason::kNotAFile);
    }
    auto file = std::make_unique<PosixReadableFile>(path, fd, info.st_size);
    std::move(close_fd).Cancel();
    return file;
  }

  absl::Status Rename(const std::string& from, const std::string& to) override {
    if (rename(ForSystem(from), ForSystem(to)) == 0) return absl::OkStatus();
    return Failed(absl::StrCat("rename ", from, " to"), to);
  }

  absl::Status RenameNew(const std::string& from, const std::string& to) override {
    if (renameat2(AT_FDCWD, ForSystem(from), AT_FDCWD, ForSystem(to), RENAME_NOREPLACE) == 0) {
      return absl::OkStatus();
    }
    const int error = errno;
    const std::string what = absl::StrCat("rename ", from, " to");
    if (error != EINVAL && error != ENOSYS) return Failed(what, to, error);
    // Some file systems do not support it; creating a hard link does not replace files either.
    if (link(ForSystem(from), ForSystem(to)) == 0) {
      const absl::Status removed = Remove(from);
      if (!removed.ok()) unlink(ForSystem(to));  // as before: not at both names
      return removed;
    }
    const bool no_links = errno == EPERM || errno == ENOTSUP || errno == ENOSYS;
    return no_links ? FileSystem::RenameNew(from, to) : Failed(what, to);
  }

  absl::Status Remove(const std::string& path) override {
    return unlink(ForSystem(path)) == 0 ? absl::OkStatus() : Failed("remove", path);
  }

  absl::Status SyncDirectory(const std::string& path) override {
    const int fd = OpenRetrying(path, O_RDONLY | O_DIRECTORY);
    if (fd < 0) return Failed("open directory", path);
    absl::Cleanup close_fd = [fd] { close(fd); };
    return fsync(fd) == 0 ? absl::OkStatus() : Failed("sync directory", path);
  }

  absl::Status CreateDirectory(const std::string& path) override {
    if (mkdir(ForSystem(path), 0777) == 0) return absl::OkStatus();
    const int error = errno;
    struct stat info;
    if (error == EEXIST && stat(ForSystem(path), &info) == 0 && S_ISDIR(info.st_mode)) {
      return absl::OkStatus();
    }
    return Failed("make directory", path, error);
  }

  absl::StatusOr<std::shared_ptr<void>> Lock(const std::string& path) override {
    std::shared_ptr<int> lock(new int(-1), [owner = getpid()](const int* held) {
      // A child process has a copy of the descriptor, so closing this one would not release the
      // lock; and closing the copy must not.
      if (getpid() == owner) flock(*held, LOCK_UN);
      close(*held);
      delete held;
    });
    const int fd = *lock = OpenRetrying(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0666);
    if (fd < 0 && errno == ELOOP) {
      return absl::FailedPreconditionError(absl::StrCat(
          "cannot open lock ", path, ": expected a file, found a symbolic link; remove it"));
    }
    if (fd < 0) return Failed("open lock", path);
    if (Retry([fd] { return flock(fd, LOCK_EX | LOCK_NB); }) == 0) return lock;
    if (errno != EWOULDBLOCK) return Failed("lock", path);
    return absl::FailedPreconditionError(
        absl::StrCat("cannot lock ", path, ": this process or another one holds the lock"));
  }

  absl::StatusOr<std::vector<std::string>> List(const std::string& path) override {
    DIR* directory = opendir(ForSystem(path));
    if (directory == nullptr) return Failed("list", path);
    absl::Cleanup close_directory = [directory] { closedir(directory); };
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* entry = readdir(directory)) {
      const absl::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
    }
    if (errno != 0) return Failed("list", path);
    std::sort(names.begin(), names.end());
    return names;
  }
};

}  // namespace

absl::Status ReadableFile::ReadDirect(int64_t offset, absl::Span<std::byte> out) const {
  const int64_t size_here = std::max<int64_t>(size() - offset, 0);
  return ReadAt(offset, out.subspan(0, static_cast<size_t>(size_here)));
}

absl::Status FileSystem::RenameNew(const std::string& from, const std::string& to) {
  LEAFSTORE_ASSIGN_OR_RETURN(const bool exists, Exists(to));
  if (exists) return absl::AlreadyExistsError(absl::StrCat(to, ": it already exists"));
  return Rename(from, to);
}

absl::StatusOr<bool> FileSystem::Exists(const std::string& path) {
  const absl::Status opened = Open(path).status();
  if (opened.ok() || absl::IsNotFound(opened)) return opened.ok();
  return opened;
}

FileSystem& FileSystem::Posix() {
  static PosixFileSystem* const files = new PosixFileSystem();
  return *files;
}

std::string DirectoryOf(absl::string_view path) {
  const size_t slash = path.rfind('/');
  if (slash == absl::string_view::npos) return ".";
  return std::string(path.substr(0, std::max<size_t>(slash, 1)));
}

std::string FileNameOf(absl::string_view path) {
  return std::string(path.substr(path.rfind('/') + 1));  // npos + 1 is 0
}

std::string InDirectoryOf(absl::string_view path, absl::string_view name) {
  const size_t slash = path.rfind('/');
  if (slash == absl::string_view::npos) return std::string(name);
  return absl::StrCat(path.substr(0, slash + 1), name);
}

}  // namespace leafstore
