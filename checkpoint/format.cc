#include "leafstore/checkpoint/format.h"

#include <cstring>
#include <string>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

#include "leafstore/core/error_reason.h"
#include "leafstore/io/internal/checksum.h"
#include "leafstore/io/internal/file_stream.h"

namespace leafstore {
namespace {

// As in PNG, a byte above 127 and both kinds of line ending reveal a transfer as text, and 0x1a
// ends a listing under DOS.
constexpr char kPreambleMagic[] = "\x89LEAF\r\n\x1a";
constexpr char kFooterMagic[] = "leafend\n";
constexpr size_t kMagicSize = 8;
static_assert(sizeof(kPreambleMagic) == kMagicSize + 1 && sizeof(kFooterMagic) == kMagicSize + 1);

// Returns the error for a truncated file. `more` is appended to the message.
absl::Status CutShort(absl::string_view message, absl::string_view more = "") {
  return WithReason(absl::DataLossError(absl::StrCat(message, "; the file was cut short", more)),
                    ErrorReason::kTruncated);
}

// Offsets of the fields.
constexpr size_t kPreambleProducer = 8;
constexpr size_t kPreambleMinReader = 12;
constexpr size_t kFooterManifestOffset = 8;
constexpr size_t kFooterManifestSize = 16;
constexpr size_t kFooterManifestChecksum = 24;
constexpr size_t kFooterFileSize = 32;
constexpr size_t kFooterProducer = 40;
constexpr size_t kFooterMinReader = 44;
constexpr size_t kOwnChecksum = 56;  // of the bytes before it

template <typename T>
T Get(absl::Span<const std::byte> bytes, size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof(value));
  return value;
}

template <typename T, size_t kSize>
void Put(T value, size_t at, std::array<std::byte, kSize>* bytes) {
  std::memcpy(bytes->data() + at, &value, sizeof(value));
}

template <size_t kSize>
void Seal(const char* magic, std::array<std::byte, kSize>* bytes) {
  std::memcpy(bytes->data(), magic, kMagicSize);
  Put(internal::Checksum(absl::MakeConstSpan(bytes->data(), kOwnChecksum)), kOwnChecksum, bytes);
}

// Checks the magic and the checksum of a section. `why` is appended to the message for a wrong
// magic.
absl::Status CheckSeal(absl::string_view section, const char* magic, absl::string_view why,
                       absl::Span<const std::byte> bytes) {
  if (std::memcmp(bytes.data(), magic, kMagicSize) != 0) {
    const absl::string_view found(reinterpret_cast<const char*>(bytes.data()), kMagicSize);
    return absl::DataLossError(absl::StrCat(section, ": expected '",
                                            absl::CHexEscape(absl::string_view(magic, kMagicSize)),
                                            "', found '", absl::CHexEscape(found), "'", why));
  }
  const uint64_t expected = Get<uint64_t>(bytes, kOwnChecksum);
  const uint64_t found = internal::Checksum(bytes.subspan(0, kOwnChecksum));
  if (found == expected) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(section, ": expected checksum ",
                                          absl::Hex(expected, absl::kZeroPad16), ", found ",
                                          absl::Hex(found, absl::kZeroPad16)));
}

absl::Status CheckManifestPlace(const Footer& footer) {
  const int64_t end = footer.file_size - kFooterSize;
  const auto alignment = static_cast<int64_t>(kSegmentAlignment);
  if (footer.manifest_offset < kPreambleSize || footer.manifest_offset % alignment != 0 ||
      footer.manifest_size < 0 || footer.manifest_offset > end ||
      footer.manifest_size > end - footer.manifest_offset ||
      internal::AlignUp(footer.manifest_offset + footer.manifest_size, alignment) != end) {
    return absl::DataLossError(
        absl::StrCat("footer: expected a manifest that ends at the footer, byte ", end, ", found ",
                     footer.manifest_size, " bytes from byte ", footer.manifest_offset, " on"));
  }
  return absl::OkStatus();
}

}  // namespace

std::array<std::byte, kPreambleSize> EncodePreamble(const Preamble& preamble) {
  std::array<std::byte, kPreambleSize> bytes{};
  Put(preamble.producer, kPreambleProducer, &bytes);
  Put(preamble.min_reader, kPreambleMinReader, &bytes);
  Seal(kPreambleMagic, &bytes);
  return bytes;
}

