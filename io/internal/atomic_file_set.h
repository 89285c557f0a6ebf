// AtomicFileSet: changes of several files that happen together or not at all.
//
//   AtomicFileSet set(options.io);
//   for (AtomicFile& shard : shards) set.Add(std::move(shard), /*replace=*/false);
//   set.Add(std::move(index), /*replace=*/true);
//   set.Discard(old_shard);
//   LEAFSTORE_RETURN_IF_ERROR(set.Commit());
//
// Order. The changes happen in the order in which they were added, and the directories are synced
// before and after the last one. Add the file that makes the others visible, such as an index,
// last: the last change is a single system call, so readers see the state either before or after
// it. A file that an earlier change replaces, or that any change removes, is kept aside as
// `<path>.old-<pid>-<count>` until all changes have happened and are on disk.
//
// Failure. After a failed call, or a failed sync, every change is undone: files kept aside get
// their names back, new files are removed, and the directories are synced again. There is one
// exception: if only the sync after the last change fails, and that change has replaced a file,
// nothing can be undone. The error then says that the files are in place but may not survive a
// power failure; no old file is removed, and the error names those that are kept.
//
// Crash. Before the last change, some paths may have the new file, some the old one, and one may
// have none, because its file is kept aside; NameKeptAside then adds that file to the error of a
// reader. Nothing is lost: old files are at their paths or kept aside, and new files are at their
// paths or under their temporary names. After the last change, files that are kept aside may
// remain.
//
// Threads: one thread at a time.
#ifndef LEAFSTORE_IO_INTERNAL_ATOMIC_FILE_SET_H_
#define LEAFSTORE_IO_INTERNAL_ATOMIC_FILE_SET_H_

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"

#include "leafstore/io/internal/atomic_file.h"
#include "leafstore/io/internal/forwarding_file_system.h"
#include "leafstore/io/io_options.h"

namespace leafstore::internal {

// A change of one file.
struct FileChange {
  std::string temporary;  // the file to rename to `path`; empty: `path` is removed
  std::string path;
  bool replace = true;  // whether a file at `path` may exist; if it does not, nothing is removed

  std::string aside = {};  // where the file at `path` is kept while the set is committed
};

class AtomicFileSet {
 public:
  // Uses only `durable` and `file_system` of `options`.
  explicit AtomicFileSet(const IoOptions& options);
  // Removes the temporary files that are not in place.
  ~AtomicFileSet();
  AtomicFileSet(const AtomicFileSet&) = delete;
  AtomicFileSet& operator=(const AtomicFileSet&) = delete;

  // Adds a file, which must be closed.
  void Add(AtomicFile file, bool replace);
  void Add(FileChange change) { changes_.push_back(std::move(change)); }
  // Adds the removal of a file, if it exists.
  void Remove(std::string path) { changes_.push_back({"", std::move(path)}); }
  // Adds a file to remove after all changes, unless one of them has created it. Errors of the
  // removal are ignored, so the file may remain.
  void Discard(std::string path) { discarded_.push_back(std::move(path)); }

  // Makes the changes. Call once. If the file system is a FileSetCollector, passes the changes to
  // it. error AlreadyExists: a file exists that must not be replaced. Other errors: the file
  // system's.
  absl::Status Commit();

 private:
  absl::Status Make(FileChange* change, bool is_last);
  absl::Status MakeAll();
  absl::Status KeepAside(FileChange* change);
  absl::Status SyncDirectories() const;
  absl::Status Undo(const absl::Status& why);
  // Calls `call` for each old file that is not needed after the commit. Allocates nothing.
  void ForEachOld(absl::FunctionRef<void(const std::string&)> call) const;

  FileSystem& files_;
  const bool durable_;
  std::vector<std::string> directories_;  // of the changes
  std::vector<FileChange> changes_;
  std::vector<std::string> discarded_;
  size_t made_ = 0;            // how many changes have happened, from the first
  bool has_replaced_ = false;  // whether the last change cannot be undone
};

// A file system that collects the sets of several writers, to commit them as one. Passes other calls
// to that of this machine.
class FileSetCollector : public ForwardingFileSystem {
 public:
  // Receives the changes of a set.
  virtual absl::Status Collect(std::vector<FileChange> changes,
                               std::vector<std::string> discarded) = 0;
};

// If opening `path` failed because it does not exist, and its old file is kept aside, appends to
// the message where the old file is and what to do.
absl::Status NameKeptAside(FileSystem& files, const std::string& path, absl::Status status);

}  // namespace leafstore::internal

#endif  // LEAFSTORE_IO_INTERNAL_ATOMIC_FILE_SET_H_
