#include "leafstore/checkpoint/internal/checkpoint_file.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "leafstore/checkpoint/format.h"
#include "leafstore/checkpoint/internal/segments.h"
#include "leafstore/checkpoint/internal/tensor_loader.h"
#include "leafstore/core/error_reason.h"
#include "leafstore/core/internal/suggest.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/core/value.h"
#include "leafstore/io/internal/checksum.h"
#include "leafstore/io/internal/parallel.h"

namespace leafstore::internal {
namespace {

// Returns the bytes that loading a leaf reads. With `only_mapped`, a tensor that becomes a view
// counts as 0.
int64_t BytesToLoad(const ManifestItem& item, uint32_t place, bool only_mapped) {
  if (!item.leaves.is_tensor(place)) return 0;
  const uint32_t tensor = item.leaves.tensor(place);
  const bool becomes_view = only_mapped && item.segments.codec(tensor) == kCodecNone &&
                            item.leaves.dtype(place) != DType::kBool;
  return becomes_view ? 0 : item.stored_size(tensor);
}

// Splits places into runs of about kBytesPerThread bytes, as work for threads.
std::vector<absl::Span<const uint32_t>> CutByBytes(const ManifestItem& item,
                                                   absl::Span<const uint32_t> places,
                                                   bool only_mapped) {
  std::vector<absl::Span<const uint32_t>> runs;
  size_t begin = 0;
  int64_t bytes = 0;
  for (size_t i = 0; i < places.size(); ++i) {
    bytes += BytesToLoad(item, places[i], only_mapped);
    if (bytes < kBytesPerThread && i + 1 < places.size()) continue;
    runs.push_back(places.subspan(begin, i + 1 - begin));
    begin = i + 1;
    bytes = 0;
  }
  return runs;
}

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

absl::StatusOr<const CheckpointBytes*> CheckpointFile::FileOf(uint32_t number) const {
  if (number == 0) return own_.get();
  LEAFSTORE_ASSIGN_OR_RETURN(const auto* base, bases_[number - 1].TryGet([&] {
    return CheckpointBytes::OpenBase(path(), manifest_.bases[number - 1], options_);
  }));
  return base->get();
}

absl::Status CheckpointFile::WithItem(const ManifestItem& item, const absl::Status& status) const {
  return WithPath(WithContext(status, absl::StrCat("item ", Value(item.name).ToString())));
}

absl::StatusOr<const ManifestItem*> CheckpointFile::GetItem(absl::string_view name) const {
  for (const ManifestItem& item : manifest_.items) {
    if (item.name == name) return &item;
  }
  std::vector<absl::string_view> names;
  for (const ManifestItem& item : manifest_.items) names.push_back(item.name);
  return WithReason(absl::NotFoundError(absl::StrCat(path(), ": no item '", name, "'",
                                                     internal::DidYouMean(name, names))),
                    ErrorReason::kUnknownName);
}

absl::StatusOr<std::vector<Leaf>> CheckpointFile::LoadLeaves(
    const ManifestItem& item, absl::Span<const uint32_t> places) const {
  return LoadLeaves(item, places, options_.verify);
}

absl::StatusOr<std::vector<Leaf>> CheckpointFile::LoadLeaves(const ManifestItem& item,
                                                             absl::Span<const uint32_t> places,
                                                             bool verify) const {
  std::vector<Leaf> leaves(places.size());
  const std::vector<absl::Span<const uint32_t>> runs =
      CutByBytes(item, places, /*only_mapped=*/!verify && !own_->map().null());
  std::vector<absl::Status> statuses(runs.size());
  const int64_t bytes = kBytesPerThread * static_cast<int64_t>(runs.size());
  ParallelFor(runs.size(), ThreadsFor(options_.io.threads, bytes), [&](size_t number) {
    const absl::Span<const uint32_t> run = runs[number];
    TensorLoader loader(*this, item, run, verify);
    Leaf* const out = leaves.data() + (run.data() - places.data());
    for (size_t i = 0; i < run.size(); ++i) {
      absl::StatusOr<Leaf> leaf = loader.Load(i);
      if (!leaf.ok()) {
        statuses[number] = leaf.status();
        return;
      }
      out[i] = *std::move(leaf);
    }
  });
  for (const absl::Status& status : statuses) {
    if (!status.ok()) return WithPath(status);
  }
  return leaves;
}

}  // namespace leafstore::internal
