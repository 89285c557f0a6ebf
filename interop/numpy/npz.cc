#include "leafstore/interop/numpy/npz.h"

#include <zip.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "leafstore/core/error_reason.h"
#include "leafstore/core/internal/hash_tables.h"
#include "leafstore/core/internal/utf8.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/interop/internal/foreign.h"
#include "leafstore/interop/internal/json_text.h"
#include "leafstore/interop/numpy/internal/npy_header.h"
#include "leafstore/interop/numpy/internal/zip_source.h"
#include "leafstore/io/internal/atomic_file.h"

namespace leafstore {
namespace internal {
namespace {

constexpr absl::string_view kMemberExtension = ".npy";
constexpr absl::string_view kArchive = "an archive of NumPy (.npz)";

// Deflate expands two bits to at most 258 bytes (RFC 1951, 3.2.5): one byte to 1032, and slightly
// more for the beginning of a stream.
constexpr uint64_t kMaxOfOneByte = 1032;

struct CloseMember {
  void operator()(zip_file_t* member) const { zip_fclose(member); }
};
using Member = std::unique_ptr<zip_file_t, CloseMember>;

// Returns whether libzip rejects a name. Such names are not written, and so not read either.
bool HasControl(absl::string_view name) {
  return std::any_of(name.begin(), name.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 && c != '\t' && c != '\n' && c != '\r';
  });
}

absl::Status Wrong(absl::string_view expected, absl::string_view found) {
  return absl::DataLossError(absl::StrCat("expected ", expected, ", found ", found));
}

// ---- reading ----

class NpzReader {
 public:
  NpzReader(const ReadableFile* file, const NumpyOptions& options)
      : file_(*file), options_(options), source_(file) {}

  absl::StatusOr<std::vector<NamedTensor>> Read() {
    // libzip treats an empty file as a new archive.
    if (file_.size() == 0) return Wrong("a zip archive", "no bytes");
    absl::StatusOr<ZipArchive> opened = source_.Open(ZIP_RDONLY | ZIP_CHECKCONS);
    if (!opened.ok()) {
      LEAFSTORE_RETURN_IF_ERROR(CheckNotForeignToZip(file_, kArchive));
      return opened.status();
    }
    archive_ = *std::move(opened);
    LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<std::string> members, Members());
    std::vector<NamedTensor> tensors;
    for (size_t i = 0; i < members.size(); ++i) {
      absl::string_view name = members[i];
      if (absl::EndsWith(name, "/")) continue;  // a folder
      const bool is_array = absl::ConsumeSuffix(&name, kMemberExtension);
      absl::StatusOr<Tensor> tensor =
          is_array ? ReadMember(i) : absl::UnimplementedError("it is not an array (.npy)");
      if (tensor.ok()) {
        tensors.push_back({std::string(name), *std::move(tensor)});
      } else if (options_.unreadable != nullptr && IsUnreadable(tensor.status())) {
        options_.unreadable->push_back(
            {std::string(name), std::string(tensor.status().message()), SizeOf(i)});
      } else {
        return WithContext(tensor.status(), absl::StrCat("member ", QuotedForMessage(name)));
      }
    }
    return tensors;
  }

  // Returns the error of the file system, which says more than that of libzip.
  const absl::Status& file_status() const { return source_.status(); }

 private:
  // Returns whether the error is that of one member, and not damage.
  static bool IsUnreadable(const absl::Status& status) {
    return absl::IsUnimplemented(status) || ReasonOf(status) == ErrorReason::kForeign;
  }

  // Returns the names of all members. error kForeign: there are some, but no array.
  absl::StatusOr<std::vector<std::string>> Members() {
    const auto count = static_cast<zip_uint64_t>(zip_get_num_entries(archive_.get(), 0));
    std::vector<std::string> members;
    HashSet<absl::string_view> names;
    bool any_array = false;
    for (zip_uint64_t i = 0; i < count; ++i) {
      LEAFSTORE_ASSIGN_OR_RETURN(const absl::string_view name, NameOf(i));
      if (!names.insert(name).second) {
        return WithReason(Wrong("members with different names",
                                absl::StrCat("two called ", QuotedForMessage(name))),
                          ErrorReason::kAmbiguous);
      }
      members.emplace_back(name);
      any_array = any_array || absl::EndsWith(name, kMemberExtension);
    }
    if (any_array || members.empty()) return members;
    return ForeignArchive(members, kArchive);
  }

