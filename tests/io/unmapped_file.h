// UnmappedFile: a MemoryFile that cannot be mapped. It counts its reads, and notices whether two
// threads read at a time: the first large read waits a while for another one.
#ifndef LEAFSTORE_TESTS_IO_UNMAPPED_FILE_H_
#define LEAFSTORE_TESTS_IO_UNMAPPED_FILE_H_

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "tests/io/memory_file.h"

namespace leafstore {

class UnmappedFile : public MemoryFile {
 public:
  using MemoryFile::MemoryFile;

  int reads() const { return reads_; }
  // Returns whether two threads read large ranges at a time.
  bool had_two_readers() const { return most_readers_ > 1; }

  absl::StatusOr<std::unique_ptr<ReadableFile>> Open(const std::string& path) override {
    return std::make_unique<Reader>(MemoryFile::Open(path).value(), this);
  }

 private:
  class Reader : public ReadableFile {
   public:
    Reader(std::unique_ptr<ReadableFile> file, UnmappedFile* owner)
        : file_(std::move(file)), owner_(*owner) {}
    int64_t size() const override { return file_->size(); }
    absl::Status ReadAt(int64_t offset, absl::Span<std::byte> out) const override {
      owner_.Count(out.size() > (size_t{1} << 20));
      return file_->ReadAt(offset, out);
    }
    absl::StatusOr<Buffer> Map() const override { return Buffer(); }

   private:
    std::unique_ptr<ReadableFile> file_;
    UnmappedFile& owner_;
  };

  void Count(bool is_large) {
    std::unique_lock<std::mutex> lock(mutex_);
    ++reads_;
    if (!is_large) return;
    most_readers_ = std::max(most_readers_, ++readers_);
    changed_.notify_all();
    if (!std::exchange(has_waited_, true)) {
      changed_.wait_for(lock, std::chrono::seconds(5), [this] { return most_readers_ > 1; });
    }
    --readers_;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  int reads_ = 0;
  int readers_ = 0;  // large reads under way
  int most_readers_ = 0;
  bool has_waited_ = false;
};

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_IO_UNMAPPED_FILE_H_
