// ForwardingFileSystem: a FileSystem that passes its calls to another, as a base of those that
// change some of them:
//
//   class Slow : public ForwardingFileSystem {
//    public:
//     absl::StatusOr<std::unique_ptr<ReadableFile>> Open(const std::string& path) override {
//       std::this_thread::sleep_for(std::chrono::milliseconds(1));
//       return ForwardingFileSystem::Open(path);
//     }
//   };
//
// RenameNew is not passed on: it is FileSystem's, which calls Rename, so that a class that overrides
// Rename sees every rename.
//
// Lifetime: the other file system must outlive this one. Threads: as FileSystem.
#ifndef LEAFSTORE_IO_INTERNAL_FORWARDING_FILE_SYSTEM_H_
#define LEAFSTORE_IO_INTERNAL_FORWARDING_FILE_SYSTEM_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "leafstore/io/file_system.h"

namespace leafstore::internal {

class ForwardingFileSystem : public FileSystem {
 public:
  explicit ForwardingFileSystem(FileSystem& to = Posix()) : to_(to) {}

  absl::StatusOr<std::unique_ptr<WritableFile>> Create(const std::string& path) override {
    return to_.Create(path);
  }
  absl::StatusOr<std::unique_ptr<ReadableFile>> Open(const std::string& path) override {
    return to_.Open(path);
  }
  absl::Status Rename(const std::string& from, const std::string& to) override {
    return to_.Rename(from, to);
  }
  absl::Status Remove(const std::string& path) override { return to_.Remove(path); }
  absl::Status SyncDirectory(const std::string& path) override { return to_.SyncDirectory(path); }
  absl::Status CreateDirectory(const std::string& path) override {
    return to_.CreateDirectory(path);
  }
  absl::StatusOr<std::shared_ptr<void>> Lock(const std::string& path) override {
    return to_.Lock(path);
  }
  absl::StatusOr<std::vector<std::string>> List(const std::string& path) override {
    return to_.List(path);
  }

 private:
  FileSystem& to_;
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_IO_INTERNAL_FORWARDING_FILE_SYSTEM_H_
