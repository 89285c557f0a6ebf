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

// How many bytes at the end of a file are read at once to open it: the footer, and mostly the
// manifest.
constexpr int64_t kTail = int64_t{512} << 10;

// `expected_size`, if known, distinguishes a truncated file from other damage.
absl::StatusOr<OpenFile> OpenFooted(const std::string& path, const IoOptions& io,
                                    Buffer* tail = nullptr, int64_t expected_size = 0) {
  OpenFile file;
  LEAFSTORE_ASSIGN_OR_RETURN(file.bytes, FileBytes::Open(path, io));
  const absl::StatusOr<Footer> footer = ReadFooter(*file.bytes, tail);
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

// Returns the bytes of the manifest after checking them and the padding after them. They may be in
// the tail or in `*scratch`.
absl::StatusOr<absl::string_view> ReadManifestBytes(const OpenFile& file, const Buffer& tail,
                                                    Buffer* scratch) {
  const Footer& footer = file.footer;
  const int64_t size = footer.file_size - kFooterSize - footer.manifest_offset;
  const int64_t tail_begin = footer.file_size - tail.size();
  absl::Span<const std::byte> bytes;
  if (footer.manifest_offset >= tail_begin) {
    bytes = tail.bytes().subspan(static_cast<size_t>(footer.manifest_offset - tail_begin),
                                 static_cast<size_t>(size));
  } else {
    LEAFSTORE_ASSIGN_OR_RETURN(bytes, file.bytes->Get(footer.manifest_offset, size, scratch));
  }
  const auto manifest = bytes.subspan(0, static_cast<size_t>(footer.manifest_size));
  const absl::Status intact = CompareChecksum(footer.manifest_offset, footer.manifest_size,
                                              footer.manifest_checksum, Checksum(manifest));
  if (!intact.ok()) return WithContext(intact, "manifest");
  const absl::Status padding =
      CheckZeroBytes(footer.manifest_offset + footer.manifest_size, bytes.subspan(manifest.size()));
  if (!padding.ok()) return WithContext(padding, "padding before the footer");
  return absl::string_view(reinterpret_cast<const char*>(manifest.data()), manifest.size());
}

}  // namespace

bool IsOfProcess(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kResourceExhausted:  // no memory, no descriptors
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kFailedPrecondition:  // not connected, busy
    case absl::StatusCode::kAborted:             // a file of a network disk has vanished
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kDeadlineExceeded:
      return true;
    default:
      return false;
  }
}

absl::StatusOr<Footer> ReadFooter(const FileBytes& bytes, Buffer* tail) {
  const int64_t size = bytes.size();
  Buffer scratch;
  LEAFSTORE_ASSIGN_OR_RETURN(const auto head,
                             bytes.Get(0, std::min(size, kPreambleSize), &scratch));
  LEAFSTORE_ASSIGN_OR_RETURN(const Preamble preamble, DecodePreamble(head));
  int64_t most = kFooterSize;
  if (tail != nullptr) {
    LEAFSTORE_ASSIGN_OR_RETURN(const Buffer* map, bytes.Map());
    if (map->null()) most = std::min(size, kTail);
  }
  auto end = bytes.Get(size - most, most, most > kFooterSize ? tail : &scratch);
  if (!end.ok() && most > kFooterSize) {
    *tail = Buffer();  // perhaps its end can be read
    end = bytes.Get(size - kFooterSize, kFooterSize, &scratch);
  }
  LEAFSTORE_RETURN_IF_ERROR(end.status());
  return DecodeFooter(end->subspan(end->size() - kFooterSize), preamble, size);
}

