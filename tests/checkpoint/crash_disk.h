// CrashDisk: a FileSystem in memory that knows what a disk may hold after a crash.
//
//   CrashDisk disk;
//   disk.before_each_call = [&] { for (int i = 0; i < 10; ++i) Check(disk.AfterCrash(random)); };
//   ... save checkpoints to it ...
//
// Model. What was written to a file and not synced since may be there after a crash or not, write
// by write, and the last of it may be torn at any byte. What was done to the names of a directory
// (create, rename, remove) and not synced since may be there or not, call by call. Synced data and
// names are there. A file's data and its name are independent: a name may lead to a file whose data
// was lost. Two things hold on every journaling file system and are taken for granted: a rename is
// whole or not there, and calls on one name take effect in their order.
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
  // The calls that change something, counted; the one with this number fails with this error.
  int calls = 0;
  int fail_at = -1;
  absl::Status failure;

  // What may be there after a crash now: another disk, all of it synced. `random` chooses.
  std::unique_ptr<CrashDisk> AfterCrash(std::mt19937* random) const;
  // The state in which nothing that was not synced is there; or all of it.
  std::unique_ptr<CrashDisk> AfterLosingAll() const;
  std::unique_ptr<CrashDisk> AfterKeepingAll() const;
  // Names and contents, to tell two states apart.
  uint64_t Fingerprint() const;
  // A byte of a file, to be damaged.
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
  // Of a name: `file` is null where it was removed.
  struct NameChange {
    std::string path;
    FilePtr file;
    bool with_next;  // the first half of a rename
  };
  class Writer;
  class Reader;

  // Whether something that was not synced is there, and how much of a write.
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
