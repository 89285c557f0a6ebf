#include "leafstore/interop/numpy/internal/zip_source.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace leafstore::internal {

zip_source_t* ZipSource::MakeSource() {
  return zip_source_function_create(&ZipSource::Callback, this, nullptr);
}

zip_source_t* ZipSource::MakeSource(zip_t* archive) {
  return zip_source_function(archive, &ZipSource::Callback, this);
}

zip_int64_t ZipSource::Callback(void* self, void* data, zip_uint64_t length,
                                zip_source_cmd_t command) {
  return static_cast<ZipSource*>(self)->Do(data, length, command);
}

zip_int64_t ZipSource::Fail(int zip_code, absl::Status status) {
  zip_error_set(&error_, zip_code, EIO);
  if (status_.ok()) status_ = std::move(status);
  return -1;
}

zip_int64_t ZipSource::Seek(void* data, zip_uint64_t length, int64_t size, int64_t* position) {
  const zip_int64_t to = zip_source_seek_compute_offset(
      static_cast<zip_uint64_t>(*position), static_cast<zip_uint64_t>(size), data, length, &error_);
  if (to < 0) return -1;
  *position = to;
  return 0;
}

zip_int64_t ZipFileSource::Read(void* data, zip_uint64_t length) {
  const auto size = static_cast<size_t>(
      std::min<zip_uint64_t>(length, static_cast<zip_uint64_t>(file_->size() - position_)));
  absl::Status status =
      file_->ReadAt(position_, absl::MakeSpan(static_cast<std::byte*>(data), size));
  if (!status.ok()) return Fail(ZIP_ER_READ, std::move(status));
  position_ += static_cast<int64_t>(size);
  return static_cast<zip_int64_t>(size);
}

zip_int64_t ZipFileSource::Do(void* data, zip_uint64_t length, zip_source_cmd_t command) {
  switch (command) {
    case ZIP_SOURCE_SUPPORTS:
      return zip_source_make_command_bitmap(
          ZIP_SOURCE_OPEN, ZIP_SOURCE_READ, ZIP_SOURCE_CLOSE, ZIP_SOURCE_STAT, ZIP_SOURCE_ERROR,
          ZIP_SOURCE_FREE, ZIP_SOURCE_SEEK, ZIP_SOURCE_TELL, ZIP_SOURCE_SUPPORTS, -1);
    case ZIP_SOURCE_OPEN:
      position_ = 0;
      return 0;
    case ZIP_SOURCE_READ:
      return Read(data, length);
    case ZIP_SOURCE_SEEK:
      return Seek(data, length, file_->size(), &position_);
    case ZIP_SOURCE_TELL:
      return position_;
    case ZIP_SOURCE_STAT: {
      auto* stat = static_cast<zip_stat_t*>(data);
      zip_stat_init(stat);
      stat->valid = ZIP_STAT_SIZE;
      stat->size = static_cast<zip_uint64_t>(file_->size());
      return sizeof(*stat);
    }
    case ZIP_SOURCE_ERROR:
      return GiveError(data, length);
    case ZIP_SOURCE_CLOSE:
    case ZIP_SOURCE_FREE:
      return 0;
    default:
      return Fail(ZIP_ER_OPNOTSUPP);
  }
}

zip_int64_t ZipFileTarget::Write(const void* data, zip_uint64_t length) {
  absl::Status status =
      file_->WriteAt(position_, absl::MakeConstSpan(static_cast<const std::byte*>(data), length));
  if (!status.ok()) return Fail(ZIP_ER_WRITE, std::move(status));
  position_ += static_cast<int64_t>(length);
  size_ = std::max(size_, position_);
  return static_cast<zip_int64_t>(length);
}

