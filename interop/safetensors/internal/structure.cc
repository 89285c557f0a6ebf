#include "leafstore/interop/safetensors/internal/structure.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "leafstore/core/error_reason.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/interop/internal/json_text.h"
#include "leafstore/io/internal/checksum.h"

namespace leafstore::internal {
namespace {

// The version and the style of the names, at the beginning of the text. Version 2 is only for names
// that older readers do not know.
constexpr std::pair<absl::string_view, NameStyle> kBeginnings[] = {
    {"1:dotted", NameStyle::kSplit},
    {"1:canonical", NameStyle::kCanonical},
    {"2:slash", NameStyle::kSlash}};
constexpr uint32_t kStructureVersion = 2;  // the newest

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
  absl::string_view beginning;
  for (const auto& [text, names] : kBeginnings) {
    if (FormOf(names) == FormOf(structure.names)) beginning = text;
  }
  return absl::StrCat(beginning, ":", ChecksumText(bytes), ":", absl::Base64Escape(bytes));
}

absl::StatusOr<SafetensorsStructure> DecodeSafetensorsStructure(absl::string_view text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, absl::MaxSplits(':', 3));
  uint32_t version = 0;
  if (parts.size() != 4 || !absl::SimpleAtoi(parts[0], &version)) {
    return DamagedStructure("'1:names:checksum:base64'", QuotedForMessage(text.substr(0, 40)));
  }
  if (version == 0 || version > kStructureVersion) {
    return WithReason(absl::UnimplementedError(absl::StrCat(
                          "metadata ", kSafetensorsStructureKey, ": its version is ", version,
                          "; this reader supports versions up to ", kStructureVersion)),
                      ErrorReason::kNewerVersion);
  }
  const auto* const beginning = std::find_if(
      std::begin(kBeginnings), std::end(kBeginnings),
      [text](const auto& one) { return absl::StartsWith(text, absl::StrCat(one.first, ":")); });
  if (beginning == std::end(kBeginnings)) {
    return DamagedStructure("names that are dotted or canonical, or in version 2 slash",
                            QuotedForMessage(parts[1]));
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
  return SafetensorsStructure{std::move(spec), beginning->second};
}

}  // namespace leafstore::internal
