#include "leafstore/interop/numpy/npz.h"

#include <zip.h>

#include <cstddef>
#include <utility>

#include "absl/strings/str_cat.h"

#include "leafstore/core/error_reason.h"
#include "leafstore/core/internal/hash_tables.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/interop/internal/json_text.h"
#include "leafstore/interop/numpy/internal/npy_header.h"
#include "leafstore/interop/numpy/internal/npz_reader.h"
#include "leafstore/interop/numpy/internal/zip_source.h"
#include "leafstore/io/internal/atomic_file.h"

namespace leafstore {
namespace internal {
namespace {

// Finds errors of the caller, before a file is created, and returns the headers of the tensors.
absl::StatusOr<std::vector<std::string>> MakeHeaders(absl::Span<const NamedTensor> tensors,
                                                     bool raw_bits) {
  constexpr size_t kLongestName = 65535 - kArrayExtension.size();
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
  const std::string file_name = absl::StrCat(one.name, kArrayExtension);
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

absl::StatusOr<NpzContents> LoadNpzTensors(const std::string& path, const NumpyOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(const auto reader, internal::NpzReader::Open(path, options));
  NpzContents contents;
  int64_t left = options.max_bytes;
  for (size_t i = 0; i < reader->size(); ++i) {
    absl::StatusOr<Tensor> tensor = reader->ReadTensor(i, left);
    if (tensor.ok()) {
      left -= tensor->byte_size();
      contents.tensors.push_back({reader->name(i), *std::move(tensor)});
      continue;
    }
    LEAFSTORE_ASSIGN_OR_RETURN(UnreadableLeaf unreadable, reader->AsUnreadable(i, tensor.status()));
    contents.unreadable.push_back(std::move(unreadable));
  }
  return contents;
}

absl::StatusOr<ParamStore> LoadNpz(const std::string& path, const NumpyOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(NpzContents contents, LoadNpzTensors(path, options));
  std::vector<absl::string_view> names;
  names.reserve(contents.tensors.size());
  for (const NamedTensor& one : contents.tensors) names.push_back(one.name);
  LEAFSTORE_ASSIGN_OR_RETURN(std::vector<Path> paths,
                             WithContext(PathsOfNames(names, options.names), path));
  std::vector<std::pair<Path, Leaf>> entries;
  entries.reserve(paths.size());
  for (size_t i = 0; i < paths.size(); ++i) {
    entries.emplace_back(std::move(paths[i]), std::move(contents.tensors[i].tensor));
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
