#include "leafstore/interop/numpy/npz.h"

#include <zip.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "leafstore/core/error_reason.h"
#include "leafstore/core/internal/utf8.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/interop/internal/json_text.h"
#include "leafstore/interop/numpy/internal/npy_stream.h"
#include "leafstore/interop/numpy/internal/zip_source.h"
#include "leafstore/interop/numpy/npy.h"
#include "leafstore/io/internal/atomic_file.h"

namespace leafstore {

using internal::CheckJsonString;
using internal::QuotedForMessage;
using internal::ReadNpy;
using internal::ZipBytesSource;
using internal::ZipError;
using internal::ZipFileSource;
using internal::ZipFileTarget;
using internal::ZipSource;

namespace {

constexpr absl::string_view kMemberExtension = ".npy";

// Deflate expands two bits to at most 258 bytes (RFC 1951, 3.2.5): one byte to 1032, and slightly
// more for the beginning of a stream.
constexpr uint64_t kMostOfOneByte = 1032;

struct Discard {
  void operator()(zip_t* archive) const { zip_discard(archive); }
};
using Archive = std::unique_ptr<zip_t, Discard>;

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

// ---- reading ----

class NpzReader {
 public:
  NpzReader(const std::string& path, const NpzReadOptions& options)
      : path_(path), options_(options) {}

  absl::StatusOr<std::vector<NamedTensor>> Read() {
    LEAFSTORE_ASSIGN_OR_RETURN(file_, options_.io.files().Open(path_));
    absl::StatusOr<std::vector<NamedTensor>> read = ReadOpen();
    if (read.ok()) return read;
    return source_->status().ok() ? WithContext(read.status(), path_) : source_->status();
  }

 private:
  absl::StatusOr<std::vector<NamedTensor>> ReadOpen() {
    source_ = std::make_unique<ZipFileSource>(file_.get());
    LEAFSTORE_RETURN_IF_ERROR(Open());
    const zip_int64_t count = zip_get_num_entries(archive_.get(), 0);
    std::vector<NamedTensor> tensors;
    for (zip_uint64_t i = 0; i < static_cast<zip_uint64_t>(count); ++i) {
      LEAFSTORE_ASSIGN_OR_RETURN(std::string name, NameOf(i));
      absl::StatusOr<Tensor> tensor = ReadMember(i);
      if (!tensor.ok()) {
        return WithContext(tensor.status(), absl::StrCat("member ", QuotedForMessage(name)));
      }
      tensors.push_back({std::move(name), *std::move(tensor)});
    }
    return tensors;
  }

  absl::Status Open() {
    // libzip treats an empty file as a new archive.
    if (file_->size() == 0) return absl::DataLossError("expected a zip archive, found no bytes");
    zip_source_t* source = source_->MakeSource();
    if (source == nullptr) return absl::ResourceExhaustedError("no memory to open it");
    ZipError error;
    archive_.reset(zip_open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, error.get()));
    if (archive_ != nullptr) return absl::OkStatus();
    zip_source_free(source);
    if (error.code() == ZIP_ER_EXISTS) {
      return absl::DataLossError("expected members of different names, found two of one");
    }
    return absl::DataLossError(
        absl::StrCat("expected a zip archive, found an error: ", error.text()));
  }

  // Returns the error of libzip. If the file system failed, Read returns that error instead.
  static absl::Status Failed(absl::string_view expected, absl::string_view found) {
    return absl::DataLossError(absl::StrCat("expected ", expected, ", found ", found));
  }

  // Returns the name of the tensor in a member.
  absl::StatusOr<std::string> NameOf(zip_uint64_t i) {
    const char* raw = zip_get_name(archive_.get(), i, ZIP_FL_ENC_RAW);
    if (raw == nullptr) return Failed("a member with a name", "none");
    absl::string_view name = raw;
    const std::string quoted = QuotedForMessage(name);
    if (!internal::IsValidUtf8(name)) return Failed("names of members in UTF-8", quoted);
    if (!absl::ConsumeSuffix(&name, kMemberExtension))
      return Failed("members called *.npy", quoted);
    if (HasControl(name)) return Failed("names of members without control characters", quoted);
    if (!names_.insert(std::string(name)).second) {
      return Failed("members of different names", absl::StrCat("two called ", quoted));
    }
    return std::string(name);
  }

