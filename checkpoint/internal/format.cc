#include "leafstore/checkpoint/internal/format.h"

#include <cstring>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

#include "leafstore/core/error_reason.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/io/internal/checksum.h"
#include "leafstore/io/internal/file_stream.h"

namespace leafstore::internal {
namespace {

// As in PNG, a byte above 127 and both kinds of line ending reveal a transfer as text, and 0x1a
// ends a listing under DOS.
constexpr absl::string_view kPreambleMagic = "\x89LEAF\r\n\x1a";
constexpr absl::string_view kFooterMagic = "leafend\n";

// A preamble or footer in the file.
template <typename Fields>
struct Section {
  char magic[8];
  Fields fields;
  std::byte zeros[48 - sizeof(Fields)];
  uint64_t checksum;  // of the bytes before it
};
static_assert(sizeof(Section<Preamble>) == kPreambleSize && sizeof(Section<Footer>) == kFooterSize);
constexpr size_t kSectionSize = 64;

uint64_t ChecksumOfSection(absl::Span<const std::byte> bytes) {
  return Checksum(bytes.subspan(0, kSectionSize - sizeof(uint64_t)));
}

template <typename Fields>
std::array<std::byte, kSectionSize> EncodeSection(absl::string_view magic, const Fields& fields) {
  Section<Fields> section = {};
  std::memcpy(section.magic, magic.data(), magic.size());
  section.fields = fields;
  section.checksum = ChecksumOfSection(std::bit_cast<std::array<std::byte, kSectionSize>>(section));
  return std::bit_cast<std::array<std::byte, kSectionSize>>(section);
}

bool HasMagic(absl::string_view magic, absl::Span<const std::byte> bytes) {
  return std::memcmp(bytes.data(), magic.data(), magic.size()) == 0;
}

// Checks the magic and the checksum. `why` is appended to the message for a wrong magic.
template <typename Fields>
absl::StatusOr<Fields> DecodeSection(absl::string_view name, absl::string_view magic,
                                     absl::string_view why, absl::Span<const std::byte> bytes) {
  Section<Fields> section;
  std::memcpy(&section, bytes.data(), sizeof(section));
  if (!HasMagic(magic, bytes)) {
    const absl::string_view found(section.magic, sizeof(section.magic));
    return absl::DataLossError(absl::StrCat(name, ": expected '", absl::CHexEscape(magic),
                                            "', found '", absl::CHexEscape(found), "'", why));
  }
  const uint64_t found = ChecksumOfSection(bytes);
  if (found == section.checksum) return section.fields;
  return absl::DataLossError(absl::StrCat(name, ": expected checksum ",
                                          absl::Hex(section.checksum, absl::kZeroPad16), ", found ",
                                          absl::Hex(found, absl::kZeroPad16)));
}

// Returns the error for a truncated file. `more` is appended to the message.
absl::Status Truncated(absl::string_view message, absl::string_view more = "") {
  return WithReason(absl::DataLossError(absl::StrCat(message, "; the file is truncated", more)),
                    ErrorReason::kTruncated);
}

absl::Status CheckManifestPlace(const Footer& footer) {
  const int64_t end = footer.file_size - kFooterSize;
  const auto alignment = static_cast<int64_t>(kSegmentAlignment);
  if (footer.manifest_offset < kPreambleSize || footer.manifest_offset % alignment != 0 ||
      footer.manifest_size < 0 || footer.manifest_offset > end ||
      footer.manifest_size > end - footer.manifest_offset ||
      AlignUp(footer.manifest_offset + footer.manifest_size, alignment) != end) {
    return absl::DataLossError(
        absl::StrCat("footer: expected a manifest that ends at the footer, byte ", end, ", found ",
                     footer.manifest_size, " bytes from byte ", footer.manifest_offset, " on"));
  }
  return absl::OkStatus();
}

}  // namespace

std::array<std::byte, kPreambleSize> EncodePreamble(const Preamble& preamble) {
  return EncodeSection(kPreambleMagic, preamble);
}

std::array<std::byte, kFooterSize> EncodeFooter(const Footer& footer) {
  return EncodeSection(kFooterMagic, footer);
}

absl::StatusOr<Preamble> DecodePreamble(absl::Span<const std::byte> bytes) {
  if (bytes.size() < static_cast<size_t>(kPreambleSize)) {
    return WithReason(
        Truncated(absl::StrCat("preamble: expected ", kPreambleSize,
                               " bytes, found the end of the file after ", bytes.size()),
                  ", or is not a checkpoint"),
        ErrorReason::kNotThisFormat);
  }
  const absl::StatusOr<Preamble> preamble =
      DecodeSection<Preamble>("preamble", kPreambleMagic, "", bytes);
  if (!preamble.ok()) return WithReason(preamble.status(), ErrorReason::kNotThisFormat);
  if (preamble->min_reader <= kFormatVersion) return preamble;
  return WithReason(absl::UnimplementedError(
                        absl::StrCat("preamble: the file has format version ", preamble->producer,
                                     " and requires a reader of ", "version ", preamble->min_reader,
                                     "; this reader has version ", kFormatVersion)),
                    ErrorReason::kNewerVersion);
}

absl::StatusOr<Footer> DecodeFooter(absl::Span<const std::byte> bytes, const Preamble& preamble,
                                    int64_t file_size) {
  if (file_size < kPreambleSize + kFooterSize) {
    return Truncated(absl::StrCat("footer: expected a file of at least ",
                                  kPreambleSize + kFooterSize, " bytes, found ", file_size));
  }
  const std::string why = absl::StrCat(" at byte ", file_size - kFooterSize, " of ", file_size,
                                       "; the file is truncated, or overwritten there");
  absl::StatusOr<Footer> footer = DecodeSection<Footer>("footer", kFooterMagic, why, bytes);
  if (!footer.ok()) {
    return HasMagic(kFooterMagic, bytes) ? footer.status()
                                         : WithReason(footer.status(), ErrorReason::kTruncated);
  }
  if (footer->file_size != file_size) {
    const std::string sizes =
        absl::StrCat("footer: expected a file of ", footer->file_size, " bytes, found ", file_size);
    if (footer->file_size > file_size) return Truncated(sizes);
    return absl::DataLossError(absl::StrCat(sizes, "; bytes were appended to it"));
  }
  if (footer->versions != preamble) {
    return absl::DataLossError(absl::StrCat("footer: expected the preamble's versions ",
                                            preamble.producer, " and ", preamble.min_reader,
                                            ", found ", footer->versions.producer, " and ",
                                            footer->versions.min_reader));
  }
  LEAFSTORE_RETURN_IF_ERROR(CheckManifestPlace(*footer));
  return footer;
}

bool IsZero(absl::Span<const std::byte> bytes) {
  // Compares the bytes with themselves, shifted by one, at the speed of memcmp.
  return bytes.empty() || (bytes[0] == std::byte{0} &&
                           std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

}  // namespace leafstore::internal
