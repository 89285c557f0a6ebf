// WatchedFiles: the files of this machine, with counts of what is read, and properties of another
// disk: slow, on another machine, or not in the page cache.
#ifndef LEAFSTORE_TESTS_IO_WATCHED_FILES_H_
#define LEAFSTORE_TESTS_IO_WATCHED_FILES_H_

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "leafstore/core/status_macros.h"
#include "leafstore/io/internal/forwarding_file_system.h"

namespace leafstore {

class WatchedFiles : public internal::ForwardingFileSystem {
 public:
  // Set before files are opened.
  bool is_local = true;
  bool is_cached = true;
  std::chrono::microseconds wait{0};  // of each read

  std::atomic<int> maps{0};
  std::atomic<int> reads{0};
  std::atomic<int> direct_reads{0};  // among `reads`
  std::atomic<int64_t> bytes{0};     // that were read
  std::atomic<int64_t> largest{0};   // read
  std::atomic<int64_t> resident{0};  // bytes of mappings that were brought into memory

  absl::StatusOr<std::unique_ptr<ReadableFile>> Open(const std::string& path) override {
    LEAFSTORE_ASSIGN_OR_RETURN(auto file, ForwardingFileSystem::Open(path));
    return std::make_unique<File>(this, std::move(file));
  }

 private:
  class File : public ReadableFile {
   public:
    File(WatchedFiles* files, std::unique_ptr<ReadableFile> file)
        : files_(files), file_(std::move(file)) {}
    int64_t size() const override { return file_->size(); }
    absl::Status ReadAt(int64_t offset, absl::Span<std::byte> out) const override {
      Count(static_cast<int64_t>(out.size()));
      return file_->ReadAt(offset, out);
    }
    absl::Status ReadDirect(int64_t offset, absl::Span<std::byte> out) const override {
      Count(static_cast<int64_t>(out.size()));
      ++files_->direct_reads;
      return file_->ReadDirect(offset, out);
    }
    bool IsLocal() const override { return files_->is_local; }
    bool IsCached() const override { return files_->is_cached; }
    absl::StatusOr<Buffer> Map() const override {
      ++files_->maps;
      return file_->Map();
    }
    absl::Status MakeResident(int64_t offset, absl::Span<const std::byte> bytes) const override {
      files_->resident += static_cast<int64_t>(bytes.size());
      return file_->MakeResident(offset, bytes);
    }

   private:
    void Count(int64_t size) const {
      ++files_->reads;
      files_->bytes += size;
      int64_t largest = files_->largest;
      while (size > largest && !files_->largest.compare_exchange_weak(largest, size)) {
      }
      if (files_->wait.count() > 0) std::this_thread::sleep_for(files_->wait);
    }

    WatchedFiles* files_;
    std::unique_ptr<ReadableFile> file_;
  };
};

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_IO_WATCHED_FILES_H_