  // Returns the name of a member, which is valid while the archive is open.
  absl::StatusOr<absl::string_view> NameOf(zip_uint64_t i) {
    const char* raw = zip_get_name(archive_.get(), i, ZIP_FL_ENC_RAW);
    if (raw == nullptr) return Wrong("a member with a name", "none");
    const absl::string_view name = raw;
    if (!IsValidUtf8(name)) return Wrong("names of members in UTF-8", QuotedForMessage(name));
    if (!HasControl(name)) return name;
    return Wrong("names of members without control characters", QuotedForMessage(name));
  }

  // Returns the size of a member, or 0.
  int64_t SizeOf(zip_uint64_t i) {
    zip_stat_t stat;
    zip_stat_init(&stat);
    const bool known =
        zip_stat_index(archive_.get(), i, 0, &stat) == 0 && (stat.valid & ZIP_STAT_SIZE) != 0;
    return known ? static_cast<int64_t>(stat.size) : 0;
  }

  absl::StatusOr<Tensor> ReadMember(zip_uint64_t i) {
    zip_stat_t stat;
    zip_stat_init(&stat);
    if (zip_stat_index(archive_.get(), i, 0, &stat) != 0) return Wrong("its size", "none");
    LEAFSTORE_RETURN_IF_ERROR(CheckSizes(stat));
    const Member member(zip_fopen_index(archive_.get(), i, 0));
    if (member == nullptr) {
      return Wrong("its bytes", absl::StrCat("an error: ", zip_strerror(archive_.get())));
    }
    LEAFSTORE_ASSIGN_OR_RETURN(
        Tensor tensor,
        ReadNpy(static_cast<int64_t>(stat.size), options_.max_bytes - total_, options_.void_dtypes,
                [&](absl::Span<std::byte> out) { return Fill(member.get(), out); }));
    total_ += tensor.byte_size();
    // At the end of a member libzip compares the CRC-32.
    std::byte behind;
    if (zip_fread(member.get(), &behind, 1) == 0) return tensor;
    return Wrong(absl::StrCat(stat.size, " bytes with their CRC-32"),
                 absl::StrCat("others: ", zip_file_strerror(member.get())));
  }

  // Checks that the archive can hold the bytes it declares, before memory is allocated for them.
  absl::Status CheckSizes(const zip_stat_t& stat) {
    constexpr zip_uint64_t kNeeded =
        ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
    if ((stat.valid & kNeeded) != kNeeded) return Wrong("its sizes", "not all of them");
    if (stat.encryption_method != ZIP_EM_NONE) {
      return absl::UnimplementedError("it is encrypted, which this reader does not support");
    }
    if (stat.comp_method != ZIP_CM_STORE && stat.comp_method != ZIP_CM_DEFLATE) {
      return absl::UnimplementedError(
          absl::StrCat("it is compressed by method ", stat.comp_method,
                       "; this reader supports 0 (stored) and 8 (deflated)"));
    }
    const auto file_size = static_cast<uint64_t>(file_.size());
    if (stat.comp_size > file_size - stored_) {
      return Wrong(absl::StrCat("members of at most ", file_size, " bytes in all, as the file has"),
                   "more: they overlap");
    }
    stored_ += stat.comp_size;
    // Below file_size, so this cannot overflow for any file that exists.
    const uint64_t most =
        stat.comp_method == ZIP_CM_STORE ? stat.comp_size : (stat.comp_size + 1) * kMaxOfOneByte;
    if (stat.size > most || (stat.comp_method == ZIP_CM_STORE && stat.size != stat.comp_size)) {
      return Wrong(absl::StrCat("at most ", most, " bytes out of ", stat.comp_size),
                   absl::StrCat(stat.size));
    }
    return absl::OkStatus();
  }

