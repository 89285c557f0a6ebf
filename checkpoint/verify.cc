// CheckpointFile::Verify: every byte of the file.
#include <xxhash.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

#include "leafstore/checkpoint/checkpoint_file.h"
#include "leafstore/checkpoint/segments.h"
#include "leafstore/core/status_macros.h"

namespace leafstore {
namespace {

constexpr int64_t kPiece = int64_t{4} << 20;
constexpr size_t kMostNamed = 10;

struct FreeHash {
  void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
};

// Collects what is damaged.
class Damage {
 public:
  // Takes note of an error of the data; returns any other.
  absl::Status Note(const absl::Status& status) {
    if (status.ok() || status.code() != absl::StatusCode::kDataLoss) return status;
    if (++count_ <= kMostNamed) {
      absl::StrAppend(&text_, count_ > 1 ? "; " : "", std::string(status.message()));
    }
    return absl::OkStatus();
  }
  absl::Status ToStatus() const {
    if (count_ == 0) return absl::OkStatus();
    if (count_ <= kMostNamed) return absl::DataLossError(text_);
    return absl::DataLossError(absl::StrCat(text_, "; and ", count_ - kMostNamed, " more"));
  }

 private:
  size_t count_ = 0;
  std::string text_;
};

}  // namespace

absl::Status CheckpointFile::CheckSegmentBytes(int64_t offset, int64_t size,
                                               uint64_t checksum) const {
  std::unique_ptr<XXH3_state_t, FreeHash> hash(XXH3_createState());
  if (hash == nullptr) return absl::ResourceExhaustedError("no memory for a checksum");
  XXH3_64bits_reset(hash.get());
  Buffer scratch;
  for (int64_t done = 0; done < size; done += kPiece) {
    LEAFSTORE_ASSIGN_OR_RETURN(const auto bytes,
                               Bytes(offset + done, std::min(size - done, kPiece), &scratch));
    XXH3_64bits_update(hash.get(), bytes.data(), bytes.size());
  }
  const uint64_t found = XXH3_64bits_digest(hash.get());
  if (found == checksum) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(
      "expected checksum ", absl::Hex(checksum, absl::kZeroPad16), ", found ",
      absl::Hex(found, absl::kZeroPad16), " of ", size, " bytes from byte ", offset, " on"));
}

absl::Status CheckpointFile::Named(const Segment& segment, absl::string_view what,
                                   const absl::Status& status) const {
  if (status.ok()) return status;
  return absl::Status(
      status.code(),
      absl::StrCat(what, TensorForMessage(manifest_.items[segment.item], segment.tensor), ": ",
                   status.message()));
}

absl::Status CheckpointFile::Verify() const {
  // The fixed parts and the manifest were checked when the file was opened; once more, as they are
  // now.
  Buffer scratch;
  Damage damage;
  const int64_t size = footer_.file_size;
  LEAFSTORE_ASSIGN_OR_RETURN(const auto head, Bytes(0, kPreambleSize, &scratch));
  const absl::StatusOr<Preamble> preamble = DecodePreamble(head);
  LEAFSTORE_RETURN_IF_ERROR(damage.Note(preamble.status()));
  LEAFSTORE_ASSIGN_OR_RETURN(const auto tail, Bytes(size - kFooterSize, kFooterSize, &scratch));
  LEAFSTORE_RETURN_IF_ERROR(damage.Note(DecodeFooter(tail, footer_.versions, size).status()));
  const absl::Status manifest =
      CheckSegmentBytes(footer_.manifest_offset, footer_.manifest_size, footer_.manifest_checksum);
  if (!manifest.ok()) {
    LEAFSTORE_RETURN_IF_ERROR(
        damage.Note(absl::Status(manifest.code(), absl::StrCat("manifest: ", manifest.message()))));
  }

  int64_t end = kPreambleSize;
  for (const Segment& segment : SegmentsByOffset(manifest_)) {
    LEAFSTORE_RETURN_IF_ERROR(
        damage.Note(Named(segment, "padding before ", CheckPadding(end, segment.offset, ""))));
    LEAFSTORE_RETURN_IF_ERROR(damage.Note(
        Named(segment, "", CheckSegmentBytes(segment.offset, segment.size, segment.checksum))));
    end = segment.offset + segment.size;
  }
  LEAFSTORE_RETURN_IF_ERROR(
      damage.Note(CheckPadding(end, footer_.manifest_offset, "padding before the manifest")));
  LEAFSTORE_RETURN_IF_ERROR(
      damage.Note(CheckPadding(footer_.manifest_offset + footer_.manifest_size, size - kFooterSize,
                               "padding before the footer")));
  const absl::Status status = damage.ToStatus();
  return status.ok() ? status : WithPath(status);
}

}  // namespace leafstore
