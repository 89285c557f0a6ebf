// FaultyFileSystem: a FileSystem that counts its calls and makes one of them fail.
#ifndef LEAFSTORE_TESTS_IO_FAULTY_FILE_SYSTEM_H_
#define LEAFSTORE_TESTS_IO_FAULTY_FILE_SYSTEM_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/io/file_system.h"

namespace leafstore {

class FaultyFileSystem : public FileSystem {
 public:
  // The index of the call that fails; -1: none.
  int fail_at = -1;
  int calls = 0;
  std::vector<std::string> log;

  absl::StatusOr<std::unique_ptr<WritableFile>> Create(const std::string& path) override {
    LEAFSTORE_RETURN_IF_ERROR(Call("create"));
    LEAFSTORE_ASSIGN_OR_RETURN(auto file, FileSystem::Posix().Create(path));
    return std::make_unique<FaultyFile>(this, std::move(file));
  }
  absl::StatusOr<std::unique_ptr<ReadableFile>> Open(const std::string& path) override {
    return FileSystem::Posix().Open(path);
  }
  absl::Status Rename(const std::string& from, const std::string& to) override {
    LEAFSTORE_RETURN_IF_ERROR(Call("rename"));
    return FileSystem::Posix().Rename(from, to);
  }
  // Never fails: otherwise tests that look for leftover files would find those of the fault itself.
  absl::Status Remove(const std::string& path) override {
    log.push_back("remove");
    return FileSystem::Posix().Remove(path);
  }
  absl::Status SyncDirectory(const std::string& path) override {
    LEAFSTORE_RETURN_IF_ERROR(Call("sync directory"));
    return FileSystem::Posix().SyncDirectory(path);
  }
  absl::Status CreateDirectory(const std::string& path) override {
    return FileSystem::Posix().CreateDirectory(path);
  }
  absl::StatusOr<std::shared_ptr<void>> Lock(const std::string& path) override {
    return FileSystem::Posix().Lock(path);
  }
  absl::StatusOr<std::vector<std::string>> List(const std::string& path) override {
    return FileSystem::Posix().List(path);
  }

 private:
  class FaultyFile : public WritableFile {
   public:
    FaultyFile(FaultyFileSystem* files, std::unique_ptr<WritableFile> file)
        : files_(files), file_(std::move(file)) {}
    absl::Status WriteAt(int64_t offset, absl::Span<const std::byte> bytes) override {
      LEAFSTORE_RETURN_IF_ERROR(files_->Call(absl::StrCat("write ", bytes.size())));
      return file_->WriteAt(offset, bytes);
    }
    void PreferDirect() override { file_->PreferDirect(); }
    absl::Status Sync() override {
      LEAFSTORE_RETURN_IF_ERROR(files_->Call("sync"));
      return file_->Sync();
    }
    absl::Status Close() override {
      LEAFSTORE_RETURN_IF_ERROR(files_->Call("close"));
      return file_->Close();
    }

   private:
    FaultyFileSystem* files_;
    std::unique_ptr<WritableFile> file_;
  };

  absl::Status Call(std::string what) {
    log.push_back(what);
    if (calls++ != fail_at) return absl::OkStatus();
    return absl::UnavailableError(absl::StrCat("fault in ", what));
  }
};

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_IO_FAULTY_FILE_SYSTEM_H_
