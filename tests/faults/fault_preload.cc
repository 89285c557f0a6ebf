// A library for LD_PRELOAD: makes one system call of a program fail.
//
//   LEAFSTORE_FAULT_CALL=pwrite LEAFSTORE_FAULT_AT=3 LEAFSTORE_FAULT_ERRNO=5
//   LEAFSTORE_FAULT_REACHED=file     created when the call fails
//
// Calls are counted from 0 on, in all threads together. Calls that libc makes itself, such as those
// of printf, are not replaced, so that a program can always say what it did.
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdlib>
#include <cstring>

namespace {

std::atomic<long> seen{0};

// Returns whether this call must fail, and sets errno.
bool Fails(const char* call) {
  static const char* const chosen = getenv("LEAFSTORE_FAULT_CALL");
  if (chosen == nullptr || std::strcmp(chosen, call) != 0) return false;
  static const char* const at = getenv("LEAFSTORE_FAULT_AT");
  static const char* const error = getenv("LEAFSTORE_FAULT_ERRNO");
  static const char* const reached = getenv("LEAFSTORE_FAULT_REACHED");
  if (at == nullptr || error == nullptr || reached == nullptr) return false;
  if (seen.fetch_add(1) != std::atol(at)) return false;
  const long file = syscall(SYS_openat, AT_FDCWD, reached, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (file >= 0) syscall(SYS_close, file);
  errno = std::atoi(error);
  return true;
}

template <typename Function>
Function* Real(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

int Open(const char* name, const char* path, int flags, mode_t mode) {
  if (Fails("open")) return -1;
  return Real<int(const char*, int, ...)>(name)(path, flags, mode);
}

mode_t ModeOf(int flags, va_list arguments) {
  return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
}

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = ModeOf(flags, arguments);
  va_end(arguments);
  return Open("open", path, flags, mode);
}

int open64(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = ModeOf(flags, arguments);
  va_end(arguments);
  return Open("open64", path, flags, mode);
}

int fcntl(int fd, int command, ...) {
  va_list arguments;
  va_start(arguments, command);
  void* const argument = va_arg(arguments, void*);
  va_end(arguments);
  if (command == F_SETFL && Fails("fcntl")) return -1;
  return Real<int(int, int, ...)>("fcntl")(fd, command, argument);
}

// A close that reports an error has closed the file, as on Linux.
int close(int fd) {
  if (!Fails("close")) return Real<int(int)>("close")(fd);
  const int error = errno;
  Real<int(int)>("close")(fd);
  errno = error;
  return -1;
}

#define LEAFSTORE_REPLACE(result, failed, name, counted, parameters, arguments) \
  result name parameters {                                                      \
    if (Fails(counted)) return failed;                                          \
    return Real<result parameters>(#name) arguments;                            \
  }

LEAFSTORE_REPLACE(ssize_t, -1, write, "write", (int fd, const void* bytes, size_t size),
                  (fd, bytes, size))
LEAFSTORE_REPLACE(ssize_t, -1, read, "read", (int fd, void* bytes, size_t size), (fd, bytes, size))
LEAFSTORE_REPLACE(ssize_t, -1, pwrite, "pwrite",
                  (int fd, const void* bytes, size_t size, off_t offset), (fd, bytes, size, offset))
LEAFSTORE_REPLACE(ssize_t, -1, pwrite64, "pwrite",
                  (int fd, const void* bytes, size_t size, off64_t offset),
                  (fd, bytes, size, offset))
LEAFSTORE_REPLACE(ssize_t, -1, pread, "pread", (int fd, void* bytes, size_t size, off_t offset),
                  (fd, bytes, size, offset))
LEAFSTORE_REPLACE(ssize_t, -1, pread64, "pread", (int fd, void* bytes, size_t size, off64_t offset),
                  (fd, bytes, size, offset))
LEAFSTORE_REPLACE(int, -1, fsync, "fsync", (int fd), (fd))
LEAFSTORE_REPLACE(int, -1, fdatasync, "fdatasync", (int fd), (fd))
LEAFSTORE_REPLACE(int, -1, ftruncate, "ftruncate", (int fd, off_t size) noexcept, (fd, size))
LEAFSTORE_REPLACE(int, -1, rename, "rename", (const char* from, const char* to) noexcept,
                  (from, to))
LEAFSTORE_REPLACE(int, -1, renameat, "renameat",
                  (int from_dir, const char* from, int to_dir, const char* to) noexcept,
                  (from_dir, from, to_dir, to))
LEAFSTORE_REPLACE(int, -1, renameat2, "renameat2",
                  (int from_dir, const char* from, int to_dir, const char* to,
                   unsigned flags) noexcept,
                  (from_dir, from, to_dir, to, flags))
LEAFSTORE_REPLACE(int, -1, link, "link", (const char* from, const char* to) noexcept, (from, to))
LEAFSTORE_REPLACE(int, -1, unlink, "unlink", (const char* path) noexcept, (path))
LEAFSTORE_REPLACE(int, -1, mkdir, "mkdir", (const char* path, mode_t mode) noexcept, (path, mode))
LEAFSTORE_REPLACE(int, -1, chmod, "chmod", (const char* path, mode_t mode) noexcept, (path, mode))
LEAFSTORE_REPLACE(int, -1, flock, "flock", (int fd, int operation) noexcept, (fd, operation))
LEAFSTORE_REPLACE(int, -1, fstat, "fstat", (int fd, struct stat* info) noexcept, (fd, info))
LEAFSTORE_REPLACE(int, -1, stat, "stat", (const char* path, struct stat* info) noexcept,
                  (path, info))
LEAFSTORE_REPLACE(int, -1, lstat, "lstat", (const char* path, struct stat* info) noexcept,
                  (path, info))
LEAFSTORE_REPLACE(int, -1, madvise, "madvise", (void* address, size_t size, int advice) noexcept,
                  (address, size, advice))
LEAFSTORE_REPLACE(int, -1, mincore, "mincore",
                  (void* address, size_t size, unsigned char* resident) noexcept,
                  (address, size, resident))
LEAFSTORE_REPLACE(int, -1, fstatfs, "fstatfs", (int fd, struct statfs* info) noexcept, (fd, info))
// These return the error.
LEAFSTORE_REPLACE(int, errno, posix_fadvise, "posix_fadvise",
                  (int fd, off_t offset, off_t size, int advice) noexcept,
                  (fd, offset, size, advice))
LEAFSTORE_REPLACE(int, errno, posix_fadvise64, "posix_fadvise",
                  (int fd, off64_t offset, off64_t size, int advice) noexcept,
                  (fd, offset, size, advice))
LEAFSTORE_REPLACE(void*, MAP_FAILED, mmap, "mmap",
                  (void* address, size_t size, int protection, int flags, int fd,
                   off_t offset) noexcept,
                  (address, size, protection, flags, fd, offset))
LEAFSTORE_REPLACE(DIR*, nullptr, opendir, "opendir", (const char* path), (path))
LEAFSTORE_REPLACE(struct dirent*, nullptr, readdir, "readdir", (DIR * directory), (directory))

}  // extern "C"
