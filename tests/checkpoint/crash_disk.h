// CrashDisk: a FileSystem in memory that simulates the states of a disk after a crash.
//
//   CrashDisk disk;
//   disk.before_each_call = [&] { for (int i = 0; i < 10; ++i) Check(disk.AfterCrash(random)); };
//   ... save checkpoints to it ...
//
// Model. After a crash, each write to a file that was not synced may be kept or lost, and the last
// one may be torn at any byte. Each change of the names of a directory (create, rename, remove)
// that was not synced may be kept or lost. Synced data and names are kept. A file's data and its
// name are independent: a name may lead to a file whose data was lost. Two rules hold on every
// journaling file system and are assumed: a rename is atomic, and calls on one name take effect in
// their order.
//
// Threads: one call at a time.
#ifndef LEAFSTORE_TESTS_CHECKPOINT_CRASH_DISK_H_
#define LEAFSTORE_TESTS_CHECKPOINT_CRASH_DISK_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "leafstore/io/file_system.h"

namespace leafstore {

class CrashDisk : public FileSystem {
 public:
  // Called before each call that changes something, with its name.
  std::function<void(const std::string& call)> before_each_call;
  // Counts the calls that change something; the one with this index fails with this error.
  int calls = 0;
  int fail_at = -1;
  absl::Status failure;

  // Returns a possible disk after a crash now, with everything synced. `random` chooses.
  std::unique_ptr<CrashDisk> AfterCrash(std::mt19937* random) const;
  // Return the state in which everything unsynced is lost, or kept.
  std::unique_ptr<CrashDisk> AfterLosingAll() const;
  std::unique_ptr<CrashDisk> AfterKeepingAll() const;
  // Returns names and contents, to distinguish states.
  uint64_t Fingerprint() const;
  // Returns a byte of a file, to damage it.
  std::string& ContentOf(const std::string& path);
  bool Exists(const std::string& path) const;

  absl::StatusOr<std::unique_ptr<WritableFile>> Create(const std::string& path) override;
  absl::StatusOr<std::unique_ptr<ReadableFile>> Open(const std::string& path) override;
  absl::Status Rename(const std::string& from, const std::string& to) override;
  absl::Status Remove(const std::string& path) override;
  absl::Status CreateDirectory(const std::string& path) override;
  absl::StatusOr<std::shared_ptr<void>> Lock(const std::string& path) override;
  absl::Status SyncDirectory(const std::string& path) override;
  absl::StatusOr<std::vector<std::string>> List(const std::string& path) override;

 private:
  struct Write {
    int64_t offset;
    std::string bytes;
  };
  struct File {
    std::string synced;
    std::vector<Write> pending;
    std::string now;
  };
  using FilePtr = std::shared_ptr<File>;
  using Names = std::map<std::string, FilePtr>;  // by path
  // A change of a name: `file` is null if it was removed.
  struct NameChange {
    std::string path;
    FilePtr file;
    bool with_next;  // the first half of a rename
  };
  class Writer;
  class Reader;

  // Chooses whether an unsynced change is kept, and how much of a write.
  struct Choice {
    std::function<bool()> keeps;
    std::function<size_t(size_t)> tears;
  };
  std::unique_ptr<CrashDisk> After(const Choice& choice) const;
  static FilePtr FileAfter(const File& file, const Choice& choice);
  absl::Status Call(const std::string& what);

  Names synced_;
  std::vector<NameChange> pending_;
  Names now_;
  std::map<std::string, bool> locks_;
};

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_CHECKPOINT_CRASH_DISK_H_