  absl::StatusOr<Tensor> ReadMember(zip_uint64_t i) {
    zip_stat_t stat;
    zip_stat_init(&stat);
    if (zip_stat_index(archive_.get(), i, 0, &stat) != 0) return Failed("its size", "none");
    LEAFSTORE_RETURN_IF_ERROR(CheckSizes(stat));
    const Member member(zip_fopen_index(archive_.get(), i, 0));
    if (member == nullptr) {
      return Failed("its bytes", absl::StrCat("an error: ", zip_strerror(archive_.get())));
    }
    LEAFSTORE_ASSIGN_OR_RETURN(
        Tensor tensor, ReadNpy(static_cast<int64_t>(stat.size), options_.max_bytes - total_,
                               [&](absl::Span<std::byte> out) { return Fill(member.get(), out); }));
    total_ += tensor.byte_size();
    // At the end of a member libzip compares the CRC-32.
    std::byte behind;
    if (zip_fread(member.get(), &behind, 1) == 0) return tensor;
    return Failed(absl::StrCat(stat.size, " bytes with their CRC-32"),
                  absl::StrCat("others: ", zip_file_strerror(member.get())));
  }

  // Checks that the archive can hold the bytes it declares, before memory is allocated for them.
  absl::Status CheckSizes(const zip_stat_t& stat) {
    constexpr zip_uint64_t kNeeded =
        ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
    if ((stat.valid & kNeeded) != kNeeded) return Failed("its sizes", "not all of them");
    if (stat.encryption_method != ZIP_EM_NONE) {
      return absl::UnimplementedError("it is encrypted, which this reader does not know");
    }
    if (stat.comp_method != ZIP_CM_STORE && stat.comp_method != ZIP_CM_DEFLATE) {
      return absl::UnimplementedError(
          absl::StrCat("it is compressed by method ", stat.comp_method,
                       "; this reader knows 0 (stored) and 8 (deflated)"));
    }
    const auto file_size = static_cast<uint64_t>(file_->size());
    if (stat.comp_size > file_size - stored_) {
      return Failed(
          absl::StrCat("members of at most ", file_size, " bytes in all, as the file has"),
          "more: they overlap");
    }
    stored_ += stat.comp_size;
    // Below file_size, so this cannot overflow for any file that exists.
    const uint64_t most =
        stat.comp_method == ZIP_CM_STORE ? stat.comp_size : (stat.comp_size + 1) * kMostOfOneByte;
    if (stat.size > most || (stat.comp_method == ZIP_CM_STORE && stat.size != stat.comp_size)) {
      return Failed(absl::StrCat("at most ", most, " bytes out of ", stat.comp_size),
                    absl::StrCat(stat.size));
    }
    return absl::OkStatus();
  }

  absl::Status Fill(zip_file_t* member, absl::Span<std::byte> out) {
    while (!out.empty()) {
      const zip_int64_t read = zip_fread(member, out.data(), out.size());
      if (read <= 0) {
        return Failed(absl::StrCat(out.size(), " more bytes"),
                      read == 0 ? "the end" : absl::string_view(zip_file_strerror(member)));
      }
      out.remove_prefix(static_cast<size_t>(read));
    }
    return absl::OkStatus();
  }

  const std::string& path_;
  const NpzReadOptions& options_;
  std::unique_ptr<ReadableFile> file_;
  std::unique_ptr<ZipFileSource> source_;
  Archive archive_;
  absl::flat_hash_set<std::string> names_;
  uint64_t stored_ = 0;  // bytes of the members so far, as stored in the archive
  int64_t total_ = 0;    // bytes of the tensors so far
};

// ---- writing ----

// A tensor to write, and its name.
struct MemberInput {
  absl::string_view name;
  const Tensor* tensor;
};

class NpzWriter {
 public:
  NpzWriter(const std::string& path, const NpzSaveOptions& options)
      : path_(path), options_(options) {}

