#include "leafstore/checkpoint/checkpoint_file.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"

#include "leafstore/checkpoint/segments.h"
#include "leafstore/core/near_names.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/core/value.h"

namespace leafstore {
namespace {

// Plain reads of tensors that lie close together are made at once, up to this many bytes; tensors
// that are larger than a quarter of it are read straight to where they go.
constexpr int64_t kReadWindow = int64_t{4} << 20;
constexpr int64_t kDirectRead = kReadWindow / 4;
constexpr int64_t kSmallGap = int64_t{16} << 10;

int64_t OffsetOf(const ManifestItem& item, uint32_t place) {
  return static_cast<int64_t>(item.segments.offsets[item.leaves.tensor(place)]);
}

// Whether the tensor at `place` is small and stored here as it is.
bool IsCoalesced(const ManifestItem& item, uint32_t place) {
  const uint32_t tensor = item.leaves.tensor(place);
  return item.leaves.byte_size(place) > 0 && item.leaves.byte_size(place) < kDirectRead &&
         item.segments.codec(tensor) == 0 && item.segments.base(tensor) == 0;
}

// Reads small tensors of a run of places, many at once.
class ReadWindow {
 public:
  // All must outlive this.
  ReadWindow(const ReadableFile& file, const ManifestItem& item, absl::Span<const uint32_t> places)
      : file_(file), item_(item), places_(places) {}

  // The bytes of the tensor at places[number]. Numbers must grow.
  absl::Status Read(size_t number, absl::Span<std::byte> out) {
    const int64_t offset = OffsetOf(item_, places_[number]);
    if (offset < begin_ || offset + static_cast<int64_t>(out.size()) > end_) {
      LEAFSTORE_RETURN_IF_ERROR(Fill(number));
    }
    std::memcpy(out.data(), buffer_.data() + (offset - begin_), out.size());
    return absl::OkStatus();
  }

 private:
  absl::Status Fill(size_t number) {
    if (buffer_.null()) {
      LEAFSTORE_ASSIGN_OR_RETURN(buffer_, Buffer::AllocateUninitialized(kReadWindow));
    }
    const int64_t begin = OffsetOf(item_, places_[number]);
    const int64_t end = EndFor(number);
    begin_ = end_ = 0;
    LEAFSTORE_RETURN_IF_ERROR(file_.ReadAt(
        begin, absl::MakeSpan(buffer_.mutable_data(), static_cast<size_t>(end - begin))));
    begin_ = begin;
    end_ = end;
    return absl::OkStatus();
  }

  // Where a read that begins with the tensor at places[first] may end: as far as small tensors
  // follow.
  int64_t EndFor(size_t first) const {
    const int64_t begin = OffsetOf(item_, places_[first]);
    int64_t end = begin + item_.leaves.byte_size(places_[first]);
    for (const uint32_t place : places_.subspan(first + 1)) {
      if (!item_.leaves.is_tensor(place) || item_.leaves.byte_size(place) == 0) continue;
      const int64_t offset = OffsetOf(item_, place);
      if (!IsCoalesced(item_, place) || offset < end || offset - end > kSmallGap ||
          offset + item_.leaves.byte_size(place) - begin > kReadWindow) {
        break;
      }
      end = offset + item_.leaves.byte_size(place);
    }
    return end;
  }

