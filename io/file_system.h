// FileSystem: an interface to the file operations of the operating system.
//
//   FileSystem& files = FileSystem::Posix();
//   std::unique_ptr<WritableFile> file = files.Create("model.leaf.tmp").value();
//   LEAFSTORE_RETURN_IF_ERROR(file->WriteAt(0, bytes));
//   LEAFSTORE_RETURN_IF_ERROR(file->Sync());
//   LEAFSTORE_RETURN_IF_ERROR(file->Close());
//   LEAFSTORE_RETURN_IF_ERROR(files.Rename("model.leaf.tmp", "model.leaf"));
//   LEAFSTORE_RETURN_IF_ERROR(files.SyncDirectory("."));
//
// The library reads and writes all files through it, so tests can make any call fail and programs
// can provide other storage.
//
// Each call completes or fails: implementations resume interrupted and short reads and writes.
//
// Errors name the path. NotFound, PermissionDenied, AlreadyExists, FailedPrecondition (a component
// of the path is not a directory) and others: as absl::ErrnoToStatus. ResourceExhausted: no space,
// or over a quota or the size limit of a file. DataLoss: the file ends before the requested bytes.
// A path with a NUL, which no file can have, is NotFound.
//
// Signals. Exceeding the size limit of the process (RLIMIT_FSIZE, `ulimit -f`) raises SIGXFSZ,
// which ends the process by default, before any error can be returned or a temporary file removed.
// A program that wants the error ignores the signal: `std::signal(SIGXFSZ, SIG_IGN);` at its start.
//
// Threads: a FileSystem and a ReadableFile are thread-safe; a WritableFile must be used by one
// thread at a time.
#ifndef LEAFSTORE_IO_FILE_SYSTEM_H_
#define LEAFSTORE_IO_FILE_SYSTEM_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "leafstore/core/buffer.h"

namespace leafstore {

// The alignment of offsets, sizes and memory for direct reads and writes. Enough for every current
// disk.
inline constexpr size_t kDirectAlignment = 4096;

// A file open for writing. The destructor closes it.
class WritableFile {
 public:
  virtual ~WritableFile() = default;

  // Writes `bytes` at `offset`. Bytes that were never written are zero. error ResourceExhausted: no
  // space; the message has the offset and the size.
  virtual absl::Status WriteAt(int64_t offset, absl::Span<const std::byte> bytes) = 0;
  // Hints that the file will be synced and not read soon. If the file system supports it, aligned
  // writes (kDirectAlignment) may then bypass the page cache: they run at the speed of the disk and
  // evict no other data.
  virtual void PreferDirect() {}
  // Waits until all writes are on disk.
  virtual absl::Status Sync() = 0;
  // Closes the file. No other call is allowed afterwards.
  virtual absl::Status Close() = 0;
};

// A file open for reading. Renaming another file to its path does not affect it.
class ReadableFile {
 public:
  virtual ~ReadableFile() = default;

  // Returns the size of the file when it was opened.
  virtual int64_t size() const = 0;
  // Fills `out` with the bytes from `offset` on. error DataLoss: the file is too short.
  virtual absl::Status ReadAt(int64_t offset, absl::Span<std::byte> out) const = 0;
  // Maps the file for reading (see Buffer::MapOpenFile). The mapping may outlive this object.
  virtual absl::StatusOr<Buffer> Map() const = 0;
  // Brings [offset, offset + bytes.size()) of a mapping into memory. error DataLoss: the file has
  // been truncated since it was opened, so reading these bytes would raise SIGBUS. Other errors:
  // the bytes cannot be read. The default implementation is for mappings that are always in memory.
  virtual absl::Status MakeResident(int64_t /*offset*/,
                                    absl::Span<const std::byte> /*bytes*/) const {
    return absl::OkStatus();
  }

  // The following functions help to choose how to read (ReadMode::kAuto). Their default
  // implementations suit files that are best mapped, such as files in memory.

  // Like ReadAt, but if the file system supports it, reads from the disk into `out`, bypassing the
  // page cache. The offset, the size and the address of `out` must be multiples of
  // kDirectAlignment. The range may extend past the end of the file; the bytes of `out` beyond the
  // end are undefined.
  virtual absl::Status ReadDirect(int64_t offset, absl::Span<std::byte> out) const;
  // Returns whether the file is on this machine, so that it can be mapped without many short waits.
  virtual bool IsLocal() const { return true; }
  // Returns whether most of the file is in the page cache, as estimated from samples; true if
  // unknown.
  virtual bool IsCached() const { return true; }
};

class FileSystem {
 public:
  // Returns the file system of this machine. Never destroyed.
  static FileSystem& Posix();

  virtual ~FileSystem() = default;

  // Creates a new, empty file. error AlreadyExists: the path exists.
  virtual absl::StatusOr<std::unique_ptr<WritableFile>> Create(const std::string& path) = 0;
  // Opens a file for reading. error InvalidArgument (kNotAFile): not a regular file.
  virtual absl::StatusOr<std::unique_ptr<ReadableFile>> Open(const std::string& path) = 0;
  // Renames a file. Replaces `to` atomically if it exists.
  virtual absl::Status Rename(const std::string& from, const std::string& to) = 0;
  // Like Rename, but replaces nothing. error AlreadyExists: `to` exists. On file systems without
  // such an operation, checks first and then renames.
  virtual absl::Status RenameNew(const std::string& from, const std::string& to);
  virtual absl::Status Remove(const std::string& path) = 0;
  // Returns whether a regular file exists. Errors: those of Open, except NotFound.
  absl::StatusOr<bool> Exists(const std::string& path);
  // Waits until the entries of the directory are on disk.
  virtual absl::Status SyncDirectory(const std::string& path) = 0;
  // Creates a directory; OK if it exists. error NotFound: the parent does not exist.
  virtual absl::Status CreateDirectory(const std::string& path) = 0;
  // Locks the file `path`, and creates it if needed; follows no symbolic link. The lock is held
  // until the returned object is destroyed, or until the process and every child that it forked
  // meanwhile have ended. A child that destroys its copy of the object releases nothing. error
  // FailedPrecondition: this or another process already holds the lock; or `path` is a symbolic
  // link.
  virtual absl::StatusOr<std::shared_ptr<void>> Lock(const std::string& path) = 0;
  // Returns the names in a directory, without "." and "..", sorted.
  virtual absl::StatusOr<std::vector<std::string>> List(const std::string& path) = 0;
};

// Returns the directory of a path: the part before the last slash, or "." without a slash.
std::string DirectoryOf(absl::string_view path);
// Returns the part after the last slash.
std::string FileNameOf(absl::string_view path);
// Returns the path of the file `name` in the directory of `path`.
std::string InDirectoryOf(absl::string_view path, absl::string_view name);

}  // namespace leafstore

#endif  // LEAFSTORE_IO_FILE_SYSTEM_H_