  static absl::Status Fill(zip_file_t* member, absl::Span<std::byte> out) {
    while (!out.empty()) {
      const zip_int64_t read = zip_fread(member, out.data(), out.size());
      if (read <= 0) {
        return Wrong(absl::StrCat(out.size(), " more bytes"),
                     read == 0 ? "the end" : absl::string_view(zip_file_strerror(member)));
      }
      out.remove_prefix(static_cast<size_t>(read));
    }
    return absl::OkStatus();
  }

  const ReadableFile& file_;
  const NumpyOptions& options_;
  ZipFile source_;
  ZipArchive archive_;
  uint64_t stored_ = 0;  // bytes of the members so far, as stored in the archive
  int64_t total_ = 0;    // bytes of the tensors so far
};

// ---- writing ----

// Finds errors of the caller, before a file is created, and returns the headers of the tensors.
absl::StatusOr<std::vector<std::string>> MakeHeaders(absl::Span<const NamedTensor> tensors,
                                                     bool raw_bits) {
  constexpr size_t kLongestName = 65535 - kMemberExtension.size();
  HashSet<absl::string_view> names;
  std::vector<std::string> headers;
  for (const NamedTensor& one : tensors) {
    const std::string& name = one.name;
    const Tensor& tensor = one.tensor;
    const auto quoted = [&] { return QuotedForMessage(name); };
    LEAFSTORE_RETURN_IF_ERROR(CheckJsonString(name, "a name"));
    if (name.size() > kLongestName || HasControl(name)) {
      return absl::InvalidArgumentError(absl::StrCat("expected a name of at most ", kLongestName,
                                                     " bytes without control characters, found ",
                                                     quoted()));
    }
    if (!names.insert(name).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("expected tensors with different names, found two called ", quoted()));
    }
    if (tensor.null()) {
      return absl::InvalidArgumentError(
          absl::StrCat("expected a tensor called ", quoted(), ", found null"));
    }
    absl::StatusOr<std::string> header =
        EncodeNpyHeader(LeafSpec(tensor.dtype(), tensor.shape()), raw_bits);
    if (!header.ok()) return WithContext(header.status(), quoted());
    headers.push_back(*std::move(header));
  }
  return headers;
}

absl::Status AddMember(zip_t* archive, const NamedTensor& one, const std::string& header,
                       bool deflate) {
  constexpr zip_uint16_t kNoTime = 0;
  constexpr zip_uint16_t kFirstOfJanuary1980 = (1 << 5) | 1;
  const auto failed = [archive] { return absl::ResourceExhaustedError(zip_strerror(archive)); };
  // libzip does not write to them.
  const absl::Span<const std::byte> bytes = one.tensor.bytes();
  const zip_buffer_fragment_t fragments[] = {
      {reinterpret_cast<zip_uint8_t*>(const_cast<char*>(header.data())), header.size()},
      {reinterpret_cast<zip_uint8_t*>(const_cast<std::byte*>(bytes.data())), bytes.size()}};
  zip_source_t* source = zip_source_buffer_fragment(archive, fragments, bytes.empty() ? 1 : 2, 0);
  if (source == nullptr) return failed();
  const std::string file_name = absl::StrCat(one.name, kMemberExtension);
  const zip_int64_t index = zip_file_add(archive, file_name.c_str(), source, ZIP_FL_ENC_UTF_8);
  if (index < 0) {
    zip_source_free(source);
    return failed();
  }
  const auto at = static_cast<zip_uint64_t>(index);
  const bool is_set =
      zip_set_file_compression(archive, at, deflate ? ZIP_CM_DEFLATE : ZIP_CM_STORE, 0) == 0 &&
      zip_file_set_dostime(archive, at, kNoTime, kFirstOfJanuary1980, 0) == 0;
  return is_set ? absl::OkStatus() : failed();
}

