// HookedFiles: the file system of this machine, with calls that fail as a test wants.
#ifndef LEAFSTORE_TESTS_CHECKPOINT_HOOKED_FILES_H_
#define LEAFSTORE_TESTS_CHECKPOINT_HOOKED_FILES_H_

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/io/file_system.h"

#include "tests/io/faulty_file_system.h"

namespace leafstore {

// Calls hooks before calls that read or sync.
class HookedFiles : public FaultyFileSystem {
 public:
  std::function<absl::Status(const std::string& path)> before_open;
  std::function<absl::Status(const std::string& path)> before_sync;
  // The byte of the file `bad_file` at this offset cannot be read.
  std::string bad_file;
  int64_t bad_byte = 0;

  absl::StatusOr<std::unique_ptr<ReadableFile>> Open(const std::string& path) override {
    if (before_open) LEAFSTORE_RETURN_IF_ERROR(before_open(path));
    LEAFSTORE_ASSIGN_OR_RETURN(auto file, FileSystem::Posix().Open(path));
    if (path != bad_file) return file;
    return std::make_unique<BadBlock>(std::move(file), bad_byte);
  }
  absl::Status SyncDirectory(const std::string& path) override {
    if (before_sync) LEAFSTORE_RETURN_IF_ERROR(before_sync(path));
    return FileSystem::Posix().SyncDirectory(path);
  }

 private:
  class BadBlock : public ReadableFile {
   public:
    BadBlock(std::unique_ptr<ReadableFile> file, int64_t byte)
        : file_(std::move(file)), byte_(byte) {}
    int64_t size() const override { return file_->size(); }
    absl::Status ReadAt(int64_t offset, absl::Span<std::byte> out) const override {
      LEAFSTORE_RETURN_IF_ERROR(Check(offset, out.size()));
      return file_->ReadAt(offset, out);
    }
    absl::StatusOr<Buffer> Map() const override { return file_->Map(); }
    absl::Status MakeResident(int64_t offset, absl::Span<const std::byte> bytes) const override {
      return Check(offset, bytes.size());
    }

   private:
    absl::Status Check(int64_t offset, size_t size) const {
      if (byte_ < offset || byte_ >= offset + static_cast<int64_t>(size)) return absl::OkStatus();
      return absl::ErrnoToStatus(EIO, "cannot read");
    }
    std::unique_ptr<ReadableFile> file_;
    int64_t byte_;
  };
};

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_CHECKPOINT_HOOKED_FILES_H_
