#include "leafstore/checkpoint/internal/file_bytes.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "leafstore/checkpoint/internal/format.h"
#include "leafstore/core/error_reason.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/io/internal/atomic_file_set.h"
#include "leafstore/io/internal/checksum.h"

namespace leafstore::internal {
namespace {

// The bytes that are checked at a time.
constexpr int64_t kPiece = int64_t{4} << 20;

}  // namespace

absl::Status CheckZeroBytes(int64_t offset, absl::Span<const std::byte> bytes) {
  if (IsZero(bytes)) return absl::OkStatus();
  const auto* first =
      std::find_if(bytes.begin(), bytes.end(), [](std::byte byte) { return byte != std::byte{0}; });
  return absl::DataLossError(absl::StrCat(
      "expected zeros, found ", absl::Hex(std::to_integer<uint8_t>(*first), absl::kZeroPad2),
      " at byte ", offset + (first - bytes.begin())));
}

absl::Status CompareChecksum(int64_t offset, int64_t size, uint64_t expected, uint64_t found) {
  if (found == expected) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(
      "expected checksum ", absl::Hex(expected, absl::kZeroPad16), ", found ",
      absl::Hex(found, absl::kZeroPad16), " of ", size, " bytes from byte ", offset, " on"));
}

absl::StatusOr<std::unique_ptr<FileBytes>> FileBytes::Open(const std::string& path,
                                                           const IoOptions& io) {
  std::unique_ptr<FileBytes> bytes(new FileBytes());
  bytes->path_ = path;
  auto opened = io.files().Open(path);
  if (!opened.ok()) return NameKeptAside(io.files(), path, opened.status());
  bytes->file_ = *std::move(opened);
  bytes->is_auto_ = io.mode == ReadMode::kAuto;
  bytes->mode_ = io.mode;
  if (bytes->is_auto_) bytes->mode_ = bytes->file_->IsLocal() ? ReadMode::kMap : ReadMode::kRead;
  return bytes;
}

absl::StatusOr<const Buffer*> FileBytes::Map() const {
  static const Buffer* const kNone = new Buffer();
  if (mode_ != ReadMode::kMap) return kNone;
  absl::StatusOr<const Buffer*> map = map_.TryGet([this] { return file_->Map(); });
  if (!map.ok() && is_auto_) return kNone;
  return map;
}

ReadMode FileBytes::ModeFor(int64_t bytes) const {
  const bool may_be_direct = is_auto_ && mode_ == ReadMode::kMap && bytes >= kLeastDirect;
  if (may_be_direct && !file_->IsCached()) return ReadMode::kDirect;
  if (mode_ != ReadMode::kMap) return mode_;
  const absl::StatusOr<const Buffer*> map = Map();
  return map.ok() && (*map)->null() ? ReadMode::kRead : ReadMode::kMap;
}

absl::StatusOr<absl::Span<const std::byte>> FileBytes::Get(int64_t offset, int64_t size,
                                                           Buffer* scratch) const {
  LEAFSTORE_ASSIGN_OR_RETURN(const Buffer* map, Map());
  if (!map->null()) {
    const auto bytes = map->bytes().subspan(static_cast<size_t>(offset), static_cast<size_t>(size));
    LEAFSTORE_RETURN_IF_ERROR(file_->MakeResident(offset, bytes));
    return bytes;
  }
  if (!scratch->IsWritable() || scratch->size() < size) {
    LEAFSTORE_ASSIGN_OR_RETURN(*scratch, Buffer::AllocateUninitialized(size));
  }
  const absl::Span<std::byte> out(scratch->mutable_data(), static_cast<size_t>(size));
  LEAFSTORE_RETURN_IF_ERROR(file_->ReadAt(offset, out));
  return absl::Span<const std::byte>(out);
}

absl::Status FileBytes::CheckChecksum(int64_t offset, int64_t size, uint64_t checksum) const {
  LEAFSTORE_ASSIGN_OR_RETURN(ChecksumStream stream, ChecksumStream::Create());
  Buffer scratch;
  for (int64_t done = 0; done < size; done += kPiece) {
    LEAFSTORE_ASSIGN_OR_RETURN(const auto bytes,
                               Get(offset + done, std::min(size - done, kPiece), &scratch));
    stream.Append(bytes);
  }
  return CompareChecksum(offset, size, checksum, stream.Value());
}

absl::Status FileBytes::CheckZeros(int64_t begin, int64_t end, absl::string_view section) const {
  Buffer scratch;
  for (; begin < end; begin += kPiece) {
    LEAFSTORE_ASSIGN_OR_RETURN(const auto bytes,
                               Get(begin, std::min(end - begin, kPiece), &scratch));
    const absl::Status status = CheckZeroBytes(begin, bytes);
    if (!status.ok()) return WithContext(status, section);
  }
  return absl::OkStatus();
}

absl::Status FileBytes::WithPath(const absl::Status& status) const {
  // Errors of the file system have the path already: first, or after the operation or a leaf.
  const std::string named = absl::StrCat(path_, ": ");
  if (status.ok() || absl::StartsWith(status.message(), named) ||
      absl::StrContains(status.message(), absl::StrCat(" ", named))) {
    return status;
  }
  return WithContext(status, path_);
}

}  // namespace leafstore::internal