absl::StatusOr<OpenFile> OpenBase(absl::string_view path, const FileIdentity& base,
                                  const IoOptions& io) {
  absl::StatusOr<OpenFile> opened =
      OpenFooted(InDirectoryOf(path, base.name), io, nullptr, base.file_size);
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

absl::StatusOr<OpenFile> FindBase(absl::string_view path, const FileIdentity& base,
                                  const IoOptions& io) {
  // A directory that changes while it is listed may show neither the old name nor the new one.
  constexpr int kMaxAttempts = 2;
  absl::StatusOr<OpenFile> opened;
  for (int attempt = 1; attempt <= kMaxAttempts; ++attempt) {
    opened = OpenBase(path, base, io);
    if (opened.ok() || IsOfProcess(opened.status())) return opened;
    const auto names = io.files().List(DirectoryOf(path));
    if (!names.ok() && IsOfProcess(names.status())) return names.status();
    if (!names.ok()) return opened;
    for (const std::string& name : *names) {
      if (NameBeforeAbandoned(name) != base.name) continue;
      const FileIdentity renamed{name, base.file_size, base.manifest_checksum};
      absl::StatusOr<OpenFile> found = OpenBase(path, renamed, io);
      if (found.ok() || IsOfProcess(found.status())) return found;
    }
  }
  return opened;
}

absl::StatusOr<ManifestHead> ReadHead(const std::string& path, const IoOptions& io,
                                      FileIdentity* identity) {
  Buffer tail;
  LEAFSTORE_ASSIGN_OR_RETURN(const OpenFile file, OpenFooted(path, io, &tail));
  *identity = {FileNameOf(path), file.footer.file_size, file.footer.manifest_checksum};
  Buffer scratch;
  const absl::StatusOr<absl::string_view> bytes = ReadManifestBytes(file, tail, &scratch);
  if (!bytes.ok()) return file.bytes->WithPath(bytes.status());
  absl::StatusOr<ManifestHead> head = DecodeManifestHead(*bytes);
  return head.ok() ? std::move(head) : file.bytes->WithPath(head.status());
}

absl::StatusOr<std::shared_ptr<const CheckpointFile>> CheckpointFile::Open(
    const std::string& path, const ReadOptions& options) {
  std::shared_ptr<CheckpointFile> file(new CheckpointFile());
  file->options_ = options;
  {
    Buffer tail;
    LEAFSTORE_ASSIGN_OR_RETURN(file->own_, OpenFooted(path, options.io, &tail));
    LEAFSTORE_RETURN_IF_ERROR(file->WithPath(file->ReadManifest(tail)));
  }
  file->bases_ = std::vector<Lazy<OpenFile>>(file->manifest_.bases.size());
  // After this, the bases can be removed or renamed.
  const absl::Status bases = file->OpenBases();
  if (IsOfProcess(bases)) return bases;
  return file;
}

absl::Status CheckpointFile::ReadManifest(const Buffer& tail) {
  Buffer scratch;
  LEAFSTORE_ASSIGN_OR_RETURN(const absl::string_view bytes,
                             ReadManifestBytes(own_, tail, &scratch));
  LEAFSTORE_ASSIGN_OR_RETURN(manifest_, DecodeManifest(bytes));
  LEAFSTORE_RETURN_IF_ERROR(CheckSegments(manifest_, own_.footer.manifest_offset));
  const std::vector<ManifestItem>& items = manifest_.items;
  by_name_.resize(items.size());
  std::iota(by_name_.begin(), by_name_.end(), 0);
  std::sort(by_name_.begin(), by_name_.end(),
            [&items](uint32_t a, uint32_t b) { return items[a].name < items[b].name; });
  return absl::OkStatus();
}

absl::Status CheckpointFile::OpenBases() const {
  absl::Status first;
  for (size_t i = 0; i < bases_.size(); ++i) {
    const absl::Status opened = WithPath(FileOf(static_cast<uint32_t>(i + 1)).status());
    if (IsOfProcess(opened)) return opened;
    first.Update(opened);
  }
  return first;
}

absl::StatusOr<const FileBytes*> CheckpointFile::FileOf(uint32_t base) const {
  if (base == 0) return own_.bytes.get();
  LEAFSTORE_ASSIGN_OR_RETURN(const OpenFile* file, bases_[base - 1].TryGet([&] {
    return FindBase(path(), manifest_.bases[base - 1], options_.io);
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
