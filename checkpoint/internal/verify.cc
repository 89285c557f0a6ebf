// CheckpointFile::Verify: checks every byte of the file, and the bytes of its tensors in other
// files.
#include <cstdint>
#include <functional>
#include <limits>
#include <mutex>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"

#include "leafstore/checkpoint/internal/checkpoint_file.h"
#include "leafstore/checkpoint/internal/segments.h"
#include "leafstore/core/error_reason.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/io/internal/parallel.h"

namespace leafstore::internal {
namespace {

constexpr size_t kMostNamed = 10;

// Returns the stored bytes of all tensors, in this file and others.
int64_t StoredBytes(const Manifest& manifest) {
  int64_t bytes = 0;
  for (const ManifestItem& item : manifest.items) {
    for (uint32_t tensor = 0; tensor < item.leaves.tensor_count(); ++tensor) {
      // Sizes may be arbitrary, as the file is not verified yet.
      if (__builtin_add_overflow(bytes, item.stored_size(tensor), &bytes)) {
        return std::numeric_limits<int64_t>::max();
      }
    }
  }
  return bytes;
}

}  // namespace

// Counts the checked bytes and reports them.
class VerifyProgress {
 public:
  VerifyProgress(const std::function<void(int64_t, int64_t)>& tell, const Manifest& manifest)
      : tell_(tell), total_(tell ? StoredBytes(manifest) : 0) {}

  void Add(int64_t bytes) {
    if (!tell_) return;
    const std::lock_guard<std::mutex> lock(mutex_);
    done_ += bytes;
    if (done_ - told_ < kProgressStep && done_ < total_) return;
    told_ = done_;
    tell_(done_, total_);
  }

 private:
  const std::function<void(int64_t, int64_t)>& tell_;
  const int64_t total_;
  std::mutex mutex_;
  int64_t done_ = 0;
  int64_t told_ = 0;
};

// Collects errors of damaged data.
class CorruptionInfo {
 public:
  // Like the overload below, but first adds a name to the error with `name`. As this takes time, it
  // is only called for the first kMostNamed errors.
  absl::Status Note(const absl::Status& status,
                    absl::FunctionRef<absl::Status(const absl::Status&)> name) {
    if (status.code() != absl::StatusCode::kDataLoss || count_ < kMostNamed) {
      return Note(name(status));
    }
    ++count_;
    return absl::OkStatus();
  }
  // Records a DataLoss error and returns OK. Returns any other status unchanged.
  absl::Status Note(const absl::Status& status) {
    if (status.ok() || status.code() != absl::StatusCode::kDataLoss) return status;
    if (reason_ == ErrorReason::kNone) reason_ = ReasonOf(status);
    if (++count_ <= kMostNamed) {
      absl::StrAppend(&text_, count_ > 1 ? "; " : "", std::string(status.message()));
    }
    return absl::OkStatus();
  }
  absl::Status ToStatus() const {
    if (count_ == 0) return absl::OkStatus();
    const std::string more =
        count_ > kMostNamed ? absl::StrCat("; and ", count_ - kMostNamed, " more") : "";
    return WithReason(absl::DataLossError(absl::StrCat(text_, more)), reason_);
  }

