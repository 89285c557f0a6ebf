// AnyCallFails: the file system of this machine, of which one call fails: any call, also those that
// open, map, read, list and lock. Syncs nothing, as a disk takes longer than all the rest. Safe from
// several threads.
//
//   for (int at = 0;; ++at) {
//     AnyCallFails files({.fail_at = at});
//     ...                               // works with `files`
//     if (!files.has_failed()) break;   // there are no more calls
//   }
#ifndef LEAFSTORE_TESTS_IO_ANY_CALL_FAILS_H_
#define LEAFSTORE_TESTS_IO_ANY_CALL_FAILS_H_

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/io/file_system.h"

namespace leafstore {

class AnyCallFails : public FileSystem {
 public:
  struct Fault {
    int fail_at = -1;  // the index of the call; -1: none
    absl::StatusCode code = absl::StatusCode::kUnavailable;
    bool for_ever = false;  // all later calls fail, too
  };

  explicit AnyCallFails(Fault fault) : fault_(fault) {}
  bool has_failed() const { return has_failed_; }

  absl::StatusOr<std::unique_ptr<WritableFile>> Create(const std::string& path) override {
    LEAFSTORE_RETURN_IF_ERROR(Call("create", path));
    LEAFSTORE_ASSIGN_OR_RETURN(auto file, Posix().Create(path));
    return std::make_unique<Writer>(this, path, std::move(file));
  }
  absl::StatusOr<std::unique_ptr<ReadableFile>> Open(const std::string& path) override {
    LEAFSTORE_RETURN_IF_ERROR(Call("open", path));
    LEAFSTORE_ASSIGN_OR_RETURN(auto file, Posix().Open(path));
    return std::make_unique<Reader>(this, path, std::move(file));
  }
  absl::Status Rename(const std::string& from, const std::string& to) override {
    LEAFSTORE_RETURN_IF_ERROR(Call("rename", from));
    return Posix().Rename(from, to);
  }
  absl::Status RenameNew(const std::string& from, const std::string& to) override {
    LEAFSTORE_RETURN_IF_ERROR(Call("rename", from));
    return Posix().RenameNew(from, to);
  }
  absl::Status Remove(const std::string& path) override {
    LEAFSTORE_RETURN_IF_ERROR(Call("remove", path));
    return Posix().Remove(path);
  }
  absl::Status SyncDirectory(const std::string& path) override {
    return Call("sync directory", path);
  }
  absl::Status CreateDirectory(const std::string& path) override {
    LEAFSTORE_RETURN_IF_ERROR(Call("create directory", path));
    return Posix().CreateDirectory(path);
  }
  absl::StatusOr<std::shared_ptr<void>> Lock(const std::string& path) override {
    LEAFSTORE_RETURN_IF_ERROR(Call("lock", path));
    return Posix().Lock(path);
  }
  absl::StatusOr<std::vector<std::string>> List(const std::string& path) override {
    LEAFSTORE_RETURN_IF_ERROR(Call("list", path));
    return Posix().List(path);
  }

 private:
  class Writer : public WritableFile {
   public:
    Writer(AnyCallFails* files, std::string path, std::unique_ptr<WritableFile> file)
        : files_(files), path_(std::move(path)), file_(std::move(file)) {}
    absl::Status WriteAt(int64_t offset, absl::Span<const std::byte> bytes) override {
      LEAFSTORE_RETURN_IF_ERROR(files_->Call("write", path_));
      return file_->WriteAt(offset, bytes);
    }
    absl::Status Sync() override { return files_->Call("sync", path_); }
    absl::Status Close() override {
      LEAFSTORE_RETURN_IF_ERROR(files_->Call("close", path_));
      return file_->Close();
    }

   private:
    AnyCallFails* files_;
    std::string path_;
    std::unique_ptr<WritableFile> file_;
  };

  class Reader : public ReadableFile {
   public:
    Reader(AnyCallFails* files, std::string path, std::unique_ptr<ReadableFile> file)
        : files_(files), path_(std::move(path)), file_(std::move(file)) {}
    int64_t size() const override { return file_->size(); }
    absl::Status ReadAt(int64_t offset, absl::Span<std::byte> out) const override {
      LEAFSTORE_RETURN_IF_ERROR(files_->Call("read", path_));
      return file_->ReadAt(offset, out);
    }
    absl::Status ReadDirect(int64_t offset, absl::Span<std::byte> out) const override {
      LEAFSTORE_RETURN_IF_ERROR(files_->Call("read", path_));
      return file_->ReadDirect(offset, out);
    }
    absl::StatusOr<Buffer> Map() const override {
      LEAFSTORE_RETURN_IF_ERROR(files_->Call("map", path_));
      return file_->Map();
    }
    absl::Status MakeResident(int64_t offset, absl::Span<const std::byte> bytes) const override {
      LEAFSTORE_RETURN_IF_ERROR(files_->Call("read mapped", path_));
      return file_->MakeResident(offset, bytes);
    }

   private:
    AnyCallFails* files_;
    std::string path_;
    std::unique_ptr<ReadableFile> file_;
  };

  absl::Status Call(absl::string_view what, const std::string& path) {
    const int call = calls_++;
    if (fault_.fail_at < 0 || call < fault_.fail_at) return absl::OkStatus();
    if (call > fault_.fail_at && !fault_.for_ever) return absl::OkStatus();
    has_failed_ = true;
    return absl::Status(fault_.code, absl::StrCat(path, ": injected: cannot ", what));
  }

  const Fault fault_;
  std::atomic<int> calls_{0};
  std::atomic<bool> has_failed_{false};
};

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_IO_ANY_CALL_FAILS_H_