  absl::Status Write(absl::Span<const MemberInput> inputs) {
    LEAFSTORE_RETURN_IF_ERROR(WithContext(MakeMembers(inputs), path_));
    LEAFSTORE_ASSIGN_OR_RETURN(internal::AtomicFile file,
                               internal::AtomicFile::Create(path_, options_.io));
    LEAFSTORE_RETURN_IF_ERROR(members_.empty() ? WriteEmpty(&file.file())
                                               : WriteArchive(inputs, &file.file()));
    LEAFSTORE_RETURN_IF_ERROR(file.Close());
    return file.Commit();
  }

 private:
  // Errors of the caller are found before a file is created.
  absl::Status MakeMembers(absl::Span<const MemberInput> inputs) {
    constexpr size_t kLongestName = 65535 - kMemberExtension.size();
    absl::flat_hash_set<absl::string_view> names;
    for (const MemberInput& input : inputs) {
      const auto quoted = [&] { return QuotedForMessage(input.name); };
      LEAFSTORE_RETURN_IF_ERROR(CheckJsonString(input.name, "a name"));
      if (input.name.size() > kLongestName || HasControl(input.name)) {
        return absl::InvalidArgumentError(absl::StrCat(
            "expected a name of at most ", kLongestName,
            " bytes without control characters, which zip archives do not take, found ", quoted()));
      }
      if (!names.insert(input.name).second) {
        return absl::InvalidArgumentError(
            absl::StrCat("expected tensors of different names, found two ", quoted()));
      }
      if (input.tensor->null()) {
        return absl::InvalidArgumentError(
            absl::StrCat("expected a tensor called ", quoted(), ", found null"));
      }
      absl::StatusOr<std::string> header = EncodeNpyHeader(
          LeafSpec(input.tensor->dtype(), input.tensor->shape()), options_.raw_bits);
      if (!header.ok()) {
        return WithContext(header.status(), quoted());
      }
      members_.push_back(
          std::make_unique<ZipBytesSource>(*std::move(header), input.tensor->bytes()));
    }
    return absl::OkStatus();
  }

  // libzip writes no file for an archive without members; these are the bytes of an empty archive.
  static absl::Status WriteEmpty(WritableFile* file) {
    static constexpr char kEndOfArchive[22] = {'P', 'K', 5, 6};
    return file->WriteAt(0, absl::MakeConstSpan(reinterpret_cast<const std::byte*>(kEndOfArchive),
                                                sizeof(kEndOfArchive)));
  }

  absl::Status WriteArchive(absl::Span<const MemberInput> inputs, WritableFile* file) {
    ZipFileTarget target(file);
    const absl::Status written = WriteArchive(inputs, &target);
    // If the file system failed, return its own error.
    return target.status().ok() ? WithContext(written, path_) : target.status();
  }

  absl::Status WriteArchive(absl::Span<const MemberInput> inputs, ZipFileTarget* target) {
    zip_source_t* source = target->MakeSource();
    if (source == nullptr) return absl::ResourceExhaustedError("no memory to write it");
    ZipError error;
    Archive archive(zip_open_from_source(source, ZIP_CREATE | ZIP_TRUNCATE, error.get()));
    if (archive == nullptr) {
      zip_source_free(source);
      return absl::InternalError(absl::StrCat("cannot begin a zip archive: ", error.text()));
    }
    for (size_t i = 0; i < inputs.size(); ++i) {
      LEAFSTORE_RETURN_IF_ERROR(Add(archive.get(), inputs[i].name, members_[i].get()));
    }
    if (zip_close(archive.get()) == 0) {
      static_cast<void>(archive.release());
      return absl::OkStatus();
    }
    return absl::ResourceExhaustedError(
        absl::StrCat("cannot write a zip archive: ", zip_strerror(archive.get())));
  }

