// Connects libzip to files of io/file_system.h.
//
// Errors. libzip keeps its own error code; a ZipFile also keeps the Status of the file system.
#ifndef LEAFSTORE_INTEROP_NUMPY_INTERNAL_ZIP_SOURCE_H_
#define LEAFSTORE_INTEROP_NUMPY_INTERNAL_ZIP_SOURCE_H_

#include <zip.h>

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "leafstore/io/file_system.h"

namespace leafstore::internal {

// Returns "expected X, found an error: ..." for an error of libzip; out of memory is no damage.
absl::Status ZipErrorStatus(absl::string_view expected, zip_error_t* error);

struct DiscardZip {
  void operator()(zip_t* archive) const { zip_discard(archive); }
};
using ZipArchive = std::unique_ptr<zip_t, DiscardZip>;

// The file of an archive: one to read, or an empty one to write.
class ZipFile {
 public:
  // `file` must outlive this, and this the archive.
  explicit ZipFile(const ReadableFile* file) : reading_(file), size_(file->size()) {
    zip_error_init(&error_);
  }
  explicit ZipFile(WritableFile* file) : writing_(file) { zip_error_init(&error_); }
  ~ZipFile() { zip_error_fini(&error_); }
  ZipFile(const ZipFile&) = delete;
  ZipFile& operator=(const ZipFile&) = delete;

  // Hides the bytes of a file to read from this offset on.
  void CutAt(int64_t size) { size_ = size; }

  // Opens the archive with these flags of libzip. error DataLoss: it is not an archive, or has two
  // members of one name. error ResourceExhausted: out of memory.
  absl::StatusOr<ZipArchive> Open(int flags);

  // Returns the first error of the file, or OK.
  const absl::Status& status() const { return status_; }

 private:
  static zip_int64_t Callback(void* self, void* data, zip_uint64_t length,
                              zip_source_cmd_t command);
  // Executes a command of libzip and returns the callback's result; -1: see error_.
  zip_int64_t Do(void* data, zip_uint64_t length, zip_source_cmd_t command);
  zip_int64_t Read(void* data, zip_uint64_t length);
  zip_int64_t Write(const void* data, zip_uint64_t length);
  zip_int64_t Seek(void* data, zip_uint64_t length);
  // Keeps an error and returns -1.
  zip_int64_t Fail(int zip_code, absl::Status status = absl::OkStatus());

  const ReadableFile* reading_ = nullptr;
  WritableFile* writing_ = nullptr;
  int64_t position_ = 0;
  int64_t size_ = 0;
  zip_error_t error_;
  absl::Status status_;
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_INTEROP_NUMPY_INTERNAL_ZIP_SOURCE_H_
