#include "leafstore/checkpoint/internal/segments.h"

#include <algorithm>
#include <tuple>

#include "absl/strings/str_cat.h"

#include "leafstore/checkpoint/internal/format.h"
#include "leafstore/core/key.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/core/value.h"
#include "leafstore/io/internal/checksum.h"

namespace leafstore::internal {
namespace {

absl::Status Wrong(const ManifestItem& item, uint32_t tensor, absl::string_view expected,
                   const absl::AlphaNum& found) {
  return absl::DataLossError(
      absl::StrCat(TensorForMessage(item, tensor), ": expected ", expected, ", found ", found));
}

// A tensor that is stored unchanged has its byte size; another 0 bytes only if its byte size is 0.
bool HasStoredSize(const ManifestItem& item, uint32_t tensor) {
  const int64_t size = item.leaves.byte_sizes()[tensor];
  const int64_t stored = item.stored_size(tensor);
  return item.segments.codec(tensor) == kCodecNone ? stored == size : (stored == 0) == (size == 0);
}

bool IsInside(int64_t offset, int64_t size, int64_t end) {
  return offset >= kPreambleSize && offset <= end && size <= end - offset;
}

bool IsAligned(int64_t offset, int64_t size) {
  return (offset & (SegmentAlignmentFor(size) - 1)) == 0;
}

// `end` is the end of the segments in the file that has the tensor.
bool IsValid(const ManifestItem& item, uint32_t tensor, int64_t end) {
  const auto offset = static_cast<int64_t>(item.segments.offsets[tensor]);
  const int64_t size = item.stored_size(tensor);
  if (!HasStoredSize(item, tensor)) return false;
  if (size == 0) return offset == 0 && item.segments.checksums[tensor] == kChecksumOfNothing;
  return IsInside(offset, size, end) && IsAligned(offset, size);
}

// Returns the error of a tensor that is not valid.
absl::Status Explain(const ManifestItem& item, uint32_t tensor, int64_t end) {
  const auto offset = static_cast<int64_t>(item.segments.offsets[tensor]);
  const int64_t size = item.leaves.byte_sizes()[tensor];
  const int64_t stored = item.stored_size(tensor);
  if (!HasStoredSize(item, tensor)) {
    const std::string expected = item.segments.codec(tensor) == kCodecNone ? absl::StrCat(size)
                                 : size == 0                               ? "no"
                                                                           : "some";
    return Wrong(item, tensor, absl::StrCat(expected, " stored bytes"), stored);
  }
  if (stored == 0 && offset != 0) {
    return Wrong(item, tensor, "no offset without stored bytes", offset);
  }
  if (stored == 0) {
    return Wrong(item, tensor, "the checksum of no bytes",
                 absl::Hex(item.segments.checksums[tensor], absl::kZeroPad16));
  }
  if (!IsInside(offset, stored, end)) {
    return Wrong(item, tensor,
                 end > kPreambleSize ? absl::StrCat("bytes from ", kPreambleSize, " to ", end)
                                     : "no bytes, as the file is too small",
                 absl::StrCat(stored, " bytes from byte ", offset, " on"));
  }
  return Wrong(item, tensor,
               absl::StrCat("an offset that is a multiple of ", SegmentAlignmentFor(stored)),
               offset);
}

// Calls `visit` with the base and the segment of each tensor that has bytes.
template <typename Visit>
void ForEachSegment(const Manifest& manifest, const Visit& visit) {
  for (uint32_t index = 0; index < manifest.items.size(); ++index) {
    const ManifestItem& item = manifest.items[index];
    for (uint32_t tensor = 0; tensor < item.leaves.tensor_count(); ++tensor) {
      if (item.stored_size(tensor) == 0) continue;
      visit(item.segments.base(tensor),
            Segment{static_cast<int64_t>(item.segments.offsets[tensor]), item.stored_size(tensor),
                    item.segments.checksums[tensor], index, tensor});
    }
  }
}

bool IsBefore(const Segment& a, const Segment& b) {
  return std::tie(a.offset, a.size, a.item, a.tensor) <
         std::tie(b.offset, b.size, b.item, b.tensor);
}

absl::Status CheckApart(const Manifest& manifest) {
  const std::vector<Segment> segments = SegmentsByOffset(manifest);
  for (size_t i = 1; i < segments.size(); ++i) {
    const Segment& a = segments[i - 1];
    const Segment& b = segments[i];
    if (b.offset >= a.offset + a.size) continue;
    return Wrong(manifest.items[b.item], b.tensor, "bytes of its own",
                 absl::StrCat("byte ", b.offset, " also in ",
                              TensorForMessage(manifest.items[a.item], a.tensor)));
  }
  return absl::OkStatus();
}

uint8_t CodecOf(const Manifest& manifest, const Segment& segment) {
  return manifest.items[segment.item].segments.codec(segment.tensor);
}

// Checks that tensors in one base have the same segment or do not overlap, and that their total
// size is within the limit.
absl::Status CheckInBase(const Manifest& manifest, const FileIdentity& base,
                         const std::vector<Segment>& segments) {
  int64_t left = MaxBytesInBase(base.file_size);
  for (size_t i = 0; i < segments.size(); ++i) {
    const Segment& b = segments[i];
    const ManifestItem& item = manifest.items[b.item];
    if (b.size > left) {
      return Wrong(
          item, b.tensor,
          absl::StrCat("at most ", MaxBytesInBase(base.file_size), " bytes of tensors in the base ",
                       Quoted(base.name), " of ", base.file_size, " bytes"),
          "more");
    }
    left -= b.size;
    if (i == 0) continue;
    const Segment& a = segments[i - 1];
    const bool same = a.offset == b.offset && a.size == b.size && a.checksum == b.checksum &&
                      CodecOf(manifest, a) == CodecOf(manifest, b);
    if (same || b.offset >= a.offset + a.size) continue;
    return Wrong(item, b.tensor, "bytes of its own, or all those of another tensor",
                 absl::StrCat("byte ", b.offset, " of the base ", Quoted(base.name), " also in ",
                              TensorForMessage(manifest.items[a.item], a.tensor)));
  }
  return absl::OkStatus();
}

absl::Status CheckInBases(const Manifest& manifest) {
  if (manifest.bases.empty()) return absl::OkStatus();
  if (manifest.bases.size() > kMaxBasesOfFile) {
    return absl::DataLossError(absl::StrCat("expected at most ", kMaxBasesOfFile, " bases, found ",
                                            manifest.bases.size()));
  }
  const std::vector<std::vector<Segment>> segments = SegmentsInBases(manifest);
  for (size_t i = 0; i < manifest.bases.size(); ++i) {
    LEAFSTORE_RETURN_IF_ERROR(CheckInBase(manifest, manifest.bases[i], segments[i + 1]));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckSegments(const Manifest& manifest, int64_t end) {
  bool ordered = true;
  int64_t last_end = 0;
  for (const ManifestItem& item : manifest.items) {
    const uint32_t tensors = item.leaves.tensor_count();
    for (uint32_t tensor = 0; tensor < tensors; ++tensor) {
      const uint32_t base = item.segments.base(tensor);
      const int64_t end_there = base == 0 ? end : manifest.bases[base - 1].file_size - kFooterSize;
      if (!IsValid(item, tensor, end_there)) return Explain(item, tensor, end_there);
      if (base != 0 || item.stored_size(tensor) == 0) continue;
      const auto offset = static_cast<int64_t>(item.segments.offsets[tensor]);
      ordered = ordered && offset >= last_end;
      last_end = offset + item.stored_size(tensor);
    }
  }
  if (!ordered) LEAFSTORE_RETURN_IF_ERROR(CheckApart(manifest));
  return CheckInBases(manifest);
}

std::vector<Segment> SegmentsByOffset(const Manifest& manifest) {
  std::vector<Segment> segments;
  ForEachSegment(manifest, [&segments](uint32_t base, const Segment& segment) {
    if (base == 0) segments.push_back(segment);
  });
  std::sort(segments.begin(), segments.end(), IsBefore);
  return segments;
}

std::vector<std::vector<Segment>> SegmentsInBases(const Manifest& manifest) {
  std::vector<std::vector<Segment>> segments(manifest.bases.size() + 1);
  ForEachSegment(manifest, [&segments](uint32_t base, const Segment& segment) {
    if (base != 0) segments[base].push_back(segment);
  });
  for (std::vector<Segment>& of_base : segments) {
    std::sort(of_base.begin(), of_base.end(), IsBefore);
  }
  return segments;
}

std::string LeafForMessage(const ManifestItem& item, uint32_t place) {
  return absl::StrCat("item ", Value(item.name).ToString(), ", '",
                      item.layout.PathForMessage(item.slots.SlotAt(place)), "'");
}

std::string TensorForMessage(const ManifestItem& item, uint32_t tensor) {
  uint32_t place = 0;
  while (!item.leaves.is_tensor(place) || item.leaves.tensor(place) != tensor) ++place;
  return LeafForMessage(item, place);
}

}  // namespace leafstore::internal
