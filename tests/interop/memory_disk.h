// MemoryDisk: a FileSystem with one file, in memory and writable, which every path names.
#ifndef LEAFSTORE_TESTS_INTEROP_MEMORY_DISK_H_
#define LEAFSTORE_TESTS_INTEROP_MEMORY_DISK_H_

#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/io/memory_file.h"

namespace leafstore {

class MemoryDisk : public MemoryFile {
 public:
  MemoryDisk() : MemoryFile("") {}
  std::string bytes() const { return *bytes_; }

  absl::StatusOr<std::unique_ptr<WritableFile>> Create(const std::string&) override {
    bytes_->clear();
    return std::make_unique<Writer>(bytes_);
  }
  absl::Status Rename(const std::string&, const std::string&) override { return absl::OkStatus(); }
  absl::Status Remove(const std::string&) override { return absl::OkStatus(); }
  absl::Status SyncDirectory(const std::string&) override { return absl::OkStatus(); }
  absl::StatusOr<std::vector<std::string>> List(const std::string&) override {
    return std::vector<std::string>();
  }

 private:
  class Writer : public WritableFile {
   public:
    explicit Writer(std::shared_ptr<std::string> bytes) : bytes_(std::move(bytes)) {}
    absl::Status WriteAt(int64_t offset, absl::Span<const std::byte> bytes) override {
      const size_t end = static_cast<size_t>(offset) + bytes.size();
      if (bytes_->size() < end) bytes_->resize(end);
      if (!bytes.empty()) std::memcpy(bytes_->data() + offset, bytes.data(), bytes.size());
      return absl::OkStatus();
    }
    absl::Status Sync() override { return absl::OkStatus(); }
    absl::Status Close() override { return absl::OkStatus(); }

   private:
    std::shared_ptr<std::string> bytes_;
  };

  std::shared_ptr<std::string> bytes_ = std::make_shared<std::string>();
};

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_INTEROP_MEMORY_DISK_H_
