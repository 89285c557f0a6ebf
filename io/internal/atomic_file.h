// AtomicFile: a file that appears complete or not at all. Everything that saves a file uses it.
//
//   LEAFSTORE_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::Create(path, options.io));
//   LEAFSTORE_RETURN_IF_ERROR(file.stream().Append(bytes));
//   LEAFSTORE_RETURN_IF_ERROR(file.Close());      // all bytes are in a file beside `path`, synced
//   LEAFSTORE_RETURN_IF_ERROR(file.Commit());     // and now at `path`
//
// The temporary file is in the same directory, `<path>.tmp-<pid>-<count>`. An AtomicFile that is
// destroyed before Commit removes it and changes nothing. Several files that belong together are
// closed and added to an AtomicFileSet.
//
// Threads: one thread at a time.
#ifndef LEAFSTORE_IO_INTERNAL_ATOMIC_FILE_H_
#define LEAFSTORE_IO_INTERNAL_ATOMIC_FILE_H_

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "leafstore/io/internal/file_stream.h"
#include "leafstore/io/io_options.h"

namespace leafstore::internal {

class AtomicFile {
 public:
  // The number of temporary names that Create tries. Those of a crashed process may still exist.
  static constexpr int kMaxNames = 1000;

  // If `name` is that of a temporary file, returns the final name of that file; otherwise "". Both
  // names have no directory.
  static absl::string_view NameOfTemporary(absl::string_view name);

  // Creates the temporary file beside `path`. Of `options`, `durable` and `file_system` matter.
  // error InvalidArgument: `path` is empty. error AlreadyExists: every name that was tried exists.
  // Other errors: the file system's.
  static absl::StatusOr<AtomicFile> Create(const std::string& path, const IoOptions& options);

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
  // Appends to the file, for bytes in order; file() writes at any position. Use one of the two.
  FileStream& stream() { return *stream_; }
  WritableFile& file() { return *file_; }

  // Writes what the stream holds, syncs and closes.
  absl::Status Close();
  // Renames the file to its path, and syncs the directory if the file is durable. Call after Close.
  // If only the sync fails, the file is in place, and the error says so.
  absl::Status Commit();
  // Releases the closed file and returns its temporary path; the caller must rename or remove it.
  std::string Release() && { return std::exchange(temporary_, {}); }
  // Returns whether the file is at its path, also if only syncing the directory has failed.
  bool is_committed() const { return temporary_.empty(); }

 private:
  AtomicFile() = default;

  std::string path_;
  std::string temporary_;  // empty: no temporary file
  bool durable_ = true;
  FileSystem* files_ = nullptr;
  std::unique_ptr<WritableFile> file_;
  std::unique_ptr<FileStream> stream_;  // after file_: destroyed first, as it may be writing
};

// Returns the error `synced` of syncing the directory after the file was renamed into place, with a
// message that says that the file is in place.
absl::Status InPlaceButNotSynced(absl::string_view path, const absl::Status& synced);

}  // namespace leafstore::internal

#endif  // LEAFSTORE_IO_INTERNAL_ATOMIC_FILE_H_