  const ReadableFile& file_;
  const ManifestItem& item_;
  absl::Span<const uint32_t> places_;
  Buffer buffer_;
  int64_t begin_ = 0;
  int64_t end_ = 0;
};

}  // namespace

absl::StatusOr<std::shared_ptr<const CheckpointFile>> CheckpointFile::Open(
    const std::string& path, const ReadOptions& options) {
  std::shared_ptr<CheckpointFile> file(new CheckpointFile());
  file->options_ = options;
  LEAFSTORE_ASSIGN_OR_RETURN(file->own_, CheckpointBytes::Open(path, options));
  if (absl::Status status = file->ReadManifest(); !status.ok()) {
    return file->own_->WithPath(status);
  }
  file->bases_ = std::vector<Base>(file->manifest_.bases.size());
  return file;
}

absl::Status CheckpointFile::ReadManifest() {
  const Footer& footer = own_->footer();
  Buffer scratch;
  LEAFSTORE_ASSIGN_OR_RETURN(const auto bytes,
                             own_->Get(footer.manifest_offset, footer.manifest_size, &scratch));
  if (const uint64_t found = Checksum(bytes); found != footer.manifest_checksum) {
    return absl::DataLossError(absl::StrCat("manifest: expected checksum ",
                                            absl::Hex(footer.manifest_checksum, absl::kZeroPad16),
                                            ", found ", absl::Hex(found, absl::kZeroPad16)));
  }
  const absl::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  LEAFSTORE_ASSIGN_OR_RETURN(manifest_, DecodeManifest(text));
  LEAFSTORE_RETURN_IF_ERROR(own_->CheckZeros(footer.manifest_offset + footer.manifest_size,
                                             footer.file_size - kFooterSize,
                                             "padding before the footer"));
  return CheckSegments(manifest_, footer.manifest_offset);
}

absl::StatusOr<std::unique_ptr<CheckpointBytes>> CheckpointFile::OpenBase(
    const BaseFile& base) const {
  const std::string path = InDirectoryOf(own_->path(), base.name);
  absl::StatusOr<std::unique_ptr<CheckpointBytes>> opened = CheckpointBytes::Open(path, options_);
  if (!opened.ok()) {
    return absl::Status(opened.status().code(), absl::StrCat("base: ", opened.status().message()));
  }
  const Footer& footer = (*opened)->footer();
  if (footer.file_size == base.file_size && footer.manifest_checksum == base.manifest_checksum) {
    return opened;
  }
  return absl::DataLossError(absl::StrCat(
      "base ", path, ": expected the file of ", base.file_size, " bytes with manifest checksum ",
      absl::Hex(base.manifest_checksum, absl::kZeroPad16), ", found one of ", footer.file_size,
      " bytes with ", absl::Hex(footer.manifest_checksum, absl::kZeroPad16)));
}

absl::StatusOr<const CheckpointBytes*> CheckpointFile::FileOf(uint32_t number) const {
  if (number == 0) return own_.get();
  const absl::StatusOr<std::unique_ptr<CheckpointBytes>>& base =
      bases_[number - 1].Get([&] { return OpenBase(manifest_.bases[number - 1]); });
  if (!base.ok()) return base.status();
  return base->get();
}

absl::StatusOr<const CheckpointBytes*> CheckpointFile::FileOf(const ManifestItem& item,
                                                              uint32_t place) const {
  const absl::StatusOr<const CheckpointBytes*> file =
      FileOf(item.segments.base(item.leaves.tensor(place)));
  if (file.ok()) return file;
  return absl::Status(file.status().code(),
                      absl::StrCat(LeafForMessage(item, place), ": ", file.status().message()));
}

absl::StatusOr<const ManifestItem*> CheckpointFile::FindItem(absl::string_view name) const {
  for (const ManifestItem& item : manifest_.items) {
    if (item.name == name) return &item;
  }
  std::vector<absl::string_view> names;
  for (const ManifestItem& item : manifest_.items) names.push_back(item.name);
  return absl::NotFoundError(
      absl::StrCat(path(), ": no item '", name, "'", DidYouMean(name, names)));
}

absl::Status CheckpointFile::CheckReadable(const ManifestItem& item, uint32_t place) {
  const uint32_t tensor = item.leaves.tensor(place);
  if (const uint8_t codec = item.segments.codec(tensor); codec != 0) {
    return absl::UnimplementedError(
        absl::StrCat(LeafForMessage(item, place), ": its bytes are stored with codec ", codec,
                     ", which this reader of format version ", kFormatVersion, " does not know"));
  }
  return absl::OkStatus();
}

absl::Status CheckpointFile::CheckChecksum(const ManifestItem& item, uint32_t place,
                                           const Tensor& tensor) {
  const uint64_t expected = item.segments.checksums[item.leaves.tensor(place)];
  const uint64_t found = Checksum(tensor.bytes());
  if (found == expected) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(
      LeafForMessage(item, place), ": expected checksum ", absl::Hex(expected, absl::kZeroPad16),
      ", found ", absl::Hex(found, absl::kZeroPad16), " of ", tensor.byte_size(),
      " bytes from byte ", OffsetOf(item, place), " on"));
}

absl::Status CheckpointFile::CheckBools(const ManifestItem& item, uint32_t place,
                                        const Tensor& tensor) {
  if (tensor.dtype() != DType::kBool || AreBools(tensor.bytes())) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat(LeafForMessage(item, place), ": expected bools, 0 or 1, found another byte"));
}

absl::StatusOr<Tensor> CheckpointFile::ViewTensor(const ManifestItem& item, uint32_t place,
                                                  const Buffer& map) {
  if (item.leaves.byte_size(place) == 0) {
    return Tensor::Uninitialized(item.leaves.dtype(place), item.leaves.shape(place));
  }
  return Tensor::FromBuffer(item.leaves.dtype(place), item.leaves.shape(place), map,
                            OffsetOf(item, place));
}