 private:
  size_t count_ = 0;
  ErrorReason reason_ = ErrorReason::kNone;  // the first one found
  std::string text_;
};

absl::Status CheckpointFile::Named(const Segment& segment, absl::string_view what,
                                   const absl::Status& status) const {
  return WithContext(
      status, absl::StrCat(what, TensorForMessage(manifest_.items[segment.item], segment.tensor)));
}

absl::Status CheckpointFile::VerifyOwn(VerifyProgress* progress, CorruptionInfo* damage) const {
  // The ends and the manifest were checked when the file was opened, but may have changed since.
  const Footer& footer = own_->footer();
  LEAFSTORE_RETURN_IF_ERROR(damage->Note(own_->CheckEnds()));
  const absl::Status manifest =
      own_->CheckChecksum(footer.manifest_offset, footer.manifest_size, footer.manifest_checksum);
  if (!manifest.ok()) {
    LEAFSTORE_RETURN_IF_ERROR(damage->Note(WithContext(manifest, "manifest")));
  }
  LEAFSTORE_RETURN_IF_ERROR(VerifySegments(progress, damage));
  return damage->Note(own_->CheckZeros(footer.manifest_offset + footer.manifest_size,
                                       footer.file_size - kFooterSize,
                                       "padding before the footer"));
}

absl::Status CheckpointFile::VerifySegments(VerifyProgress* progress,
                                            CorruptionInfo* damage) const {
  const std::vector<Segment> segments = SegmentsByOffset(manifest_);
  const auto end_before = [&segments](size_t i) {
    return i == 0 ? kPreambleSize : segments[i - 1].offset + segments[i - 1].size;
  };
  std::vector<absl::Status> paddings(segments.size());
  std::vector<absl::Status> contents(segments.size());
  ParallelFor(segments.size(), ThreadsFor(options_.io.threads, footer().file_size), [&](size_t i) {
    const Segment& segment = segments[i];
    paddings[i] = own_->CheckZeros(end_before(i), segment.offset, "");
    contents[i] = own_->CheckChecksum(segment.offset, segment.size, segment.checksum);
    progress->Add(segment.size);
  });
  for (size_t i = 0; i < segments.size(); ++i) {
    if (paddings[i].ok() && contents[i].ok()) continue;
    LEAFSTORE_RETURN_IF_ERROR(damage->Note(paddings[i], [&](const absl::Status& status) {
      return Named(segments[i], "padding before ", status);
    }));
    LEAFSTORE_RETURN_IF_ERROR(damage->Note(
        contents[i], [&](const absl::Status& status) { return Named(segments[i], "", status); }));
  }
  return damage->Note(own_->CheckZeros(end_before(segments.size()), footer().manifest_offset,
                                       "padding before the manifest"));
}

absl::StatusOr<std::vector<const CheckpointBytes*>> CheckpointFile::OpenBases(
    CorruptionInfo* damage) const {
  std::vector<uint64_t> tensors(manifest_.bases.size() + 1);
  for (const ManifestItem& item : manifest_.items) {
    for (uint32_t tensor = 0; tensor < item.leaves.tensor_count(); ++tensor) {
      if (item.stored_size(tensor) > 0) ++tensors[item.segments.base(tensor)];
    }
  }
  std::vector<const CheckpointBytes*> files(tensors.size());
  for (uint32_t base = 1; base < tensors.size(); ++base) {
    if (tensors[base] == 0) continue;
    const absl::StatusOr<const CheckpointBytes*> file = FileOf(base);
    if (file.ok()) {
      files[base] = *file;
      continue;
    }
    const std::string message =
        absl::StrCat(file.status().message(), "; tensors that are in it: ", tensors[base]);
    absl::Status why = WithMessage(file.status(), message);
    if (ReasonOf(why) == ErrorReason::kMissingBase) {  // this damages the checkpoint
      why = WithReason(absl::DataLossError(message), ErrorReason::kMissingBase);
    }
    LEAFSTORE_RETURN_IF_ERROR(damage->Note(why));
  }
  return files;
}

absl::Status CheckpointFile::VerifyBases(VerifyProgress* progress, CorruptionInfo* damage) const {
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<const CheckpointBytes*> files, OpenBases(damage));
  for (const ManifestItem& item : manifest_.items) {
    for (uint32_t tensor = 0; tensor < item.leaves.tensor_count(); ++tensor) {
      const CheckpointBytes* const file = files[item.segments.base(tensor)];
      if (file == nullptr || item.stored_size(tensor) == 0) continue;
      const absl::Status status = file->AsBase(
          file->CheckChecksum(static_cast<int64_t>(item.segments.offsets[tensor]),
                              item.stored_size(tensor), item.segments.checksums[tensor]));
      progress->Add(item.stored_size(tensor));
      if (status.ok()) continue;
      LEAFSTORE_RETURN_IF_ERROR(damage->Note(status, [&](const absl::Status& unnamed) {
        return WithContext(unnamed, TensorForMessage(item, tensor));
      }));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckpointFile::Verify() const {
  CorruptionInfo damage;
  VerifyProgress progress(options_.io.progress, manifest_);
  LEAFSTORE_RETURN_IF_ERROR(VerifyOwn(&progress, &damage));
  LEAFSTORE_RETURN_IF_ERROR(own_->WithPath(VerifyBases(&progress, &damage)));
  return own_->WithPath(damage.ToStatus());
}

}  // namespace leafstore::internal
