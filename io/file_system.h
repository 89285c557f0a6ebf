// FileSystem: all that checkpoints ask of the operating system, in one place.
//
//   FileSystem& files = FileSystem::Posix();
//   std::unique_ptr<WritableFile> file = files.Create("model.leaf.tmp").value();
//   LEAFSTORE_RETURN_IF_ERROR(file->WriteAt(0, bytes));
//   LEAFSTORE_RETURN_IF_ERROR(file->Sync());
//   LEAFSTORE_RETURN_IF_ERROR(file->Close());
//   LEAFSTORE_RETURN_IF_ERROR(files.Rename("model.leaf.tmp", "model.leaf"));
//   LEAFSTORE_RETURN_IF_ERROR(files.SyncDirectory("."));
//
// An interface, so that a test may let any call fail and another kind of input and output may be
// put below. Nothing in checkpoint/ touches a file in another way.
//
// Each call does all that it was asked or fails: interrupted and short reads and writes are
// continued below. An error names the path.
//
// Errors. NotFound, PermissionDenied, AlreadyExists, FailedPrecondition (a directory on the way is
// a file) and the like, as absl::ErrnoToStatus has them; ResourceExhausted: no space, or over a
// quota or the largest size of a file; DataLoss: a file that ends before what was to be read.
//
// Threads: a FileSystem and a ReadableFile are safe from many threads; a WritableFile from one at a
// time.
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

// Of offsets, sizes and memory, for writes past the page cache: enough for any disk of today.
inline constexpr size_t kDirectAlignment = 4096;

// A file that is being written. Destroying it closes it.
class WritableFile {
 public:
  virtual ~WritableFile() = default;

  // Writes at a position; a hole that this leaves is zero. error ResourceExhausted: no space; the
  // message has the bytes that were asked for, and where.
  virtual absl::Status WriteAt(int64_t offset, absl::Span<const std::byte> bytes) = 0;
  // A hint: what is written will be synced and not read soon. Writes that begin and end at a
  // multiple of kDirectAlignment, from memory at one, may go past the page cache, where the file
  // system takes that: as fast as the disk, and nothing that others use is pushed out.
  virtual void PreferDirect() {}
  // Returns when what was written is on the disk.
  virtual absl::Status Sync() = 0;
  // Nothing else may be called after this.
  virtual absl::Status Close() = 0;
};

// A file that is being read: the one that was opened, whatever is renamed to its path meanwhile.
class ReadableFile {
 public:
  virtual ~ReadableFile() = default;

  // When it was opened.
  virtual int64_t size() const = 0;
  // Fills `out`. error DataLoss: the file ends before.
  virtual absl::Status ReadAt(int64_t offset, absl::Span<std::byte> out) const = 0;
  // The whole file, mapped for reading (see Buffer::MapFile); outlives this object.
  virtual absl::StatusOr<Buffer> Map() const = 0;
  // Brings bytes of such a mapping, [offset, offset + bytes.size()) of the file, into memory, if
  // need be from the disk. error DataLoss: the file has been shortened since it was opened, and
  // they are no more; to touch them would be SIGBUS. Others: they cannot be read.
  // Where a mapping is always in memory there is nothing to do.
  virtual absl::Status MakeResident(int64_t /*offset*/,
                                    absl::Span<const std::byte> /*bytes*/) const {
    return absl::OkStatus();
  }
};

// A lock that is held until this is destroyed or the process ends, however it ends.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

class FileSystem {
 public:
  // That of this machine. Never destroyed.
  static FileSystem& Posix();

  virtual ~FileSystem() = default;

  // A new, empty file. error AlreadyExists: there is one.
  virtual absl::StatusOr<std::unique_ptr<WritableFile>> Create(const std::string& path) = 0;
  // error InvalidArgument: no regular file.
  virtual absl::StatusOr<std::unique_ptr<ReadableFile>> Open(const std::string& path) = 0;
  // Replaces `to` in one step, if there is one.
  virtual absl::Status Rename(const std::string& from, const std::string& to) = 0;
  // As Rename, but replaces nothing. error AlreadyExists: there is something at `to`. Where a file
  // system does not say how, it looks first and renames then.
  virtual absl::Status RenameNew(const std::string& from, const std::string& to);
  virtual absl::Status Remove(const std::string& path) = 0;
  // Returns when the names in the directory are on the disk.
  virtual absl::Status SyncDirectory(const std::string& path) = 0;
  // Makes a directory; OK if there is one. error NotFound: nothing to make it in.
  virtual absl::Status CreateDirectory(const std::string& path) = 0;
  // Takes the lock that stands for the file `path`, which is made if it is not there.
  // error FailedPrecondition: another holds it, in this process or another.
  virtual absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path) = 0;
  // The names in a directory, without "." and "..", sorted.
  virtual absl::StatusOr<std::vector<std::string>> List(const std::string& path) = 0;
};

// The directory that a file's name is in: what is before the last slash; "." where there is none.
std::string DirectoryOf(absl::string_view path);
// What is behind the last slash.
std::string FileNameOf(absl::string_view path);
// The path of a file beside `path`.
std::string InDirectoryOf(absl::string_view path, absl::string_view name);

}  // namespace leafstore

#endif  // LEAFSTORE_IO_FILE_SYSTEM_H_
