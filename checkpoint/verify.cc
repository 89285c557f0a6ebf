// CheckpointFile::Verify: every byte of the file, and those of its tensors in others.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

#include "leafstore/checkpoint/checkpoint_file.h"
#include "leafstore/checkpoint/segments.h"
#include "leafstore/core/status_macros.h"

namespace leafstore {
namespace {

constexpr size_t kMostNamed = 10;

}  // namespace

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

absl::Status CheckpointFile::Named(const Segment& segment, absl::string_view what,
                                   const absl::Status& status) const {
  if (status.ok()) return status;
  return absl::Status(
      status.code(),
      absl::StrCat(what, TensorForMessage(manifest_.items[segment.item], segment.tensor), ": ",
                   status.message()));
}

absl::Status CheckpointFile::VerifyOwn(Damage* damage) const {
  // The ends and the manifest were checked when the file was opened; once more, as they are now.
  const Footer& footer = own_->footer();
  LEAFSTORE_RETURN_IF_ERROR(damage->Note(own_->CheckEnds()));
  const absl::Status manifest =
      own_->CheckChecksum(footer.manifest_offset, footer.manifest_size, footer.manifest_checksum);
  if (!manifest.ok()) {
    LEAFSTORE_RETURN_IF_ERROR(damage->Note(
        absl::Status(manifest.code(), absl::StrCat("manifest: ", manifest.message()))));
  }
  int64_t end = kPreambleSize;
  for (const Segment& segment : SegmentsByOffset(manifest_)) {
    LEAFSTORE_RETURN_IF_ERROR(
        damage->Note(Named(segment, "padding before ", own_->CheckZeros(end, segment.offset, ""))));
    LEAFSTORE_RETURN_IF_ERROR(damage->Note(
        Named(segment, "", own_->CheckChecksum(segment.offset, segment.size, segment.checksum))));
    end = segment.offset + segment.size;
  }
  LEAFSTORE_RETURN_IF_ERROR(
      damage->Note(own_->CheckZeros(end, footer.manifest_offset, "padding before the manifest")));
  return damage->Note(own_->CheckZeros(footer.manifest_offset + footer.manifest_size,
                                       footer.file_size - kFooterSize,
                                       "padding before the footer"));
}

absl::Status CheckpointFile::VerifyBases(Damage* damage) const {
  for (const ManifestItem& item : manifest_.items) {
    for (uint32_t tensor = 0; tensor < item.leaves.tensor_count(); ++tensor) {
      const uint32_t base = item.segments.base(tensor);
      if (base == 0 || item.stored_size(tensor) == 0) continue;
      const absl::StatusOr<const CheckpointBytes*> file = FileOf(base);
      absl::Status status = file.status();
      if (file.ok()) {
        status = (*file)->CheckChecksum(static_cast<int64_t>(item.segments.offsets[tensor]),
                                        item.stored_size(tensor), item.segments.checksums[tensor]);
      }
      if (status.ok()) continue;
      // A base that is not there is damage to this checkpoint.
      const bool lost = absl::IsNotFound(status);
      LEAFSTORE_RETURN_IF_ERROR(damage->Note(
          absl::Status(lost ? absl::StatusCode::kDataLoss : status.code(),
                       absl::StrCat(TensorForMessage(item, tensor), ": ", status.message()))));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckpointFile::Verify() const {
  Damage damage;
  LEAFSTORE_RETURN_IF_ERROR(VerifyOwn(&damage));
  LEAFSTORE_RETURN_IF_ERROR(VerifyBases(&damage));
  return own_->WithPath(damage.ToStatus());
}

}  // namespace leafstore
