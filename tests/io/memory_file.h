// MemoryFile: a read-only FileSystem with one file, in memory, so that tests can read thousands of
// damaged files without writing them to disk.
#ifndef LEAFSTORE_TESTS_IO_MEMORY_FILE_H_
#define LEAFSTORE_TESTS_IO_MEMORY_FILE_H_

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "leafstore/io/file_system.h"

namespace leafstore {

class MemoryFile : public FileSystem {
 public:
  explicit MemoryFile(std::string bytes)
      : bytes_(std::make_shared<const std::string>(std::move(bytes))) {}

  absl::StatusOr<std::unique_ptr<ReadableFile>> Open(const std::string&) override {
    return std::make_unique<Reader>(bytes_);
  }

  absl::StatusOr<std::unique_ptr<WritableFile>> Create(const std::string&) override {
    return absl::UnimplementedError("");
  }
  absl::Status Rename(const std::string&, const std::string&) override {
    return absl::UnimplementedError("");
  }
  absl::Status Remove(const std::string&) override { return absl::UnimplementedError(""); }
  absl::Status SyncDirectory(const std::string&) override { return absl::UnimplementedError(""); }
  absl::Status CreateDirectory(const std::string&) override { return absl::UnimplementedError(""); }
  absl::StatusOr<std::shared_ptr<void>> Lock(const std::string&) override {
    return absl::UnimplementedError("");
  }
  absl::StatusOr<std::vector<std::string>> List(const std::string&) override {
    return absl::UnimplementedError("");
  }

 private:
  class Reader : public ReadableFile {
   public:
    explicit Reader(std::shared_ptr<const std::string> bytes) : bytes_(std::move(bytes)) {}
    int64_t size() const override { return static_cast<int64_t>(bytes_->size()); }
    absl::Status ReadAt(int64_t offset, absl::Span<std::byte> out) const override {
      if (offset < 0 || offset + static_cast<int64_t>(out.size()) > size()) {
        return absl::DataLossError("read past the end");
      }
      std::copy_n(bytes_->data() + offset, out.size(), reinterpret_cast<char*>(out.data()));
      return absl::OkStatus();
    }
    absl::StatusOr<Buffer> Map() const override {
      // A copy, aligned as a mapping is.
      Buffer copy = Buffer::Allocate(size()).value();
      if (size() > 0) std::memcpy(copy.mutable_data(), bytes_->data(), bytes_->size());
      return copy;
    }

   private:
    std::shared_ptr<const std::string> bytes_;
  };

  std::shared_ptr<const std::string> bytes_;
};

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_IO_MEMORY_FILE_H_
