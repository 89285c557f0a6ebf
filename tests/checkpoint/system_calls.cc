#include "tests/checkpoint/system_calls.h"

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstddef>
#include <cstdio>

namespace leafstore {
namespace {

std::atomic<SystemCallFault*> current{nullptr};

SystemCallFault* Find(const char* call) {
  SystemCallFault* fault = current.load(std::memory_order_acquire);
  while (fault != nullptr && fault->call != call) fault = fault->outer;
  return fault;
}

// Returns whether this call must fail, and sets errno. Allocates nothing, so it may be called
// anywhere.
bool Fails(const char* call) {
  SystemCallFault* const fault = Find(call);
  if (fault == nullptr) return false;
  const int number = fault->seen.fetch_add(1);
  if (fault->error == 0 || fault->at > number) return false;
  if (fault->at != -1 && number - fault->at >= fault->count) return false;
  errno = fault->error;
  return true;
}

size_t AtOnce(const char* call, size_t wanted) {
  const SystemCallFault* const fault = Find(call);
  if (fault == nullptr || fault->most < 0) return wanted;
  return std::min(wanted, static_cast<size_t>(fault->most));
}

// Returns the function of libc, or of a sanitizer, with this name.
template <typename Function>
Function* Real(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

}  // namespace

WithFault::WithFault(SystemCallFault* fault) {
  fault->outer = current.load(std::memory_order_acquire);
  current.store(fault, std::memory_order_release);
}
WithFault::~WithFault() {
  current.store(current.load(std::memory_order_acquire)->outer, std::memory_order_release);
}

const std::vector<std::string>& FaultableCalls() {
  static const std::vector<std::string>* const calls = new std::vector<std::string>{
      "open",  "pwrite", "pread", "fsync",   "close",   "rename",  "unlink",
      "mkdir", "flock",  "fstat", "opendir", "readdir", "madvise", "fcntl"};
  return *calls;
}

}  // namespace leafstore

// Each calls the real function unless it must fail. The system's declarations determine the types.
extern "C" {

int open(const char* path, int flags, ...) {
  static auto* const real = leafstore::Real<int(const char*, int, ...)>("open");
  mode_t mode = 0;
  if ((flags & O_CREAT) != 0) {
    va_list arguments;
    va_start(arguments, flags);
    mode = va_arg(arguments, mode_t);
    va_end(arguments);
  }
  return leafstore::Fails("open") ? -1 : real(path, flags, mode);
}

// Only F_SETFL, which leafstore uses.
int fcntl(int fd, int command, ...) {
  static auto* const real = leafstore::Real<int(int, int, ...)>("fcntl");
  va_list arguments;
  va_start(arguments, command);
  void* const argument = va_arg(arguments, void*);
  va_end(arguments);
  if (command == F_SETFL && leafstore::Fails("fcntl")) return -1;
  return real(fd, command, argument);
}

ssize_t pwrite(int fd, const void* bytes, size_t size, off_t offset) {
  static auto* const real = leafstore::Real<ssize_t(int, const void*, size_t, off_t)>("pwrite");
  if (leafstore::Fails("pwrite")) return -1;
  return real(fd, bytes, leafstore::AtOnce("pwrite", size), offset);
}

ssize_t pread(int fd, void* bytes, size_t size, off_t offset) {
  static auto* const real = leafstore::Real<ssize_t(int, void*, size_t, off_t)>("pread");
  if (leafstore::Fails("pread")) return -1;
  return real(fd, bytes, leafstore::AtOnce("pread", size), offset);
}

int fsync(int fd) {
  static auto* const real = leafstore::Real<int(int)>("fsync");
  return leafstore::Fails("fsync") ? -1 : real(fd);
}

// A close that reports an error has closed the file, as on Linux.
int close(int fd) {
  static auto* const real = leafstore::Real<int(int)>("close");
  if (!leafstore::Fails("close")) return real(fd);
  const int error = errno;
  real(fd);
  errno = error;
  return -1;
}

int rename(const char* from, const char* to) noexcept {
  static auto* const real = leafstore::Real<int(const char*, const char*)>("rename");
  return leafstore::Fails("rename") ? -1 : real(from, to);
}

int renameat2(int from_directory, const char* from, int to_directory, const char* to,
              unsigned flags) noexcept {
  static auto* const real =
      leafstore::Real<int(int, const char*, int, const char*, unsigned)>("renameat2");
  return leafstore::Fails("renameat2") ? -1 : real(from_directory, from, to_directory, to, flags);
}

int link(const char* from, const char* to) noexcept {
  static auto* const real = leafstore::Real<int(const char*, const char*)>("link");
  return leafstore::Fails("link") ? -1 : real(from, to);
}

int unlink(const char* path) noexcept {
  static auto* const real = leafstore::Real<int(const char*)>("unlink");
  return leafstore::Fails("unlink") ? -1 : real(path);
}

int mkdir(const char* path, mode_t mode) noexcept {
  static auto* const real = leafstore::Real<int(const char*, mode_t)>("mkdir");
  return leafstore::Fails("mkdir") ? -1 : real(path, mode);
}

int flock(int fd, int operation) noexcept {
  static auto* const real = leafstore::Real<int(int, int)>("flock");
  return leafstore::Fails("flock") ? -1 : real(fd, operation);
}

int fstat(int fd, struct stat* info) noexcept {
  static auto* const real = leafstore::Real<int(int, struct stat*)>("fstat");
  return leafstore::Fails("fstat") ? -1 : real(fd, info);
}

DIR* opendir(const char* path) {
  static auto* const real = leafstore::Real<DIR*(const char*)>("opendir");
  return leafstore::Fails("opendir") ? nullptr : real(path);
}

struct dirent* readdir(DIR* directory) {
  static auto* const real = leafstore::Real<struct dirent*(DIR*)>("readdir");
  return leafstore::Fails("readdir") ? nullptr : real(directory);
}

int madvise(void* address, size_t size, int advice) noexcept {
  static auto* const real = leafstore::Real<int(void*, size_t, int)>("madvise");
  return leafstore::Fails("madvise") ? -1 : real(address, size, advice);
}

}  // extern "C"