absl::Status CheckpointFile::ReadTensors(const ManifestItem& item,
                                         absl::Span<const uint32_t> places,
                                         std::vector<Leaf>* out) const {
  ReadWindow window(own_->file(), item, places);
  for (size_t i = 0; i < places.size(); ++i) {
    const uint32_t place = places[i];
    if (!item.leaves.is_tensor(place)) {
      out->push_back(item.leaves.value(place));
      continue;
    }
    LEAFSTORE_RETURN_IF_ERROR(CheckReadable(item, place));
    LEAFSTORE_ASSIGN_OR_RETURN(const CheckpointBytes* file, FileOf(item, place));
    LEAFSTORE_ASSIGN_OR_RETURN(
        Tensor tensor, Tensor::Uninitialized(item.leaves.dtype(place), item.leaves.shape(place)));
    if (tensor.byte_size() > 0) {
      LEAFSTORE_ASSIGN_OR_RETURN(MutableTensor writing, tensor.Mutate());
      LEAFSTORE_RETURN_IF_ERROR(IsCoalesced(item, place)
                                    ? window.Read(i, writing.bytes())
                                    : file->file().ReadAt(OffsetOf(item, place), writing.bytes()));
    }
    out->push_back(std::move(tensor));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Leaf>> CheckpointFile::LoadLeaves(
    const ManifestItem& item, absl::Span<const uint32_t> places) const {
  absl::StatusOr<std::vector<Leaf>> leaves = GetLeaves(item, places, options_.verify);
  return leaves.ok() ? std::move(leaves) : own_->WithPath(leaves.status());
}

absl::StatusOr<std::vector<Leaf>> CheckpointFile::GetLeaves(const ManifestItem& item,
                                                            absl::Span<const uint32_t> places,
                                                            bool verify) const {
  std::vector<Leaf> leaves;
  leaves.reserve(places.size());
  const bool mapped = options_.mode == ReadMode::kMap;
  if (!mapped) LEAFSTORE_RETURN_IF_ERROR(ReadTensors(item, places, &leaves));
  for (size_t i = 0; i < places.size(); ++i) {
    const uint32_t place = places[i];
    if (!item.leaves.is_tensor(place)) {
      if (mapped) leaves.push_back(item.leaves.value(place));
      continue;
    }
    if (mapped) {
      LEAFSTORE_RETURN_IF_ERROR(CheckReadable(item, place));
      LEAFSTORE_ASSIGN_OR_RETURN(const CheckpointBytes* file, FileOf(item, place));
      LEAFSTORE_ASSIGN_OR_RETURN(Tensor tensor, ViewTensor(item, place, file->map()));
      leaves.push_back(std::move(tensor));
    }
    const Tensor& tensor = leaves[i].tensor();
    if (verify) LEAFSTORE_RETURN_IF_ERROR(CheckChecksum(item, place, tensor));
    LEAFSTORE_RETURN_IF_ERROR(CheckBools(item, place, tensor));
  }
  return leaves;
}

absl::StatusOr<std::vector<Leaf>> CheckpointFile::LeavesToAsk(
    const ManifestItem& item, absl::Span<const Filter> filters) const {
  const bool may_look_at_bytes = std::any_of(
      filters.begin(), filters.end(), [](const Filter& filter) { return filter.has_callable(); });
  if (!may_look_at_bytes) return SpecLeaves(item);
  std::vector<uint32_t> places(item.leaves.size());
  std::iota(places.begin(), places.end(), 0);
  absl::StatusOr<std::vector<Leaf>> leaves = GetLeaves(item, places, /*verify=*/false);
  return leaves.ok() ? std::move(leaves) : own_->WithPath(leaves.status());
}

absl::StatusOr<std::vector<Leaf>> CheckpointFile::SpecLeaves(const ManifestItem& item) {
  // Bytes that are nowhere: as many as any tensor can ask for, and no memory.
  const Buffer nowhere =
      Buffer::External(nullptr, std::numeric_limits<int64_t>::max(), nullptr).value();
  std::vector<Leaf> leaves;
  leaves.reserve(item.leaves.size());
  for (uint32_t place = 0; place < item.leaves.size(); ++place) {
    if (!item.leaves.is_tensor(place)) {
      leaves.push_back(item.leaves.value(place));
      continue;
    }
    LEAFSTORE_ASSIGN_OR_RETURN(
        Tensor tensor,
        Tensor::FromBuffer(item.leaves.dtype(place), item.leaves.shape(place), nowhere));
    leaves.push_back(std::move(tensor));
  }
  return leaves;
}

}  // namespace leafstore
