// Verify: checks every byte of a checkpoint file, and the bytes of its tensors in other files.
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"

#include "leafstore/checkpoint/internal/checkpoint_file.h"
#include "leafstore/core/error_reason.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/io/internal/parallel.h"
#include "leafstore/io/internal/progress.h"

namespace leafstore::internal {
namespace {

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

// Collects errors of damaged data.
class CorruptionInfo {
 public:
  // Records a DataLoss error with `name` before it, and returns OK. Returns any other status
  // unchanged. Making a name takes time, so that only the first errors get one.
  absl::Status Note(const absl::Status& status, absl::FunctionRef<std::string()> name) {
    if (status.ok()) return status;
    if (!absl::IsDataLoss(status)) {
      return WithMessage(status, absl::StrCat(name(), status.message()));
    }
    if (reason_ == ErrorReason::kNone) reason_ = ReasonOf(status);
    if (++count_ <= kMaxNamed) {
      absl::StrAppend(&text_, count_ > 1 ? "; " : "", name(), status.message());
    }
    return absl::OkStatus();
  }
  absl::Status Note(const absl::Status& status, absl::string_view name = "") {
    return Note(status, [name] { return std::string(name); });
  }
  absl::Status ToStatus() const {
    if (count_ == 0) return absl::OkStatus();
    const std::string more =
        count_ > kMaxNamed ? absl::StrCat("; and ", count_ - kMaxNamed, " more") : "";
    return WithReason(absl::DataLossError(absl::StrCat(text_, more)), reason_);
  }

 private:
  static constexpr size_t kMaxNamed = 10;

  size_t count_ = 0;
  ErrorReason reason_ = ErrorReason::kNone;  // the first one found
  std::string text_;
};

class Verifier {
 public:
  explicit Verifier(const CheckpointFile& file)
      : file_(file), progress_(file.options().io.progress, StoredBytes(file.manifest())) {}

  absl::Status Verify() {
    LEAFSTORE_RETURN_IF_ERROR(VerifyOwn());
    LEAFSTORE_RETURN_IF_ERROR(VerifyBases());
    progress_.Finish();
    return damage_.ToStatus();
  }

 private:
  absl::Status VerifyOwn() {
    LEAFSTORE_ASSIGN_OR_RETURN(const FileBytes* bytes, file_.FileOf(0));
    // The ends and the manifest were checked when the file was opened, but may have changed since.
    const Footer& footer = file_.footer();
    const absl::StatusOr<Footer> found = ReadFooter(*bytes);
    LEAFSTORE_RETURN_IF_ERROR(damage_.Note(found.status()));
    if (found.ok() && *found != footer) {
      LEAFSTORE_RETURN_IF_ERROR(damage_.Note(absl::DataLossError(
          "footer: expected no change since the file was opened, found a different footer")));
    }
    LEAFSTORE_RETURN_IF_ERROR(
        damage_.Note(bytes->CheckChecksum(footer.manifest_offset, footer.manifest_size,
                                          footer.manifest_checksum),
                     "manifest: "));
    LEAFSTORE_RETURN_IF_ERROR(VerifySegments(*bytes));
    return damage_.Note(bytes->CheckZeros(footer.manifest_offset + footer.manifest_size,
                                          footer.file_size - kFooterSize,
                                          "padding before the footer"));
  }

  absl::Status VerifySegments(const FileBytes& bytes) {
    const Manifest& manifest = file_.manifest();
    const std::vector<Segment> segments = SegmentsByOffset(manifest);
    const auto end_before = [&segments](size_t i) {
      return i == 0 ? kPreambleSize : segments[i - 1].offset + segments[i - 1].size;
    };
    std::vector<absl::Status> paddings(segments.size());
    std::vector<absl::Status> contents(segments.size());
    const int threads = ThreadsFor(file_.options().io.threads, file_.footer().file_size);
    ParallelFor(segments.size(), threads, [&](size_t i) {
      const Segment& segment = segments[i];
      paddings[i] = bytes.CheckZeros(end_before(i), segment.offset, "");
      contents[i] = bytes.CheckChecksum(segment.offset, segment.size, segment.checksum);
      progress_.Add(segment.size);
    });
    for (size_t i = 0; i < segments.size(); ++i) {
      const auto name = [&] {
        return TensorForMessage(manifest.items[segments[i].item], segments[i].tensor) + ": ";
      };
      LEAFSTORE_RETURN_IF_ERROR(
          damage_.Note(paddings[i], [&] { return "padding before " + name(); }));
      LEAFSTORE_RETURN_IF_ERROR(damage_.Note(contents[i], name));
    }
    return damage_.Note(bytes.CheckZeros(end_before(segments.size()),
                                         file_.footer().manifest_offset,
                                         "padding before the manifest"));
  }

  // Opens the files that have tensors, in the order of FileOf; null for this file, and for one that
  // is not needed or cannot be opened.
  absl::StatusOr<std::vector<const FileBytes*>> OpenBases() {
    std::vector<uint64_t> tensors(file_.manifest().bases.size() + 1);
    for (const ManifestItem& item : file_.manifest().items) {
      for (uint32_t tensor = 0; tensor < item.leaves.tensor_count(); ++tensor) {
        if (item.stored_size(tensor) > 0) ++tensors[item.segments.base(tensor)];
      }
    }
    std::vector<const FileBytes*> files(tensors.size());
    for (uint32_t base = 1; base < tensors.size(); ++base) {
      if (tensors[base] == 0) continue;
      const absl::StatusOr<const FileBytes*> file = file_.FileOf(base);
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
      LEAFSTORE_RETURN_IF_ERROR(damage_.Note(why));
    }
    return files;
  }

  absl::Status VerifyBases() {
    LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<const FileBytes*> files, OpenBases());
    const std::vector<std::vector<Segment>> segments = SegmentsInBases(file_.manifest());
    for (size_t base = 1; base < files.size(); ++base) {
      if (files[base] == nullptr) continue;
      LEAFSTORE_RETURN_IF_ERROR(VerifyBase(*files[base], segments[base]));
    }
    return absl::OkStatus();
  }

  // Reads segments that several tensors have once.
  absl::Status VerifyBase(const FileBytes& file, const std::vector<Segment>& segments) {
    std::vector<absl::Status> contents(segments.size());
    const int threads = ThreadsFor(file_.options().io.threads, file.size());
    const auto is_new = [&segments](size_t i) {
      return i == 0 || segments[i].offset != segments[i - 1].offset;
    };
    ParallelFor(segments.size(), threads, [&](size_t i) {
      const Segment& segment = segments[i];
      if (is_new(i)) {
        contents[i] = file.CheckChecksum(segment.offset, segment.size, segment.checksum);
      }
      progress_.Add(segment.size);
    });
    for (size_t i = 0; i < segments.size(); ++i) {
      if (!is_new(i)) contents[i] = contents[i - 1];
      LEAFSTORE_RETURN_IF_ERROR(damage_.Note(contents[i], [&] {
        const ManifestItem& item = file_.manifest().items[segments[i].item];
        return absl::StrCat(TensorForMessage(item, segments[i].tensor), ": base ", file.path(),
                            ": ");
      }));
    }
    return absl::OkStatus();
  }

  const CheckpointFile& file_;
  CorruptionInfo damage_;
  Progress progress_;
};

}  // namespace

absl::Status Verify(const CheckpointFile& file) { return file.WithPath(Verifier(file).Verify()); }

}  // namespace leafstore::internal
