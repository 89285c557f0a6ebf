// Takes checkpoint files apart and reassembles them with correct checksums, so that a file has only
// the fault that a test adds.
#ifndef LEAFSTORE_TESTS_CHECKPOINT_FORGE_H_
#define LEAFSTORE_TESTS_CHECKPOINT_FORGE_H_

#include <cstring>
#include <string>
#include <utility>

#include "leafstore/checkpoint/internal/format.h"
#include "leafstore/io/internal/checksum.h"
#include "leafstore/io/internal/file_stream.h"
#include "leafstore/proto/manifest_codec.h"

namespace leafstore {

inline absl::Span<const std::byte> BytesOf(const std::string& text) {
  return absl::MakeConstSpan(reinterpret_cast<const std::byte*>(text.data()), text.size());
}

inline internal::Footer FooterOf(const std::string& file) {
  const auto bytes = BytesOf(file);
  const internal::Preamble preamble = internal::DecodePreamble(bytes).value();
  return internal::DecodeFooter(bytes.subspan(file.size() - internal::kFooterSize), preamble,
                                static_cast<int64_t>(file.size()))
      .value();
}

inline std::string ManifestBytesOf(const std::string& file) {
  const internal::Footer footer = FooterOf(file);
  return file.substr(static_cast<size_t>(footer.manifest_offset),
                     static_cast<size_t>(footer.manifest_size));
}

inline std::string BytesOfFooter(const internal::Footer& footer) {
  const auto bytes = internal::EncodeFooter(footer);
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

// Returns `file` with another footer.
inline std::string WithFooter(const std::string& file, const internal::Footer& footer) {
  return file.substr(0, file.size() - internal::kFooterSize) + BytesOfFooter(footer);
}

// Returns `file` with other versions in preamble and footer.
inline std::string WithVersions(const std::string& file, const internal::Preamble& versions) {
  internal::Footer footer = FooterOf(file);
  footer.versions = versions;
  const auto preamble = internal::EncodePreamble(versions);
  std::string out = WithFooter(file, footer);
  std::memcpy(out.data(), preamble.data(), preamble.size());
  return out;
}

// Returns `file` with another manifest.
inline std::string WithManifest(const std::string& file, const std::string& manifest) {
  internal::Footer footer = FooterOf(file);
  std::string out = file.substr(0, static_cast<size_t>(footer.manifest_offset)) + manifest;
  out.resize(static_cast<size_t>(internal::AlignUp(static_cast<int64_t>(out.size()), 64)));
  footer.manifest_size = static_cast<int64_t>(manifest.size());
  footer.manifest_checksum = internal::Checksum(BytesOf(manifest));
  footer.file_size = static_cast<int64_t>(out.size()) + internal::kFooterSize;
  return out + BytesOfFooter(footer);
}

inline Manifest ManifestOf(const std::string& file) {
  return DecodeManifest(ManifestBytesOf(file)).value();
}

inline std::string WithManifest(const std::string& file, const Manifest& manifest) {
  return WithManifest(file, EncodeManifest(manifest).value());
}

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_CHECKPOINT_FORGE_H_
