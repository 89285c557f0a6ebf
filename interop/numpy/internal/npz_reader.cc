#include "leafstore/interop/numpy/internal/npz_reader.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "leafstore/core/error_reason.h"
#include "leafstore/core/internal/utf8.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/interop/internal/foreign.h"
#include "leafstore/interop/internal/json_text.h"

namespace leafstore::internal {
namespace {

constexpr absl::string_view kArchive = "an archive of NumPy (.npz)";

// Deflate expands two bits to at most 258 bytes (RFC 1951, 3.2.5): one byte to 1032, and slightly
// more for the beginning of a stream.
constexpr uint64_t kMaxOfOneByte = 1032;

absl::Status WrongZip(absl::string_view expected, absl::string_view found) {
  return absl::DataLossError(absl::StrCat("expected ", expected, ", found ", found));
}

// Returns where an archive ends, which is before the end of the file if other bytes follow; -1 if
// there is no end.
absl::StatusOr<int64_t> EndOfArchive(const ReadableFile& file) {
  constexpr absl::string_view kEnd = "PK\x05\x06";
  constexpr size_t kEndSize = 22;  // the last two bytes are the length of the comment behind it
  constexpr int64_t kMaxSize = kEndSize + 65535 + 4096;
  std::string tail(static_cast<size_t>(std::min(file.size(), kMaxSize)), '\0');
  const int64_t begin = file.size() - static_cast<int64_t>(tail.size());
  LEAFSTORE_RETURN_IF_ERROR(
      file.ReadAt(begin, absl::MakeSpan(reinterpret_cast<std::byte*>(tail.data()), tail.size())));
  int64_t found = -1;
  const absl::string_view text = tail;
  for (size_t at = text.rfind(kEnd); at != text.npos;
       at = at == 0 ? text.npos : text.rfind(kEnd, at - 1)) {
    uint16_t comment = 0;
    if (at + kEndSize > tail.size()) continue;
    std::memcpy(&comment, tail.data() + at + kEndSize - sizeof(comment), sizeof(comment));
    const size_t end = at + kEndSize + comment;
    if (end == tail.size()) return file.size();
    if (end < tail.size() && found < 0) found = begin + static_cast<int64_t>(end);
  }
  return found;
}

// Returns whether a member is a folder, or was added by macOS.
bool IsNoContent(absl::string_view name) {
  return absl::EndsWith(name, "/") || absl::StartsWith(name, "__MACOSX/") ||
         FileNameOf(std::string(name)) == ".DS_Store";
}

absl::Status Fill(zip_file_t* file, absl::Span<std::byte> out) {
  while (!out.empty()) {
    const zip_int64_t read = zip_fread(file, out.data(), out.size());
    const std::string expected = absl::StrCat(out.size(), " more bytes");
    if (read == 0) return WrongZip(expected, "the end");
    if (read < 0) return ZipErrorStatus(expected, zip_file_get_error(file));
    out.remove_prefix(static_cast<size_t>(read));
  }
  return absl::OkStatus();
}

// Returns whether an error concerns only one member and is not damage.
bool IsOfOneMember(const absl::Status& status) {
  return absl::IsUnimplemented(status) || ReasonOf(status) == ErrorReason::kForeign;
}

}  // namespace

bool HasControl(absl::string_view name) {
  return std::any_of(name.begin(), name.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 && c != '\t' && c != '\n' && c != '\r';
  });
}

absl::StatusOr<std::unique_ptr<const NpzReader>> NpzReader::Open(const std::string& path,
                                                                 const NumpyOptions& options) {
  LEAFSTORE_RETURN_IF_ERROR(WithContext(CheckVoidDTypes(options.void_dtypes), path));
  LEAFSTORE_ASSIGN_OR_RETURN(auto file, options.io.files().Open(path));
  std::unique_ptr<NpzReader> reader(new NpzReader(path, std::move(file), options));
  absl::Status status = reader->OpenArchive();
  if (status.ok()) status = reader->ReadMembers();
  LEAFSTORE_RETURN_IF_ERROR(reader->source_.status());  // which says more
  LEAFSTORE_RETURN_IF_ERROR(WithContext(status, path));
  return std::unique_ptr<const NpzReader>(std::move(reader));
}

