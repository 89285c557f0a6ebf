// Connects libzip to files of io/file_system.h and to tensors in memory.
//
// Errors. libzip keeps its own error code; a ZipSource also keeps the Status of the file system,
// which says more.
#ifndef LEAFSTORE_INTEROP_NUMPY_INTERNAL_ZIP_SOURCE_H_
#define LEAFSTORE_INTEROP_NUMPY_INTERNAL_ZIP_SOURCE_H_

#include <zip.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/types/span.h"

#include "leafstore/io/file_system.h"

namespace leafstore::internal {

// An error of libzip and its text.
class ZipError {
 public:
  ZipError() { zip_error_init(&error_); }
  ~ZipError() { zip_error_fini(&error_); }
  ZipError(const ZipError&) = delete;
  ZipError& operator=(const ZipError&) = delete;

  zip_error_t* get() { return &error_; }
  int code() const { return zip_error_code_zip(&error_); }
  std::string text() { return zip_error_strerror(&error_); }

 private:
  zip_error_t error_;
};

// The callbacks of a libzip source. A ZipSource must outlive the archive.
class ZipSource {
 public:
  virtual ~ZipSource() { zip_error_fini(&error_); }
  ZipSource(const ZipSource&) = delete;
  ZipSource& operator=(const ZipSource&) = delete;

  // Executes a command of libzip and returns the callback's result; -1: see error().
  virtual zip_int64_t Do(void* data, zip_uint64_t length, zip_source_cmd_t command) = 0;

  // Make a source for an archive (null: no memory), or for a member of `archive`.
  zip_source_t* MakeSource();
  zip_source_t* MakeSource(zip_t* archive);

  // Returns the first error of a file, or OK.
  const absl::Status& status() const { return status_; }

 protected:
  ZipSource() { zip_error_init(&error_); }

  // Keep an error and return -1.
  zip_int64_t Fail(int zip_code, absl::Status status = absl::OkStatus());
  zip_int64_t GiveError(void* data, zip_uint64_t length) {
    return zip_error_to_data(&error_, data, length);
  }
  // Moves `*position` within [0, size]. Returns the new position or -1.
  zip_int64_t Seek(void* data, zip_uint64_t length, int64_t size, int64_t* position);

 private:
  static zip_int64_t Callback(void* self, void* data, zip_uint64_t length,
                              zip_source_cmd_t command);

  zip_error_t error_;
  absl::Status status_;
};

// An archive to read.
class ZipFileSource : public ZipSource {
 public:
  // `file` must outlive this.
  explicit ZipFileSource(const ReadableFile* file) : file_(file) {}
  zip_int64_t Do(void* data, zip_uint64_t length, zip_source_cmd_t command) override;

 private:
  zip_int64_t Read(void* data, zip_uint64_t length);

  const ReadableFile* file_;
  int64_t position_ = 0;
};

// An archive to write, into an empty file.
class ZipFileTarget : public ZipSource {
 public:
  // `file` must outlive this.
  explicit ZipFileTarget(WritableFile* file) : file_(file) {}
  zip_int64_t Do(void* data, zip_uint64_t length, zip_source_cmd_t command) override;

 private:
  zip_int64_t Write(const void* data, zip_uint64_t length);

  WritableFile* file_;
  int64_t position_ = 0;
  int64_t size_ = 0;
};

// A member to write: two byte ranges, one after the other.
class ZipBytesSource : public ZipSource {
 public:
  // `rest` must outlive this.
  ZipBytesSource(std::string first, absl::Span<const std::byte> rest)
      : first_(std::move(first)), rest_(rest) {}
  zip_int64_t Do(void* data, zip_uint64_t length, zip_source_cmd_t command) override;

 private:
  zip_int64_t Read(std::byte* out, size_t length);

  std::string first_;
  absl::Span<const std::byte> rest_;
  size_t position_ = 0;
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_INTEROP_NUMPY_INTERNAL_ZIP_SOURCE_H_
