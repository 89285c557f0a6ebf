#include "leafstore/checkpoint/internal/checkpoint_bytes.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "leafstore/core/error_reason.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/io/internal/checksum.h"

namespace leafstore::internal {
namespace {

// The bytes that are checked at a time.
constexpr int64_t kPiece = int64_t{4} << 20;

}  // namespace

absl::Status CompareChecksum(int64_t offset, int64_t size, uint64_t expected, uint64_t found) {
  if (found == expected) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(
      "expected checksum ", absl::Hex(expected, absl::kZeroPad16), ", found ",
      absl::Hex(found, absl::kZeroPad16), " of ", size, " bytes from byte ", offset, " on"));
}

absl::StatusOr<std::unique_ptr<CheckpointBytes>> CheckpointBytes::Open(const std::string& path,
                                                                       const ReadOptions& options,
                                                                       int64_t expected_size) {
  std::unique_ptr<CheckpointBytes> bytes(new CheckpointBytes());
  bytes->path_ = path;
  LEAFSTORE_ASSIGN_OR_RETURN(bytes->file_, options.io.files().Open(path));
  if (options.io.mode == ReadMode::kMap) {
    LEAFSTORE_ASSIGN_OR_RETURN(bytes->map_, bytes->file_->Map());
  }
  const absl::Status ends = bytes->ReadEnds();
  if (ends.ok()) return bytes;
  const int64_t size = bytes->file_->size();
  if (!absl::IsDataLoss(ends) || size >= expected_size) return bytes->WithPath(ends);
  return bytes->WithPath(WithReason(
      absl::DataLossError(absl::StrCat("expected a file of ", expected_size, " bytes, found ", size,
                                       "; the file was cut short")),
      ErrorReason::kTruncated));
}

absl::StatusOr<std::unique_ptr<CheckpointBytes>> CheckpointBytes::OpenBase(
    absl::string_view path, const BaseFile& base, const ReadOptions& options) {
  absl::StatusOr<std::unique_ptr<CheckpointBytes>> opened =
      Open(InDirectoryOf(path, base.name), options, base.file_size);
  if (!opened.ok()) {
    absl::Status why = WithContext(opened.status(), "base");
    return absl::IsNotFound(why) ? WithReason(std::move(why), ErrorReason::kMissingBase) : why;
  }
  const Footer& found = (*opened)->footer();
  if (found.file_size == base.file_size && found.manifest_checksum == base.manifest_checksum) {
    return opened;
  }
  return (*opened)->AsBase(absl::DataLossError(absl::StrCat(
      "expected the file of ", base.file_size, " bytes with manifest checksum ",
      absl::Hex(base.manifest_checksum, absl::kZeroPad16), ", found one of ", found.file_size,
      " bytes with ", absl::Hex(found.manifest_checksum, absl::kZeroPad16))));
}

absl::Status CheckpointBytes::ReadEnds() {
  const int64_t size = file_->size();
  Buffer scratch;
  LEAFSTORE_ASSIGN_OR_RETURN(const auto head, Get(0, std::min(size, kPreambleSize), &scratch));
  LEAFSTORE_ASSIGN_OR_RETURN(const Preamble preamble, DecodePreamble(head));
  LEAFSTORE_ASSIGN_OR_RETURN(const auto tail, Get(size - kFooterSize, kFooterSize, &scratch));
  LEAFSTORE_ASSIGN_OR_RETURN(footer_, DecodeFooter(tail, preamble, size));
  return absl::OkStatus();
}

absl::StatusOr<absl::Span<const std::byte>> CheckpointBytes::Get(int64_t offset, int64_t size,
                                                                 Buffer* scratch) const {
  if (!map_.null()) {
    const auto bytes = map_.bytes().subspan(static_cast<size_t>(offset), static_cast<size_t>(size));
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

absl::Status CheckpointBytes::CheckEnds() const {
  Buffer scratch;
  LEAFSTORE_ASSIGN_OR_RETURN(const auto head, Get(0, kPreambleSize, &scratch));
  const absl::StatusOr<Preamble> preamble = DecodePreamble(head);
  if (!preamble.ok()) return preamble.status();
  const int64_t size = footer_.file_size;
  LEAFSTORE_ASSIGN_OR_RETURN(const auto tail, Get(size - kFooterSize, kFooterSize, &scratch));
  LEAFSTORE_ASSIGN_OR_RETURN(const Footer found, DecodeFooter(tail, *preamble, size));
  if (found == footer_) return absl::OkStatus();
  return absl::DataLossError(
      "footer: expected the one that was there when the file was opened, found another");
}

absl::Status CheckpointBytes::CheckChecksum(int64_t offset, int64_t size, uint64_t checksum) const {
  LEAFSTORE_ASSIGN_OR_RETURN(ChecksumStream stream, ChecksumStream::Create());
  Buffer scratch;
  for (int64_t done = 0; done < size; done += kPiece) {
    LEAFSTORE_ASSIGN_OR_RETURN(const auto bytes,
                               Get(offset + done, std::min(size - done, kPiece), &scratch));
    stream.Append(bytes);
  }
  return CompareChecksum(offset, size, checksum, stream.Value());
}

absl::Status CheckpointBytes::CheckZeros(int64_t begin, int64_t end,
                                         absl::string_view section) const {
  Buffer scratch;
  while (begin < end) {
    const int64_t size = std::min(end - begin, kPiece);
    LEAFSTORE_ASSIGN_OR_RETURN(const auto bytes, Get(begin, size, &scratch));
    if (!IsZero(bytes)) {
      const auto* first = std::find_if(bytes.begin(), bytes.end(),
                                       [](std::byte byte) { return byte != std::byte{0}; });
      return absl::DataLossError(
          absl::StrCat(section, section.empty() ? "" : ": ", "expected zeros, found ",
                       absl::Hex(std::to_integer<uint8_t>(*first), absl::kZeroPad2), " at byte ",
                       begin + (first - bytes.begin())));
    }
    begin += size;
  }
  return absl::OkStatus();
}

absl::Status CheckpointBytes::WithPath(const absl::Status& status) const {
  // Errors of the file system have the path already: first, or after the operation or a leaf.
  const std::string named = absl::StrCat(path_, ": ");
  if (status.ok() || absl::StartsWith(status.message(), named) ||
      absl::StrContains(status.message(), absl::StrCat(" ", named))) {
    return status;
  }
  return WithContext(status, path_);
}

absl::Status CheckpointBytes::AsBase(const absl::Status& status) const {
  return WithContext(status, absl::StrCat("base ", path_));
}

}  // namespace leafstore::internal
