#include "leafstore/interop/safetensors/internal/structure.h"

#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "leafstore/core/error_reason.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/interop/internal/json_text.h"
#include "leafstore/io/internal/checksum.h"

namespace leafstore::internal {
namespace {

constexpr absl::string_view kStructureVersion = "1";
constexpr absl::string_view kDottedNames = "dotted";
constexpr absl::string_view kCanonicalNames = "canonical";

std::string ChecksumText(absl::string_view bytes) {
  const auto* data = reinterpret_cast<const std::byte*>(bytes.data());
  return absl::StrCat(
      absl::Hex(Checksum(absl::MakeConstSpan(data, bytes.size())), absl::kZeroPad16));
}

}  // namespace

absl::Status DamagedStructure(absl::string_view expected, absl::string_view found) {
  return absl::DataLossError(absl::StrCat("metadata ", kSafetensorsStructureKey, ": expected ",
                                          expected, ", found ", found));
}

absl::StatusOr<std::string> EncodeSafetensorsStructure(const SafetensorsStructure& structure) {
  LEAFSTORE_ASSIGN_OR_RETURN(const std::string bytes, EncodeStoreSpec(structure.spec));
  const absl::string_view names =
      structure.names == NameStyle::kCanonical ? kCanonicalNames : kDottedNames;
  return absl::StrCat(kStructureVersion, ":", names, ":", ChecksumText(bytes), ":",
                      absl::Base64Escape(bytes));
}

absl::StatusOr<SafetensorsStructure> DecodeSafetensorsStructure(absl::string_view text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, absl::MaxSplits(':', 3));
  uint32_t version = 0;
  if (parts.size() == 4 && parts[0] != kStructureVersion && absl::SimpleAtoi(parts[0], &version)) {
    return WithReason(absl::UnimplementedError(absl::StrCat(
                          "metadata ", kSafetensorsStructureKey, ": its version is ", version,
                          "; this reader supports version ", kStructureVersion)),
                      ErrorReason::kNewerVersion);
  }
  if (parts.size() != 4 || parts[0] != kStructureVersion) {
    return DamagedStructure("'1:names:checksum:base64'", QuotedForMessage(text.substr(0, 40)));
  }
  if (parts[1] != kDottedNames && parts[1] != kCanonicalNames) {
    return DamagedStructure("names that are dotted or canonical", QuotedForMessage(parts[1]));
  }
  std::string bytes;
  // Accepts only the exact form that is written: no white space, no other padding.
  if (!absl::Base64Unescape(parts[3], &bytes) || absl::Base64Escape(bytes) != parts[3]) {
    return DamagedStructure("base64", "other text");
  }
  if (const std::string found = ChecksumText(bytes); found != parts[2]) {
    return DamagedStructure(absl::StrCat("checksum ", parts[2].substr(0, 16)), found);
  }
  LEAFSTORE_ASSIGN_OR_RETURN(
      StoreSpec spec,
      WithContext(DecodeStoreSpec(bytes), absl::StrCat("metadata ", kSafetensorsStructureKey)));
  return SafetensorsStructure{std::move(spec),
                              parts[1] == kDottedNames ? NameStyle::kSplit : NameStyle::kCanonical};
}

}  // namespace leafstore::internal