zip_int64_t ZipFileTarget::Do(void* data, zip_uint64_t length, zip_source_cmd_t command) {
  switch (command) {
    case ZIP_SOURCE_SUPPORTS:
      return zip_source_make_command_bitmap(
          ZIP_SOURCE_OPEN, ZIP_SOURCE_READ, ZIP_SOURCE_CLOSE, ZIP_SOURCE_STAT, ZIP_SOURCE_ERROR,
          ZIP_SOURCE_FREE, ZIP_SOURCE_SEEK, ZIP_SOURCE_TELL, ZIP_SOURCE_SUPPORTS,
          ZIP_SOURCE_BEGIN_WRITE, ZIP_SOURCE_COMMIT_WRITE, ZIP_SOURCE_ROLLBACK_WRITE,
          ZIP_SOURCE_WRITE, ZIP_SOURCE_SEEK_WRITE, ZIP_SOURCE_TELL_WRITE, ZIP_SOURCE_REMOVE, -1);
    case ZIP_SOURCE_STAT: {
      auto* stat = static_cast<zip_stat_t*>(data);
      zip_stat_init(stat);
      stat->valid = ZIP_STAT_SIZE;
      stat->size = 0;
      return sizeof(*stat);
    }
    case ZIP_SOURCE_BEGIN_WRITE:
      position_ = 0;
      size_ = 0;
      return 0;
    case ZIP_SOURCE_WRITE:
      return Write(data, length);
    case ZIP_SOURCE_SEEK_WRITE:
      return Seek(data, length, size_, &position_);
    case ZIP_SOURCE_TELL_WRITE:
      return position_;
    case ZIP_SOURCE_ERROR:
      return GiveError(data, length);
    // Nothing to read; the owner of the file decides what happens to it.
    case ZIP_SOURCE_READ:
    case ZIP_SOURCE_OPEN:
    case ZIP_SOURCE_CLOSE:
    case ZIP_SOURCE_SEEK:
    case ZIP_SOURCE_TELL:
    case ZIP_SOURCE_COMMIT_WRITE:
    case ZIP_SOURCE_ROLLBACK_WRITE:
    case ZIP_SOURCE_REMOVE:
    case ZIP_SOURCE_FREE:
      return 0;
    default:
      return Fail(ZIP_ER_OPNOTSUPP);
  }
}

zip_int64_t ZipBytesSource::Read(std::byte* out, size_t length) {
  size_t done = 0;
  if (position_ < first_.size()) {
    done = std::min(length, first_.size() - position_);
    std::memcpy(out, first_.data() + position_, done);
  }
  position_ += done;
  if (position_ >= first_.size()) {
    const absl::Span<const std::byte> more =
        rest_.subspan(position_ - first_.size(), length - done);
    if (!more.empty()) std::memcpy(out + done, more.data(), more.size());
    position_ += more.size();
    done += more.size();
  }
  return static_cast<zip_int64_t>(done);
}

zip_int64_t ZipBytesSource::Do(void* data, zip_uint64_t length, zip_source_cmd_t command) {
  switch (command) {
    case ZIP_SOURCE_SUPPORTS:
      return zip_source_make_command_bitmap(ZIP_SOURCE_OPEN, ZIP_SOURCE_READ, ZIP_SOURCE_CLOSE,
                                            ZIP_SOURCE_STAT, ZIP_SOURCE_ERROR, ZIP_SOURCE_FREE,
                                            ZIP_SOURCE_SUPPORTS, -1);
    case ZIP_SOURCE_OPEN:
      position_ = 0;
      return 0;
    case ZIP_SOURCE_READ:
      return Read(static_cast<std::byte*>(data), static_cast<size_t>(length));
    case ZIP_SOURCE_STAT: {
      auto* stat = static_cast<zip_stat_t*>(data);
      zip_stat_init(stat);
      stat->valid = ZIP_STAT_SIZE;
      stat->size = first_.size() + rest_.size();
      return sizeof(*stat);
    }
    case ZIP_SOURCE_ERROR:
      return GiveError(data, length);
    case ZIP_SOURCE_CLOSE:
    case ZIP_SOURCE_FREE:
      return 0;
    default:
      return Fail(ZIP_ER_OPNOTSUPP);
  }
}

}  // namespace leafstore::internal