absl::Status NpzReader::OpenArchive() {
  // libzip treats an empty file as a new archive.
  if (file_->size() == 0) return WrongZip("a zip archive", "no bytes");
  LEAFSTORE_ASSIGN_OR_RETURN(const int64_t end, EndOfArchive(*file_));
  if (end >= 0) source_.CutAt(end);
  absl::StatusOr<ZipArchive> opened = source_.Open(ZIP_RDONLY | ZIP_CHECKCONS);
  // libzip ignores that memory was refused while it looked for the directory, and finds none.
  if (absl::IsDataLoss(opened.status())) opened = source_.Open(ZIP_RDONLY | ZIP_CHECKCONS);
  if (ReasonOf(opened.status()) == ErrorReason::kAmbiguous) {
    // Without the check, the members can be read, of which one is then named.
    LEAFSTORE_ASSIGN_OR_RETURN(archive_, source_.Open(ZIP_RDONLY));
    LEAFSTORE_RETURN_IF_ERROR(ReadMembers());
  }
  if (!opened.ok()) {
    LEAFSTORE_ASSIGN_OR_RETURN(const bool is_zip, CheckZip(*file_, kArchive));
    if (end >= 0 || !is_zip) return opened.status();
    return WithReason(
        WrongZip("a zip archive with its directory at the end", "no directory: it is truncated"),
        ErrorReason::kTruncated);
  }
  archive_ = *std::move(opened);
  return absl::OkStatus();
}

absl::Status NpzReader::ReadMembers() {
  const auto count = static_cast<zip_uint64_t>(zip_get_num_entries(archive_.get(), 0));
  std::vector<std::string> others;
  std::set<absl::string_view> names;
  std::set<std::string> arrays;
  uint64_t stored = 0;
  for (zip_uint64_t i = 0; i < count; ++i) {
    LEAFSTORE_ASSIGN_OR_RETURN(const absl::string_view name, NameOf(i));
    if (!names.insert(name).second) {
      return WithReason(WrongZip("members with different names",
                                 absl::StrCat("two called ", QuotedForMessage(name))),
                        ErrorReason::kAmbiguous);
    }
    if (IsNoContent(name)) continue;
    absl::StatusOr<Member> member = ReadMember(i, &stored);
    if (!member.ok()) {
      return WithContext(
          member.status(),
          absl::StrCat("member ", QuotedForMessage(absl::StripSuffix(name, kArrayExtension))));
    }
    if (!member->is_array) others.emplace_back(name);
    // `w` and `w.npy` are both called w.
    if (member->is_array && !arrays.insert(member->name).second) {
      return WithReason(WrongZip("arrays with different names",
                                 absl::StrCat("two called ", QuotedForMessage(member->name))),
                        ErrorReason::kAmbiguous);
    }
    members_.push_back(*std::move(member));
  }
  return members_.empty() || others.size() < members_.size() ? absl::OkStatus()
                                                             : ForeignArchive(others, kArchive);
}

absl::StatusOr<NpzReader::Member> NpzReader::ReadMember(zip_uint64_t index,
                                                        uint64_t* stored) const {
  zip_stat_t stat;
  zip_stat_init(&stat);
  if (zip_stat_index(archive_.get(), index, 0, &stat) != 0) {
    return ZipErrorStatus("its size", zip_get_error(archive_.get()));
  }
  absl::Status can_read = CheckSizes(stat, stored);
  if (!can_read.ok() && !IsOfOneMember(can_read)) return can_read;
  absl::string_view name = zip_get_name(archive_.get(), index, ZIP_FL_ENC_RAW);
  // NumPy reads arrays of other names too.
  const bool is_array =
      absl::ConsumeSuffix(&name, kArrayExtension) || (can_read.ok() && BeginsAsArray(index));
  return Member{index, std::string(name), is_array, static_cast<int64_t>(stat.size),
                std::move(can_read)};
}

bool NpzReader::BeginsAsArray(zip_uint64_t index) const {
  constexpr absl::string_view kMagic = "\x93NUMPY";
  const OpenMember file(zip_fopen_index(archive_.get(), index, 0));
  std::string begin(kMagic.size(), '\0');
  return file != nullptr && zip_fread(file.get(), begin.data(), begin.size()) == kMagic.size() &&
         begin == kMagic;
}

absl::StatusOr<absl::string_view> NpzReader::NameOf(zip_uint64_t index) const {
  const char* raw = zip_get_name(archive_.get(), index, ZIP_FL_ENC_RAW);
  if (raw == nullptr) return ZipErrorStatus("a name", zip_get_error(archive_.get()));
  const absl::string_view name = raw;
  if (!IsValidUtf8(name)) return WrongZip("names of members in UTF-8", QuotedForMessage(name));
  if (!HasControl(name)) return name;
  return WrongZip("names of members without control characters", QuotedForMessage(name));
}

