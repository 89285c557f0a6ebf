#include "leafstore/tools/report/report_page.h"

#include <xxhash.h>

#include <cstdint>
#include <initializer_list>
#include <utility>

#include "absl/strings/str_cat.h"

#include "leafstore/tools/present/text.h"

namespace leafstore::tools {
namespace {

void Append(absl::string_view text, std::string* out) { out->append(text.data(), text.size()); }

// As text between tags.
std::string EscapeHtml(absl::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '&':
        escaped += "&amp;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

// Outside of strings JSON has none of these characters.
std::string EscapeJson(absl::string_view json) {
  std::string escaped;
  escaped.reserve(json.size());
  for (const char c : json) {
    switch (c) {
      case '<':
        escaped += "\\u003c";
        break;
      case '>':
        escaped += "\\u003e";
        break;
      case '&':
        escaped += "\\u0026";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
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
  const std::string nonce = ChecksumOf(shown_title, data);
  const std::initializer_list<std::pair<absl::string_view, absl::string_view>> parts = {
      {"@TITLE@", shown_title}, {"@NONCE@", nonce},        {"@STYLE@", kPageStyle},
      {"@DATA@", data},         {"@SCRIPT@", kPageScript},
  };
  std::string page;
  page.reserve(kPageHtml.size() + kPageStyle.size() + kPageScript.size() + data.size() + 1024);
  // Once, from front to back: what was put in is not looked at again.
  absl::string_view rest = kPageHtml;
  while (!rest.empty()) {
    const size_t at = rest.find('@');
    Append(rest.substr(0, at), &page);
    if (at == absl::string_view::npos) break;
    rest.remove_prefix(at);
    bool is_part = false;
    for (const auto& [name, text] : parts) {
      if (rest.substr(0, name.size()) != name) continue;
      Append(text, &page);
      rest.remove_prefix(name.size());
      is_part = true;
      break;
    }
    if (is_part) continue;
    page += '@';
    rest.remove_prefix(1);
  }
  return page;
}

}  // namespace leafstore::tools
