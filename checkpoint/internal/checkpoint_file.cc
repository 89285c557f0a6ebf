#include "leafstore/checkpoint/internal/checkpoint_file.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"

#include "leafstore/checkpoint/internal/run_files.h"
#include "leafstore/checkpoint/save_history.h"
#include "leafstore/core/error_reason.h"
#include "leafstore/core/internal/suggest.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/core/value.h"
#include "leafstore/io/internal/checksum.h"

namespace leafstore::internal {
namespace {

// `expected_size`, if known, distinguishes a truncated file from other damage.
absl::StatusOr<OpenFile> OpenFooted(const std::string& path, const IoOptions& io,
                                    int64_t expected_size = 0) {
  OpenFile file;
  LEAFSTORE_ASSIGN_OR_RETURN(file.bytes, FileBytes::Open(path, io));
  const absl::StatusOr<Footer> footer = ReadFooter(*file.bytes);
  if (footer.ok()) {
    file.footer = *footer;
    return file;
  }
  const int64_t size = file.bytes->size();
  if (!absl::IsDataLoss(footer.status()) || size >= expected_size) {
    return file.bytes->WithPath(footer.status());
  }
  return file.bytes->WithPath(WithReason(
      absl::DataLossError(absl::StrCat("expected a file of ", expected_size, " bytes, found ", size,
                                       "; the file is truncated")),
      ErrorReason::kTruncated));
}

}  // namespace

absl::StatusOr<Footer> ReadFooter(const FileBytes& bytes) {
  const int64_t size = bytes.size();
  Buffer scratch;
  LEAFSTORE_ASSIGN_OR_RETURN(const auto head,
                             bytes.Get(0, std::min(size, kPreambleSize), &scratch));
  LEAFSTORE_ASSIGN_OR_RETURN(const Preamble preamble, DecodePreamble(head));
  LEAFSTORE_ASSIGN_OR_RETURN(const auto tail, bytes.Get(size - kFooterSize, kFooterSize, &scratch));
  return DecodeFooter(tail, preamble, size);
}

absl::StatusOr<OpenFile> OpenBase(absl::string_view path, const BaseFile& base,
                                  const IoOptions& io) {
  absl::StatusOr<OpenFile> opened = OpenFooted(InDirectoryOf(path, base.name), io, base.file_size);
  if (!opened.ok()) {
    absl::Status why = WithContext(opened.status(), "base");
    return absl::IsNotFound(why) ? WithReason(std::move(why), ErrorReason::kMissingBase) : why;
  }
  const Footer& found = opened->footer;
  if (found.file_size == base.file_size && found.manifest_checksum == base.manifest_checksum) {
    return opened;
  }
  return absl::DataLossError(absl::StrCat("base ", opened->bytes->path(), ": expected the file of ",
                                          base.file_size, " bytes with manifest checksum ",
                                          absl::Hex(base.manifest_checksum, absl::kZeroPad16),
                                          ", found one of ", found.file_size, " bytes with ",
                                          absl::Hex(found.manifest_checksum, absl::kZeroPad16)));
}

absl::StatusOr<OpenFile> BaseFinder::Open(absl::string_view path, const BaseFile& base,
                                          const IoOptions& io) const {
  absl::StatusOr<OpenFile> opened = OpenBase(path, base, io);
  if (opened.ok()) return opened;
  const absl::StatusOr<const Names*> abandoned = abandoned_.TryGet([&]() -> absl::StatusOr<Names> {
    LEAFSTORE_ASSIGN_OR_RETURN(const auto names, io.files().List(DirectoryOf(path)));
    Names found;
    for (const std::string& name : names) {
      const absl::string_view before = NameBeforeAbandoned(name);
      if (!before.empty()) found.emplace(before, name);
    }
    return found;
  });
  if (!abandoned.ok()) return opened;
  const auto [begin, end] = (*abandoned)->equal_range(base.name);
  for (auto it = begin; it != end; ++it) {
    const BaseFile renamed{it->second, base.file_size, base.manifest_checksum};
    absl::StatusOr<OpenFile> found = OpenBase(path, renamed, io);
    if (found.ok()) return found;
  }
  return opened;
}

absl::StatusOr<std::shared_ptr<const CheckpointFile>> CheckpointFile::Open(
    const std::string& path, const ReadOptions& options) {
  std::shared_ptr<CheckpointFile> file(new CheckpointFile());
  file->options_ = options;
  LEAFSTORE_ASSIGN_OR_RETURN(file->own_, OpenFooted(path, options.io));
  LEAFSTORE_RETURN_IF_ERROR(file->WithPath(file->ReadManifest()));
  file->bases_ = std::vector<Lazy<OpenFile>>(file->manifest_.bases.size());
  // From now on the bases can be removed or renamed. More than kMaxBases are not from leafstore, and
  // must not use up all descriptors.
  const size_t count = std::min(file->bases_.size(), SaveHistory::kMaxBases);
  for (size_t i = 0; i < count; ++i) {
    file->FileOf(static_cast<uint32_t>(i + 1)).status().IgnoreError();
  }
  return file;
}

absl::Status CheckpointFile::ReadManifest() {
  const Footer& footer = own_.footer;
  Buffer scratch;
  LEAFSTORE_ASSIGN_OR_RETURN(
      const auto bytes, own_.bytes->Get(footer.manifest_offset, footer.manifest_size, &scratch));
  const absl::Status intact = CompareChecksum(footer.manifest_offset, footer.manifest_size,
                                              footer.manifest_checksum, Checksum(bytes));
  if (!intact.ok()) return WithContext(intact, "manifest");
  const absl::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  LEAFSTORE_ASSIGN_OR_RETURN(manifest_, DecodeManifest(text));
  LEAFSTORE_RETURN_IF_ERROR(own_.bytes->CheckZeros(footer.manifest_offset + footer.manifest_size,
                                                   footer.file_size - kFooterSize,
                                                   "padding before the footer"));
  LEAFSTORE_RETURN_IF_ERROR(CheckSegments(manifest_, footer.manifest_offset));
  const std::vector<ManifestItem>& items = manifest_.items;
  by_name_.resize(items.size());
  std::iota(by_name_.begin(), by_name_.end(), 0);
  std::sort(by_name_.begin(), by_name_.end(),
            [&items](uint32_t a, uint32_t b) { return items[a].name < items[b].name; });
  return absl::OkStatus();
}

absl::StatusOr<const FileBytes*> CheckpointFile::FileOf(uint32_t base) const {
  if (base == 0) return own_.bytes.get();
  LEAFSTORE_ASSIGN_OR_RETURN(const OpenFile* file, bases_[base - 1].TryGet([&] {
    return finder_.Open(path(), manifest_.bases[base - 1], options_.io);
  }));
  return file->bytes.get();
}

absl::Status CheckpointFile::WithItem(const ManifestItem& item, const absl::Status& status) const {
  return WithPath(WithContext(status, absl::StrCat("item ", Value(item.name).ToString())));
}

absl::StatusOr<const ManifestItem*> CheckpointFile::GetItem(absl::string_view name) const {
  const std::vector<ManifestItem>& items = manifest_.items;
  const auto at = std::lower_bound(
      by_name_.begin(), by_name_.end(), name,
      [&items](uint32_t index, absl::string_view wanted) { return items[index].name < wanted; });
  if (at != by_name_.end() && items[*at].name == name) return &items[*at];
  std::vector<absl::string_view> names;
  for (const ManifestItem& item : items) names.push_back(item.name);
  return WithReason(
      absl::NotFoundError(absl::StrCat(path(), ": no item '", name, "'", DidYouMean(name, names))),
      ErrorReason::kUnknownName);
}

absl::Status ItemLeaves::Named(uint32_t place, const FileBytes* file,
                               const absl::Status& status) const {
  const bool in_base = file != nullptr && entry(place).base != 0;
  return file_.WithPath(
      WithContext(in_base ? WithContext(status, absl::StrCat("base ", file->path())) : status,
                  LeafForMessage(item_, place)));
}

}  // namespace leafstore::internal
