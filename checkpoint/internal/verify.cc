// Verify: checks every byte of a checkpoint file, and the bytes of its tensors in other files.
#include <cstdint>
#include <limits>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"

#include "leafstore/checkpoint/internal/checkpoint_file.h"
#include "leafstore/checkpoint/internal/read_plan.h"
#include "leafstore/core/error_reason.h"
#include "leafstore/core/status_macros.h"
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

  // A part of a file to check: a tensor's segment, or what precedes it or the manifest.
  struct Part {
    const ManifestItem* item = nullptr;  // null: the zeros before the manifest
    uint32_t tensor = 0;
    bool is_padding = false;
    const FileBytes* base = nullptr;      // if it is in a base
    absl::Span<const Segment> also = {};  // other tensors with the same bytes
    int64_t position = 0;                 // of the error
    absl::Status error = absl::OkStatus();

    std::string Name() const {
      if (item == nullptr) return "padding before the manifest: ";
      return absl::StrCat(is_padding ? "padding before " : "", NameOf(*item, tensor));
    }
    std::string NameOf(const ManifestItem& item_of, uint32_t tensor_of) const {
      return absl::StrCat(TensorForMessage(item_of, tensor_of),
                          base == nullptr ? "" : absl::StrCat(": base ", base->path()), ": ");
    }
  };
  // Parts, and a plan that reads them.
  struct Parts {
    explicit Parts(const IoOptions& io) : plan(io) {}
    void Add(Part part, ReadPlan::Range range) {
      if (range.size == 0) return;
      parts.push_back(std::move(part));
      plan.Add(range);
    }

    std::vector<Part> parts;  // parallel to the plan's ranges
    ReadPlan plan;
  };

  // Returns how to read a file. Unless the user wants it, not past the page cache: what is verified
  // is mostly loaded next.
  ReadMode ModeOf(const FileBytes& file) const {
    const ReadMode mode = file.ModeFor(file.size());
    const bool is_wanted = file_.options().io.mode == ReadMode::kDirect;
    return mode == ReadMode::kDirect && !is_wanted ? ReadMode::kRead : mode;
  }

  absl::Status VerifySegments(const FileBytes& bytes) {
    const Manifest& manifest = file_.manifest();
    const ReadMode mode = ModeOf(bytes);
    Parts parts(file_.options().io);
    int64_t end = kPreambleSize;
    for (const Segment& segment : SegmentsByOffset(manifest)) {
      const ManifestItem& item = manifest.items[segment.item];
      parts.Add({.item = &item, .tensor = segment.tensor, .is_padding = true},
                {.file = &bytes, .mode = mode, .offset = end, .size = segment.offset - end});
      parts.Add({.item = &item, .tensor = segment.tensor}, {.file = &bytes,
                                                            .mode = mode,
                                                            .offset = segment.offset,
                                                            .size = segment.size,
                                                            .verify = true,
                                                            .checksum = segment.checksum,
                                                            .blocks = item.blocks(segment.tensor)});
      end = segment.offset + segment.size;
    }
    parts.Add({.is_padding = true}, {.file = &bytes,
                                     .mode = mode,
                                     .offset = end,
                                     .size = file_.footer().manifest_offset - end});
    return Check(&parts);
  }

  // Reads and checks all parts, and notes what is damaged.
  absl::Status Check(Parts* parts) {
    std::mutex mutex;  // of the errors: those of one part may come from several threads
    const auto visit = [&](size_t index, int64_t position, absl::Span<const std::byte> bytes) {
      const Part& part = parts->parts[index];
      if (part.is_padding) {
        return CheckZeroBytes(parts->plan.range(index).offset + position, bytes);
      }
      // Bytes that were checked in steps are no longer there.
      progress_.Add(bytes.empty() ? parts->plan.range(index).size
                                  : static_cast<int64_t>(bytes.size()));
      return absl::OkStatus();
    };
    const auto fail = [&](size_t index, int64_t position, const absl::Status& error) {
      const std::lock_guard<std::mutex> lock(mutex);
      Part& part = parts->parts[index];
      if (part.error.ok() || position < part.position) {
        part.error = error;
        part.position = position;
      }
      return absl::OkStatus();
    };
    LEAFSTORE_RETURN_IF_ERROR(parts->plan.Run(visit, fail));
    for (const Part& part : parts->parts) {
      LEAFSTORE_RETURN_IF_ERROR(damage_.Note(part.error, [&part] { return part.Name(); }));
      for (const Segment& other : part.also) {
        const ManifestItem& item = file_.manifest().items[other.item];
        LEAFSTORE_RETURN_IF_ERROR(
            damage_.Note(part.error, [&] { return part.NameOf(item, other.tensor); }));
      }
    }
    return absl::OkStatus();
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
    Parts parts(file_.options().io);
    for (uint32_t base = 1; base < files.size(); ++base) {
      if (files[base] != nullptr) AddBase(*files[base], base, segments[base], &parts);
    }
    return Check(&parts);
  }

  // Adds the segments in a base. Bytes that several tensors have are read once.
  void AddBase(const FileBytes& file, uint32_t base, absl::Span<const Segment> segments,
               Parts* parts) {
    const ReadMode mode = ModeOf(file);
    while (!segments.empty()) {
      const size_t count = CountEqual(segments);
      const Segment& segment = segments.front();
      const ManifestItem& item = file_.manifest().items[segment.item];
      parts->Add({.item = &item,
                  .tensor = segment.tensor,
                  .base = &file,
                  .also = segments.subspan(1, count - 1)},
                 {.file = &file,
                  .mode = mode,
                  .file_index = base,
                  .offset = segment.offset,
                  .size = segment.size,
                  .verify = true,
                  .checksum = segment.checksum,
                  .blocks = item.blocks(segment.tensor)});
      segments.remove_prefix(count);
    }
  }

  // Returns how many segments at the beginning have the same bytes, with the same checksums.
  size_t CountEqual(absl::Span<const Segment> segments) const {
    const auto blocks = [this](const Segment& segment) {
      return file_.manifest().items[segment.item].blocks(segment.tensor);
    };
    size_t count = 1;
    while (count < segments.size() && segments[count].offset == segments[0].offset &&
           blocks(segments[count]) == blocks(segments[0])) {
      ++count;
    }
    return count;
  }

  const CheckpointFile& file_;
  CorruptionInfo damage_;
  Progress progress_;
};

}  // namespace

absl::Status Verify(const CheckpointFile& file) { return file.WithPath(Verifier(file).Verify()); }

}  // namespace leafstore::internal
