#include "leafstore/interop/numpy/internal/zip_source.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"

#include "leafstore/core/error_reason.h"

namespace leafstore::internal {
namespace {

// Returns the commands of libzip that are supported for a file to read, or for one to write.
zip_int64_t SupportedCommands(bool reads) {
  constexpr int kEnd = -1;
  const zip_int64_t for_both = zip_source_make_command_bitmap(
      ZIP_SOURCE_OPEN, ZIP_SOURCE_READ, ZIP_SOURCE_CLOSE, ZIP_SOURCE_STAT, ZIP_SOURCE_ERROR,
      ZIP_SOURCE_FREE, ZIP_SOURCE_SEEK, ZIP_SOURCE_TELL, ZIP_SOURCE_SUPPORTS, kEnd);
  if (reads) return for_both;
  return for_both | zip_source_make_command_bitmap(ZIP_SOURCE_BEGIN_WRITE, ZIP_SOURCE_COMMIT_WRITE,
                                                   ZIP_SOURCE_ROLLBACK_WRITE, ZIP_SOURCE_WRITE,
                                                   ZIP_SOURCE_SEEK_WRITE, ZIP_SOURCE_TELL_WRITE,
                                                   ZIP_SOURCE_REMOVE, kEnd);
}

}  // namespace

absl::Status ZipErrorStatus(absl::string_view expected, zip_error_t* error) {
  constexpr int kZlibNoMemory = -4;  // Z_MEM_ERROR
  const int code = zip_error_code_zip(error);
  if (code == ZIP_ER_MEMORY ||
      (code == ZIP_ER_ZLIB && zip_error_code_system(error) == kZlibNoMemory)) {
    return absl::ResourceExhaustedError(absl::StrCat("no memory for ", expected));
  }
  return absl::DataLossError(
      absl::StrCat("expected ", expected, ", found an error: ", zip_error_strerror(error)));
}

absl::StatusOr<ZipArchive> ZipFile::Open(int flags) {
  zip_source_t* source = zip_source_function_create(&ZipFile::Callback, this, nullptr);
  if (source == nullptr) return absl::ResourceExhaustedError("no memory to open it");
  zip_error_t error;
  zip_error_init(&error);
  const absl::Cleanup end_error = [&error] { zip_error_fini(&error); };
  ZipArchive archive(zip_open_from_source(source, flags, &error));
  if (archive != nullptr) return archive;
  zip_source_free(source);
  if (zip_error_code_zip(&error) == ZIP_ER_EXISTS) {
    return WithReason(
        absl::DataLossError("expected members with different names, found two with the same name"),
        ErrorReason::kAmbiguous);
  }
  return ZipErrorStatus("a zip archive", &error);
}

zip_int64_t ZipFile::Callback(void* self, void* data, zip_uint64_t length,
                              zip_source_cmd_t command) {
  return static_cast<ZipFile*>(self)->Do(data, length, command);
}

zip_int64_t ZipFile::Fail(int zip_code, absl::Status status) {
  zip_error_set(&error_, zip_code, EIO);
  if (status_.ok()) status_ = std::move(status);
  return -1;
}

zip_int64_t ZipFile::Seek(void* data, zip_uint64_t length) {
  const zip_int64_t to =
      zip_source_seek_compute_offset(static_cast<zip_uint64_t>(position_),
                                     static_cast<zip_uint64_t>(size_), data, length, &error_);
  if (to < 0) return -1;
  position_ = to;
  return 0;
}

zip_int64_t ZipFile::Read(void* data, zip_uint64_t length) {
  const auto size = static_cast<size_t>(
      std::min<zip_uint64_t>(length, static_cast<zip_uint64_t>(size_ - position_)));
  absl::Status status =
      reading_->ReadAt(position_, absl::MakeSpan(static_cast<std::byte*>(data), size));
  if (!status.ok()) return Fail(ZIP_ER_READ, std::move(status));
  position_ += static_cast<int64_t>(size);
  return static_cast<zip_int64_t>(size);
}

zip_int64_t ZipFile::Write(const void* data, zip_uint64_t length) {
  absl::Status status = writing_->WriteAt(
      position_, absl::MakeConstSpan(static_cast<const std::byte*>(data), length));
  if (!status.ok()) return Fail(ZIP_ER_WRITE, std::move(status));
  position_ += static_cast<int64_t>(length);
  size_ = std::max(size_, position_);
  return static_cast<zip_int64_t>(length);
}

zip_int64_t ZipFile::Do(void* data, zip_uint64_t length, zip_source_cmd_t command) {
  const bool reads = reading_ != nullptr;
  switch (command) {
    case ZIP_SOURCE_SUPPORTS:
      return SupportedCommands(reads);
    case ZIP_SOURCE_STAT: {
      auto* stat = static_cast<zip_stat_t*>(data);
      zip_stat_init(stat);
      stat->valid = ZIP_STAT_SIZE;
      stat->size = reads ? static_cast<zip_uint64_t>(size_) : 0;
      return sizeof(*stat);
    }
    case ZIP_SOURCE_OPEN:
    case ZIP_SOURCE_BEGIN_WRITE:
      position_ = 0;
      return 0;
    case ZIP_SOURCE_READ:
      return reads ? Read(data, length) : 0;
    case ZIP_SOURCE_WRITE:
      return Write(data, length);
    case ZIP_SOURCE_SEEK:
    case ZIP_SOURCE_SEEK_WRITE:
      return Seek(data, length);
    case ZIP_SOURCE_TELL:
    case ZIP_SOURCE_TELL_WRITE:
      return position_;
    case ZIP_SOURCE_ERROR:
      return zip_error_to_data(&error_, data, length);
    // The owner of the file decides what happens to it.
    case ZIP_SOURCE_CLOSE:
    case ZIP_SOURCE_COMMIT_WRITE:
    case ZIP_SOURCE_ROLLBACK_WRITE:
    case ZIP_SOURCE_REMOVE:
    case ZIP_SOURCE_FREE:
      return 0;
    default:
      return Fail(ZIP_ER_OPNOTSUPP);
  }
}

}  // namespace leafstore::internal
