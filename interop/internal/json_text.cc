#include "leafstore/interop/internal/json_text.h"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include <nlohmann/json.hpp>

#include "leafstore/core/internal/utf8.h"
#include "leafstore/core/key.h"

namespace leafstore::internal {
namespace {

constexpr size_t kMaxDepth = 64;
constexpr size_t kMaxForMessage = 200;

bool MayGoOn(char c) { return (c >= '0' && c <= '9') || c == '.' || c == 'e' || c == 'E'; }

// Returns the positions after each number `-0` in a JSON text, in order. simdjson parses it as 0.
std::vector<size_t> MinusZeros(absl::string_view json) {
  std::vector<size_t> ends;
  if (json.find("-0") == absl::string_view::npos) return ends;
  bool in_string = false;
  for (size_t i = 0; i + 1 < json.size(); ++i) {
    if (json[i] == '"') {
      in_string = !in_string;
    } else if (in_string) {
      if (json[i] == '\\') ++i;
    } else if (json[i] == '-' && json[i + 1] == '0' &&
               (i + 2 == json.size() || !MayGoOn(json[i + 2]))) {
      const char before = i == 0 ? ' ' : json[i - 1];
      if (before != 'e' && before != 'E') ends.push_back(i + 2);  // 1e-0 is already a double
    }
  }
  return ends;
}

// Returns the text with `.0` inserted at these positions.
std::string WithFractions(absl::string_view json, const std::vector<size_t>& places) {
  std::string out;
  out.reserve(json.size() + 2 * places.size());
  size_t begin = 0;
  for (const size_t place : places) {
    absl::StrAppend(&out, json.substr(begin, place - begin), ".0");
    begin = place;
  }
  absl::StrAppend(&out, json.substr(begin));
  return out;
}

absl::Status ErrorOf(simdjson::error_code code, absl::string_view what) {
  if (code == simdjson::MEMALLOC || code == simdjson::CAPACITY) {
    return absl::ResourceExhaustedError(absl::StrCat(what, ": no memory to parse it"));
  }
  if (code == simdjson::DEPTH_ERROR) {
    return absl::DataLossError(
        absl::StrCat(what, ": expected JSON nested at most ", kMaxDepth, " deep, found deeper"));
  }
  return absl::DataLossError(
      absl::StrCat(what, ": expected JSON, found an error: ", simdjson::error_message(code)));
}

}  // namespace

absl::StatusOr<simdjson::dom::element> JsonDocument::ParsePlain(absl::string_view text,
                                                                absl::string_view what) {
  if (const auto code = parser_.allocate(std::max<size_t>(text.size(), 64), kMaxDepth);
      code != simdjson::SUCCESS) {
    return ErrorOf(code, what);
  }
  simdjson::dom::element root;
  if (const auto code = parser_.parse(text.data(), text.size()).get(root);
      code != simdjson::SUCCESS) {
    return ErrorOf(code, what);
  }
  return root;
}

absl::StatusOr<simdjson::dom::element> JsonDocument::Parse(absl::string_view text,
                                                           absl::string_view what) {
  absl::StatusOr<simdjson::dom::element> root = ParsePlain(text, what);
  if (!root.ok()) return root;
  const std::vector<size_t> minus_zeros = MinusZeros(text);
  return minus_zeros.empty() ? root : ParsePlain(WithFractions(text, minus_zeros), what);
}

absl::string_view JsonKind(const simdjson::dom::element& element) {
  switch (element.type()) {
    case simdjson::dom::element_type::ARRAY:
      return "a list";
    case simdjson::dom::element_type::OBJECT:
      return "an object";
    case simdjson::dom::element_type::STRING:
      return "a string";
    case simdjson::dom::element_type::BOOL:
      return "a bool";
    case simdjson::dom::element_type::NULL_VALUE:
      return "null";
    default:  // integers, floating point, and in later versions of simdjson integers of any size
      return "a number";
  }
}

std::string JsonForMessage(const simdjson::dom::element& element) {
  simdjson::dom::array array;
  const bool is_long = element.is_object() || element.is_string() ||
                       (element.get(array) == simdjson::SUCCESS && array.size() > 8);
  std::string text = is_long ? "" : simdjson::minify(element);
  if (!is_long && text.size() <= kMaxForMessage) return text;
  return std::string(JsonKind(element));
}

std::string QuotedForMessage(absl::string_view text) {
  if (!IsValidUtf8(text)) {
    return absl::StrCat("'", absl::CHexEscape(text.substr(0, kMaxForMessage)), "'");
  }
  const absl::string_view start = text.substr(0, kMaxForMessage);
  std::string out = Quoted(start.substr(0, ValidUtf8PrefixSize(start)));
  if (start.size() < text.size()) absl::StrAppend(&out, "... of ", text.size(), " bytes");
  return out;
}

absl::Status DamagedJson(absl::string_view where, absl::string_view expected,
                         absl::string_view found) {
  return absl::DataLossError(absl::StrCat(where, ": expected ", expected, ", found ", found));
}

absl::Status CheckJsonString(absl::string_view text, absl::string_view what) {
  if (IsValidUtf8(text)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("expected ", what, " in UTF-8, found ", QuotedForMessage(text)));
}

void AppendJsonString(absl::string_view text, std::string* out) {
  const bool is_plain = std::all_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\';
  });
  if (!is_plain) {
    out->append(nlohmann::json(std::string(text)).dump());
    return;
  }
  out->push_back('"');
  out->append(text.data(), text.size());
  out->push_back('"');
}

}  // namespace leafstore::internal
