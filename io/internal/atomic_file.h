// AtomicFile: a file that is there whole or not at all. For interop/ and tools/.
//
//   LEAFSTORE_ASSIGN_OR_RETURN(AtomicFile file,
//                              AtomicFile::Create(path, /*durable=*/true, nullptr));
//   LEAFSTORE_RETURN_IF_ERROR(file.stream().Append(bytes));
//   LEAFSTORE_RETURN_IF_ERROR(file.Close());      // all bytes are in a file beside `path`, synced
//   LEAFSTORE_RETURN_IF_ERROR(file.Commit());     // and now at `path`
//
// Several files that belong together are closed first and committed afterwards, so that nothing but
// a rename can fail between them. One that is destroyed before Commit leaves nothing behind.
//
// Threads: one thread at a time.
#ifndef LEAFSTORE_IO_INTERNAL_ATOMIC_FILE_H_
#define LEAFSTORE_IO_INTERNAL_ATOMIC_FILE_H_

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "leafstore/io/file_system.h"
#include "leafstore/io/internal/file_stream.h"

namespace leafstore {

class AtomicFile {
 public:
  // A temporary file beside `path`. `files` null: this machine's. error InvalidArgument: no path;
  // or the file system's.
  static absl::StatusOr<AtomicFile> Create(const std::string& path, bool durable,
                                           FileSystem* files);

  AtomicFile(AtomicFile&& other) noexcept
      : path_(std::move(other.path_)),
        temporary_(std::exchange(other.temporary_, {})),
        durable_(other.durable_),
        files_(other.files_),
        file_(std::move(other.file_)),
        stream_(std::move(other.stream_)) {}
  AtomicFile& operator=(AtomicFile&&) = delete;
  ~AtomicFile();

  const std::string& path() const { return path_; }
  // For bytes one after another; or the file itself, for whoever writes elsewhere too. Not both.
  FileStream& stream() { return *stream_; }
  WritableFile& file() { return *file_; }

  // Writes what is collected, syncs and closes.
  absl::Status Close();
  // Renames to the path, and unless told otherwise syncs the directory. Only after Close.
  absl::Status Commit(bool sync_directory = true);
  // As Commit, but error AlreadyExists where there is something at the path.
  absl::Status CommitNew(bool sync_directory = true);
  // Whether it is at its path: also where only syncing the directory has failed.
  bool is_committed() const { return temporary_.empty(); }

 private:
  AtomicFile() = default;

  absl::Status SyncName(bool sync_directory);

  std::string path_;
  std::string temporary_;  // empty where there is none
  bool durable_ = true;
  FileSystem* files_ = nullptr;
  std::unique_ptr<WritableFile> file_;
  std::unique_ptr<FileStream> stream_;  // behind file_, so that it goes first: it may be writing
};

}  // namespace leafstore

#endif  // LEAFSTORE_IO_INTERNAL_ATOMIC_FILE_H_
