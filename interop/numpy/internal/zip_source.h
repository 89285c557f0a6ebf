// Where libzip reads archives from and writes them to: the files of io/file_system.h, and
// tensors in memory. For interop/ alone.
//
// Errors. libzip keeps a number of its own for what went wrong; the Status of the file system,
// which says more, is kept beside it.
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

namespace leafstore {

// An error of libzip's, and the text that is made of it.
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

// What a source does when it is asked. Objects of these live longer than the archive.
class ZipSource {
 public:
  virtual ~ZipSource() { zip_error_fini(&error_); }
  ZipSource(const ZipSource&) = delete;
  ZipSource& operator=(const ZipSource&) = delete;

  // What libzip's callback is to return for a command; -1: see error().
  virtual zip_int64_t Do(void* data, zip_uint64_t length, zip_source_cmd_t command) = 0;

  // For an archive (null: no memory), or for a member of `archive`.
  zip_source_t* MakeSource();
  zip_source_t* MakeSource(zip_t* archive);

  // The first error of a file, or OK.
  const absl::Status& status() const { return status_; }

 protected:
  ZipSource() { zip_error_init(&error_); }

  // Keep an error; returns -1.
  zip_int64_t Fail(int zip_code, absl::Status status = absl::OkStatus());
  zip_int64_t GiveError(void* data, zip_uint64_t length) {
    return zip_error_to_data(&error_, data, length);
  }
  // Moves `*position` within [0, size]; the new one or -1.
  zip_int64_t Seek(void* data, zip_uint64_t length, int64_t size, int64_t* position);

 private:
  static zip_int64_t Callback(void* self, void* data, zip_uint64_t length,
                              zip_source_cmd_t command);

  zip_error_t error_;
  absl::Status status_;
};

// An archive that is read.
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

// An archive that is written, into an empty file.
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

// A member that is written: two runs of bytes, one after the other.
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

}  // namespace leafstore

#endif  // LEAFSTORE_INTEROP_NUMPY_INTERNAL_ZIP_SOURCE_H_