std::array<std::byte, kFooterSize> EncodeFooter(const Footer& footer) {
  std::array<std::byte, kFooterSize> bytes{};
  Put(footer.manifest_offset, kFooterManifestOffset, &bytes);
  Put(footer.manifest_size, kFooterManifestSize, &bytes);
  Put(footer.manifest_checksum, kFooterManifestChecksum, &bytes);
  Put(footer.file_size, kFooterFileSize, &bytes);
  Put(footer.versions.producer, kFooterProducer, &bytes);
  Put(footer.versions.min_reader, kFooterMinReader, &bytes);
  Seal(kFooterMagic, &bytes);
  return bytes;
}

absl::StatusOr<Preamble> DecodePreamble(absl::Span<const std::byte> bytes) {
  if (bytes.size() < static_cast<size_t>(kPreambleSize)) {
    return WithReason(
        CutShort(absl::StrCat("preamble: expected ", kPreambleSize,
                              " bytes, found the end of the file after ", bytes.size()),
                 ", or is not a checkpoint"),
        ErrorReason::kNotThisFormat);
  }
  if (absl::Status status = CheckSeal("preamble", kPreambleMagic, "", bytes); !status.ok()) {
    return WithReason(std::move(status), ErrorReason::kNotThisFormat);
  }
  Preamble preamble;
  preamble.producer = Get<uint32_t>(bytes, kPreambleProducer);
  preamble.min_reader = Get<uint32_t>(bytes, kPreambleMinReader);
  if (preamble.min_reader > kFormatVersion) {
    return WithReason(absl::UnimplementedError(absl::StrCat(
                          "preamble: the file is of format version ", preamble.producer,
                          " and asks for a reader of version ", preamble.min_reader,
                          "; this reader is of version ", kFormatVersion)),
                      ErrorReason::kNewerVersion);
  }
  return preamble;
}

absl::StatusOr<Footer> DecodeFooter(absl::Span<const std::byte> bytes, const Preamble& preamble,
                                    int64_t file_size) {
  if (file_size < kPreambleSize + kFooterSize) {
    return CutShort(absl::StrCat("footer: expected a file of at least ",
                                 kPreambleSize + kFooterSize, " bytes, found ", file_size));
  }
  const std::string why = absl::StrCat(" at byte ", file_size - kFooterSize, " of ", file_size,
                                       "; the file was cut short, or overwritten there");
  if (std::memcmp(bytes.data(), kFooterMagic, kMagicSize) != 0) {
    return WithReason(CheckSeal("footer", kFooterMagic, why, bytes), ErrorReason::kTruncated);
  }
  if (absl::Status status = CheckSeal("footer", kFooterMagic, why, bytes); !status.ok()) {
    return status;
  }
  Footer footer;
  footer.manifest_offset = Get<int64_t>(bytes, kFooterManifestOffset);
  footer.manifest_size = Get<int64_t>(bytes, kFooterManifestSize);
  footer.manifest_checksum = Get<uint64_t>(bytes, kFooterManifestChecksum);
  footer.file_size = Get<int64_t>(bytes, kFooterFileSize);
  footer.versions = {Get<uint32_t>(bytes, kFooterProducer), Get<uint32_t>(bytes, kFooterMinReader)};
  if (footer.file_size != file_size) {
    const std::string sizes =
        absl::StrCat("footer: expected a file of ", footer.file_size, " bytes, found ", file_size);
    if (footer.file_size > file_size) return CutShort(sizes);
    return absl::DataLossError(absl::StrCat(sizes, "; something was added to it"));
  }
  if (footer.versions.producer != preamble.producer ||
      footer.versions.min_reader != preamble.min_reader) {
    return absl::DataLossError(absl::StrCat("footer: expected the preamble's versions ",
                                            preamble.producer, " and ", preamble.min_reader,
                                            ", found ", footer.versions.producer, " and ",
                                            footer.versions.min_reader));
  }
  if (absl::Status status = CheckManifestPlace(footer); !status.ok()) return status;
  return footer;
}

bool IsZero(absl::Span<const std::byte> bytes) {
  // Compares the bytes with themselves, shifted by one, at the speed of memcmp.
  return bytes.empty() || (bytes[0] == std::byte{0} &&
                           std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

}  // namespace leafstore
