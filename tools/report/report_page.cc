#include "leafstore/tools/report/report_page.h"

#include <xxhash.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

#include "leafstore/tools/present/text.h"

namespace leafstore::tools {
namespace {

// Escapes text between tags.
std::string EscapeHtml(absl::string_view text) {
  return absl::StrReplaceAll(text,
                             {{"<", "&lt;"}, {">", "&gt;"}, {"&", "&amp;"}, {"\"", "&quot;"}});
}

// Escapes the characters of markup; JSON has them only inside strings.
std::string EscapeJson(absl::string_view json) {
  return absl::StrReplaceAll(json, {{"<", "\\u003c"}, {">", "\\u003e"}, {"&", "\\u0026"}});
}

std::string ChecksumOf(absl::string_view title, absl::string_view data) {
  const XXH128_hash_t of_title = XXH3_128bits(title.data(), title.size());
  const XXH128_hash_t sum = XXH3_128bits_withSeed(data.data(), data.size(), of_title.low64);
  return absl::StrCat(absl::Hex(sum.high64, absl::kZeroPad16),
                      absl::Hex(sum.low64, absl::kZeroPad16));
}

}  // namespace

std::string ReportPage(absl::string_view title, absl::string_view json) {
  const std::string shown_title = EscapeHtml(Printable(title));
  const std::string data = EscapeJson(json);
  // In one pass, so that inserted text is not searched for placeholders.
  return absl::StrReplaceAll(kPageHtml, {{"@TITLE@", shown_title},
                                         {"@NONCE@", ChecksumOf(shown_title, data)},
                                         {"@STYLE@", kPageStyle},
                                         {"@DATA@", data},
                                         {"@SCRIPT@", kPageScript}});
}

}  // namespace leafstore::tools