absl::Status NpzReader::CheckSizes(const zip_stat_t& stat, uint64_t* stored) const {
  constexpr zip_uint64_t kNeeded =
      ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
  if ((stat.valid & kNeeded) != kNeeded)
    return WrongZip("complete sizes in the directory", "incomplete ones");
  if (stat.encryption_method != ZIP_EM_NONE) {
    return absl::UnimplementedError("it is encrypted, which this reader does not support");
  }
  if (stat.comp_method != ZIP_CM_STORE && stat.comp_method != ZIP_CM_DEFLATE) {
    return absl::UnimplementedError(
        absl::StrCat("it is compressed by method ", stat.comp_method,
                     "; this reader supports 0 (stored) and 8 (deflated)"));
  }
  const auto size = static_cast<uint64_t>(file_->size());
  if (stat.comp_size > size - *stored) {
    return WrongZip(absl::StrCat("members of at most ", size, " bytes in all, as the file has"),
                    "more: they overlap");
  }
  *stored += stat.comp_size;
  // It is below the file's size, so this cannot overflow for any existing file.
  const uint64_t most =
      stat.comp_method == ZIP_CM_STORE ? stat.comp_size : (stat.comp_size + 1) * kMaxOfOneByte;
  if (stat.size > most || (stat.comp_method == ZIP_CM_STORE && stat.size != stat.comp_size)) {
    return WrongZip(absl::StrCat("at most ", most, " bytes out of ", stat.comp_size),
                    absl::StrCat(stat.size));
  }
  return absl::OkStatus();
}

absl::StatusOr<NpzReader::OpenMember> NpzReader::OpenAt(size_t i) const {
  LEAFSTORE_RETURN_IF_ERROR(members_[i].can_read);
  OpenMember file(zip_fopen_index(archive_.get(), members_[i].index, 0));
  if (file != nullptr) return file;
  return ZipErrorStatus("its bytes", zip_get_error(archive_.get()));
}

absl::Status NpzReader::CheckRest(size_t i, int64_t left, zip_file_t* file) const {
  std::array<std::byte, 8192> bytes;
  zip_int64_t read = 0;
  while ((read = zip_fread(file, bytes.data(), bytes.size())) > 0) left -= read;
  if (read == 0 && left == 0) return absl::OkStatus();
  const std::string size = absl::StrCat(members_[i].size, " bytes");
  if (read == 0) return WrongZip(size, left < 0 ? "more" : "fewer");
  if (zip_error_code_zip(zip_file_get_error(file)) == ZIP_ER_CRC) {
    return WrongZip(absl::StrCat(size, " with the CRC-32 of the archive's directory"),
                    "another CRC-32");
  }
  return ZipErrorStatus(size, zip_file_get_error(file));
}

absl::Status NpzReader::Named(size_t i, const absl::Status& status) const {
  if (status.ok()) return status;
  LEAFSTORE_RETURN_IF_ERROR(source_.status());
  return WithContext(status, absl::StrCat(path_, ": member ", QuotedForMessage(name(i))));
}

absl::StatusOr<NpyHeader> NpzReader::ReadHeader(size_t i) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto read = [&]() -> absl::StatusOr<NpyHeader> {
    if (!members_[i].is_array) return absl::UnimplementedError("it is not an array (.npy)");
    LEAFSTORE_ASSIGN_OR_RETURN(const OpenMember file, OpenAt(i));
    std::vector<std::byte> begin(static_cast<size_t>(std::min(members_[i].size, kMaxNpyHeader)));
    LEAFSTORE_RETURN_IF_ERROR(Fill(file.get(), absl::MakeSpan(begin)));
    return ParseNpyHeader(begin, members_[i].size, options_.void_dtypes);
  };
  absl::StatusOr<NpyHeader> header = read();
  return header.ok() ? std::move(header) : Named(i, header.status());
}

absl::StatusOr<Tensor> NpzReader::ReadTensor(size_t i, int64_t max_bytes) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto read = [&]() -> absl::StatusOr<Tensor> {
    if (!members_[i].is_array) return absl::UnimplementedError("it is not an array (.npy)");
    LEAFSTORE_ASSIGN_OR_RETURN(const OpenMember file, OpenAt(i));
    LEAFSTORE_ASSIGN_OR_RETURN(
        Tensor tensor, ReadNpy(members_[i].size, max_bytes, options_.void_dtypes,
                               [&](absl::Span<std::byte> out) { return Fill(file.get(), out); }));
    LEAFSTORE_RETURN_IF_ERROR(CheckRest(i, 0, file.get()));
    return tensor;
  };
  absl::StatusOr<Tensor> tensor = read();
  return tensor.ok() ? std::move(tensor) : Named(i, tensor.status());
}

absl::StatusOr<UnreadableLeaf> NpzReader::AsUnreadable(size_t i, const absl::Status& error) const {
  if (!IsOfOneMember(error)) return error;
  if (members_[i].can_read.ok()) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const absl::StatusOr<OpenMember> file = OpenAt(i);
    const absl::Status intact =
        file.ok() ? CheckRest(i, members_[i].size, file->get()) : file.status();
    LEAFSTORE_RETURN_IF_ERROR(Named(i, intact));
  }
  if (!options_.skip_unreadable) return error;
  absl::string_view what = error.message();
  absl::ConsumePrefix(&what, absl::StrCat(path_, ": member ", QuotedForMessage(name(i)), ": "));
  return UnreadableLeaf{name(i), std::string(what), members_[i].size};
}

}  // namespace leafstore::internal