  absl::Status Add(zip_t* archive, absl::string_view name, ZipSource* member) const {
    constexpr zip_uint16_t kNoTime = 0;
    constexpr zip_uint16_t kFirstOfJanuary1980 = (1 << 5) | 1;
    zip_source_t* source = member->MakeSource(archive);
    if (source == nullptr) return absl::ResourceExhaustedError(zip_strerror(archive));
    const std::string file_name = absl::StrCat(name, kMemberExtension);
    const zip_int64_t index = zip_file_add(archive, file_name.c_str(), source, ZIP_FL_ENC_UTF_8);
    if (index < 0) {
      zip_source_free(source);
      return absl::ResourceExhaustedError(zip_strerror(archive));
    }
    const auto at = static_cast<zip_uint64_t>(index);
    const zip_int32_t method = options_.deflate ? ZIP_CM_DEFLATE : ZIP_CM_STORE;
    if (zip_set_file_compression(archive, at, method, 0) != 0 ||
        zip_file_set_dostime(archive, at, kNoTime, kFirstOfJanuary1980, 0) != 0) {
      return absl::ResourceExhaustedError(zip_strerror(archive));
    }
    return absl::OkStatus();
  }

  const std::string& path_;
  const NpzSaveOptions& options_;
  std::vector<std::unique_ptr<ZipBytesSource>> members_;
};

}  // namespace

absl::Status SaveNpz(const std::string& path, const ParamStore& store,
                     const NpzSaveOptions& options) {
  LEAFSTORE_RETURN_IF_ERROR(store.CheckNoBorrow("save"));
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<std::string> names, NamesOf(store, options.names));
  std::vector<MemberInput> inputs;
  for (uint32_t place = 0; place < store.size(); ++place) {
    const Leaf& leaf = store.leaf(place);
    if (leaf.is_tensor()) {
      inputs.push_back({names[place], &leaf.tensor()});
    } else if (!options.drop_static) {
      return absl::InvalidArgumentError(
          absl::StrCat("'", store.PathText(place), "': expected a tensor, found the static leaf ",
                       leaf.value().ToString(), "; leave static leaves out"));
    }
  }
  return NpzWriter(path, options).Write(inputs);
}

absl::Status SaveNpz(const std::string& path, absl::Span<const NamedTensor> tensors,
                     const NpzSaveOptions& options) {
  std::vector<MemberInput> inputs;
  inputs.reserve(tensors.size());
  for (const NamedTensor& one : tensors) inputs.push_back({one.name, &one.tensor});
  return NpzWriter(path, options).Write(inputs);
}

absl::StatusOr<std::vector<NamedTensor>> LoadNpzTensors(const std::string& path,
                                                        const NpzReadOptions& options) {
  return NpzReader(path, options).Read();
}

absl::StatusOr<ParamStore> LoadNpz(const std::string& path, const NpzReadOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(std::vector<NamedTensor> tensors, LoadNpzTensors(path, options));
  std::vector<absl::string_view> names;
  names.reserve(tensors.size());
  for (const NamedTensor& one : tensors) names.push_back(one.name);
  absl::StatusOr<std::vector<Path>> paths = PathsOfNames(names, options.names);
  if (!paths.ok()) return WithContext(paths.status(), path);
  std::vector<std::pair<Path, Leaf>> entries;
  entries.reserve(tensors.size());
  for (size_t i = 0; i < tensors.size(); ++i) {
    entries.emplace_back(std::move((*paths)[i]), std::move(tensors[i].tensor));
  }
  absl::StatusOr<ParamStore> store = ParamStore::FromEntries(std::move(entries));
  return store.ok() ? std::move(store) : WithContext(store.status(), path);
}

absl::StatusOr<RestoreReport> LoadNpzInto(const std::string& path, ParamStore* store,
                                          const RestoreOptions& restore,
                                          const NpzReadOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(const ParamStore loaded, LoadNpz(path, options));
  absl::StatusOr<RestoreReport> report = LoadInto(loaded, store, restore);
  return report.ok() ? std::move(report) : WithContext(report.status(), path);
}

}  // namespace leafstore
