#include "leafstore/checkpoint/internal/segments.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"

#include "leafstore/checkpoint/format.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/core/value.h"
#include "leafstore/io/internal/checksum.h"

namespace leafstore::internal {
namespace {

absl::Status Wrong(const ManifestItem& item, uint32_t tensor, absl::string_view expected,
                   absl::string_view found) {
  return absl::DataLossError(
      absl::StrCat(TensorForMessage(item, tensor), ": expected ", expected, ", found ", found));
}

// Checks the offset and checksum of a tensor without bytes.
absl::Status CheckNoSegment(const ManifestItem& item, uint32_t tensor) {
  if (item.segments.offsets[tensor] != 0) {
    return Wrong(item, tensor, "no offset without stored bytes",
                 absl::StrCat(item.segments.offsets[tensor]));
  }
  if (item.segments.checksums[tensor] != kChecksumOfNothing) {
    return Wrong(item, tensor, "the checksum of no bytes",
                 absl::StrCat(absl::Hex(item.segments.checksums[tensor], absl::kZeroPad16)));
  }
  return absl::OkStatus();
}

absl::Status CheckSegment(const ManifestItem& item, uint32_t tensor, int64_t end) {
  const auto offset = static_cast<int64_t>(item.segments.offsets[tensor]);
  const int64_t size = item.stored_size(tensor);
  if (offset < kPreambleSize || offset > end || size > end - offset) {
    return Wrong(item, tensor, absl::StrCat("bytes from ", kPreambleSize, " to ", end),
                 absl::StrCat(size, " bytes from byte ", offset, " on"));
  }
  if ((offset & (SegmentAlignmentFor(size) - 1)) != 0) {
    return Wrong(item, tensor,
                 absl::StrCat("an offset that is a multiple of ", SegmentAlignmentFor(size)),
                 absl::StrCat(offset));
  }
  return absl::OkStatus();
}

// Checks the stored size of a tensor: its byte size if it is stored unchanged; otherwise 0 only if
// its byte size is 0.
absl::Status CheckStoredSize(const ManifestItem& item, uint32_t tensor) {
  const int64_t size = item.leaves.byte_sizes()[tensor];
  const int64_t found = item.stored_size(tensor);
  if (item.segments.codec(tensor) == kCodecNone) {
    if (found == size) return absl::OkStatus();
    return Wrong(item, tensor, absl::StrCat(size, " stored bytes"), absl::StrCat(found));
  }
  if ((found == 0) == (size == 0)) return absl::OkStatus();
  return Wrong(item, tensor, absl::StrCat(size == 0 ? "no" : "some", " stored bytes"),
               absl::StrCat(found));
}

// Checks whether each segment begins at or after the end of the previous one.
class OrderCheck {
 public:
  void Add(int64_t offset, int64_t size) {
    ordered_ = ordered_ && offset >= end_;
    end_ = offset + size;
  }
  bool ordered() const { return ordered_; }

 private:
  int64_t end_ = 0;
  bool ordered_ = true;
};

// Returns whether all tensors of an item have bytes, stored unchanged in this file, in valid
// segments of ascending offsets. This is the case for nearly every item, and one tight loop. An
// item for which this returns false is not necessarily invalid.
bool ArePlain(const ManifestItem& item, int64_t end, OrderCheck* order) {
  const SegmentColumns& segments = item.segments;
  if (!segments.codecs.empty() || !segments.stored_sizes.empty() || !segments.bases.empty()) {
    return false;
  }
  const absl::Span<const int64_t> sizes = item.leaves.byte_sizes();
  OrderCheck in_order = *order;
  for (size_t tensor = 0; tensor < sizes.size(); ++tensor) {
    const auto offset = static_cast<int64_t>(segments.offsets[tensor]);
    const int64_t size = sizes[tensor];
    if (size <= 0 || offset < kPreambleSize || offset > end || size > end - offset) return false;
    if ((offset & (SegmentAlignmentFor(size) - 1)) != 0) return false;
    in_order.Add(offset, size);
  }
  if (!in_order.ordered()) return false;
  *order = in_order;
  return true;
}

bool HasSegment(const ManifestItem& item, uint32_t tensor) {
  return item.stored_size(tensor) != 0 && item.segments.base(tensor) == 0;
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

}  // namespace

absl::Status CheckSegments(const Manifest& manifest, int64_t end) {
  OrderCheck order;
  const auto end_in = [&](uint32_t base) {
    return base == 0 ? end : manifest.bases[base - 1].file_size - kFooterSize;
  };
  for (const ManifestItem& item : manifest.items) {
    if (ArePlain(item, end, &order)) continue;
    const uint32_t tensors = item.leaves.tensor_count();
    for (uint32_t tensor = 0; tensor < tensors; ++tensor) {
      LEAFSTORE_RETURN_IF_ERROR(CheckStoredSize(item, tensor));
      if (item.stored_size(tensor) == 0) {
        LEAFSTORE_RETURN_IF_ERROR(CheckNoSegment(item, tensor));
        continue;
      }
      LEAFSTORE_RETURN_IF_ERROR(CheckSegment(item, tensor, end_in(item.segments.base(tensor))));
      if (!HasSegment(item, tensor)) continue;
      order.Add(static_cast<int64_t>(item.segments.offsets[tensor]), item.stored_size(tensor));
    }
  }
  return order.ordered() ? absl::OkStatus() : CheckApart(manifest);
}

std::vector<Segment> SegmentsByOffset(const Manifest& manifest) {
  std::vector<Segment> segments;
  OrderCheck order;
  for (uint32_t number = 0; number < manifest.items.size(); ++number) {
    const ManifestItem& item = manifest.items[number];
    for (uint32_t tensor = 0; tensor < item.leaves.tensor_count(); ++tensor) {
      if (!HasSegment(item, tensor)) continue;
      segments.push_back({static_cast<int64_t>(item.segments.offsets[tensor]),
                          item.stored_size(tensor), item.segments.checksums[tensor], number,
                          tensor});
      order.Add(segments.back().offset, segments.back().size);
    }
  }
  if (!order.ordered()) {
    std::sort(segments.begin(), segments.end(),
              [](const Segment& a, const Segment& b) { return a.offset < b.offset; });
  }
  return segments;
}

std::string LeafForMessage(const ManifestItem& item, uint32_t place) {
  return absl::StrCat("item ", Value(item.name).ToString(), ", '",
                      item.layout.PathForMessage(item.slots.SlotAt(place)), "'");
}

std::string TensorForMessage(const ManifestItem& item, uint32_t tensor) {
  for (uint32_t place = 0; place < item.leaves.size(); ++place) {
    if (item.leaves.is_tensor(place) && item.leaves.tensor(place) == tensor) {
      return LeafForMessage(item, place);
    }
  }
  return absl::StrCat("item ", Value(item.name).ToString(), ", tensor ", tensor);
}

}  // namespace leafstore::internal