absl::Status WriteArchive(absl::Span<const NamedTensor> tensors,
                          absl::Span<const std::string> headers, bool deflate, ZipFile* target) {
  LEAFSTORE_ASSIGN_OR_RETURN(ZipArchive archive, target->Open(ZIP_CREATE | ZIP_TRUNCATE));
  for (size_t i = 0; i < tensors.size(); ++i) {
    LEAFSTORE_RETURN_IF_ERROR(AddMember(archive.get(), tensors[i], headers[i], deflate));
  }
  if (zip_close(archive.get()) == 0) {
    static_cast<void>(archive.release());
    return absl::OkStatus();
  }
  return absl::ResourceExhaustedError(
      absl::StrCat("cannot write a zip archive: ", zip_strerror(archive.get())));
}

}  // namespace
}  // namespace internal

absl::Status SaveNpz(const std::string& path, const ParamStore& store,
                     const NumpyOptions& options) {
  LEAFSTORE_RETURN_IF_ERROR(store.CheckNoBorrow("save"));
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<NamedTensor> tensors,
                             NamedTensorsOf(store, options.names, options.drop_static));
  return SaveNpz(path, tensors, options);
}

absl::Status SaveNpz(const std::string& path, absl::Span<const NamedTensor> tensors,
                     const NumpyOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<std::string> headers,
                             WithContext(internal::MakeHeaders(tensors, options.raw_bits), path));
  LEAFSTORE_ASSIGN_OR_RETURN(internal::AtomicFile file,
                             internal::AtomicFile::Create(path, options.io));
  if (tensors.empty()) {
    // libzip writes no file for an archive without members; these are the bytes of an empty one.
    static constexpr std::byte kEndOfArchive[22] = {std::byte{'P'}, std::byte{'K'}, std::byte{5},
                                                    std::byte{6}};
    LEAFSTORE_RETURN_IF_ERROR(file.file().WriteAt(0, kEndOfArchive));
  } else {
    internal::ZipFile target(&file.file());
    const absl::Status written = internal::WriteArchive(tensors, headers, options.deflate, &target);
    LEAFSTORE_RETURN_IF_ERROR(target.status());  // which says more
    LEAFSTORE_RETURN_IF_ERROR(WithContext(written, path));
  }
  LEAFSTORE_RETURN_IF_ERROR(file.Close());
  return file.Commit();
}

absl::StatusOr<std::vector<NamedTensor>> LoadNpzTensors(const std::string& path,
                                                        const NumpyOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(const auto file, options.io.files().Open(path));
  internal::NpzReader reader(file.get(), options);
  absl::StatusOr<std::vector<NamedTensor>> tensors = reader.Read();
  LEAFSTORE_RETURN_IF_ERROR(reader.file_status());
  return WithContext(std::move(tensors), path);
}

absl::StatusOr<ParamStore> LoadNpz(const std::string& path, const NumpyOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(std::vector<NamedTensor> tensors, LoadNpzTensors(path, options));
  std::vector<absl::string_view> names;
  names.reserve(tensors.size());
  for (const NamedTensor& one : tensors) names.push_back(one.name);
  LEAFSTORE_ASSIGN_OR_RETURN(std::vector<Path> paths,
                             WithContext(PathsOfNames(names, options.names), path));
  std::vector<std::pair<Path, Leaf>> entries;
  entries.reserve(tensors.size());
  for (size_t i = 0; i < tensors.size(); ++i) {
    entries.emplace_back(std::move(paths[i]), std::move(tensors[i].tensor));
  }
  return WithContext(ParamStore::FromEntries(std::move(entries)), path);
}

absl::StatusOr<RestoreReport> LoadNpzInto(const std::string& path, ParamStore* store,
                                          const RestoreOptions& restore,
                                          const NumpyOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(const ParamStore loaded, LoadNpz(path, options));
  return WithContext(LoadInto(loaded, store, restore), path);
}

}  // namespace leafstore
