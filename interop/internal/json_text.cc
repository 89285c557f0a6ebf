#include "leafstore/interop/internal/json_text.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <iterator>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include <nlohmann/json.hpp>

#include "leafstore/core/error_reason.h"
#include "leafstore/core/internal/utf8.h"
#include "leafstore/core/key.h"

namespace leafstore::internal {
namespace {

constexpr size_t kMaxDepth = 64;
constexpr size_t kMaxForMessage = 200;

// Returns whether simdjson stopped at a number that it cannot represent, or that is not one. Newer
// versions have a code of its own for integers over 64 bits.
template <typename Code>
bool IsOfNumber(Code code) {
  if constexpr (requires { Code::BIGINT_ERROR; }) {
    if (code == Code::BIGINT_ERROR) return true;
  }
  return code == Code::NUMBER_ERROR;
}

}  // namespace

JsonReader::JsonReader(absl::string_view text, absl::string_view what, int64_t readable_behind)
    : what_(what), has_escapes_(absl::StrContains(text, '\\')) {
  constexpr size_t kPadding = simdjson::SIMDJSON_PADDING;
  const auto padded_size = static_cast<int64_t>(text.size() + kPadding);
  if (has_escapes_) {
    // In a buffer of our own: simdjson 3.0 does not check that it could allocate its own one.
    absl::StatusOr<Buffer> strings = Buffer::AllocateUninitialized(padded_size);
    if (!strings.ok()) return;  // Read reports it
    unescaped_ = *std::move(strings);
  }
  if (readable_behind < static_cast<int64_t>(kPadding)) {
    absl::StatusOr<Buffer> copy = Buffer::AllocateUninitialized(padded_size);
    if (!copy.ok()) return;
    copy_ = *std::move(copy);
    std::memcpy(copy_.mutable_data(), text.data(), text.size());
    std::memset(copy_.mutable_data() + text.size(), ' ', kPadding);
    text = absl::string_view(reinterpret_cast<const char*>(copy_.data()), text.size());
  }
  padded_ = simdjson::padded_string_view(text.data(), text.size(), text.size() + kPadding);
}

absl::Status JsonReader::NoMemory() const {
  return absl::ResourceExhaustedError(absl::StrCat(what_, ": no memory to parse it"));
}

absl::Status JsonReader::NotJson() const {
  return absl::DataLossError(absl::StrCat(what_, ": expected JSON"));
}

absl::Status JsonReader::CheckAll(const absl::Status& status) const {
  simdjson::dom::parser parser;
  auto code = parser.allocate(std::max<size_t>(padded_.size(), 64), kMaxDepth);
  if (code == simdjson::SUCCESS) code = parser.parse(padded_.data(), padded_.size(), false).error();
  // JSON does not limit integers, and no value that is skipped has to be represented.
  if (IsOfNumber(code) && nlohmann::json::accept(padded_.begin(), padded_.end())) return status;
  switch (code) {
    case simdjson::SUCCESS:
      return status;
    case simdjson::MEMALLOC:
    case simdjson::CAPACITY:
      return NoMemory();
    case simdjson::DEPTH_ERROR:
      return DamagedJson(what_, absl::StrCat("JSON nested at most ", kMaxDepth, " deep"), "deeper");
    default:
      return DamagedJson(what_, "JSON", absl::StrCat("an error: ", simdjson::error_message(code)));
  }
}

absl::Status JsonReader::Unescape(simdjson::ondemand::raw_json_string raw, absl::string_view* out) {
  // A string is not longer than its text, so those read once fit; the padding is for whole vectors.
  const absl::string_view rest = From(raw.raw());
  if (rest.size() > padded_.size() - unescaped_size_) return NotJson();
  auto* end = reinterpret_cast<uint8_t*>(unescaped_.mutable_data()) + unescaped_size_;
  std::string_view text;
  if (parser_->unescape(raw, end).get(text) != simdjson::SUCCESS) return NotJson();
  unescaped_size_ += text.size();
  *out = ToAbslView(text);
  // The file is UTF-8, but an escape may denote half a character.
  if (IsValidUtf8(*out)) return absl::OkStatus();
  return DamagedJson(what_, "strings in UTF-8", QuotedForMessage(*out));
}

absl::string_view JsonReader::Kind(simdjson::simdjson_result<simdjson::ondemand::json_type> type) {
  // In the order of simdjson's enumeration.
  constexpr absl::string_view kKinds[] = {"no value", "a list", "an object", "a number",
                                          "a string", "a bool", "null"};
  static_assert(static_cast<size_t>(simdjson::ondemand::json_type::null) + 1 == std::size(kKinds));
  simdjson::ondemand::json_type known;
  const bool is_known = std::move(type).get(known) == simdjson::SUCCESS;
  return kKinds[is_known ? static_cast<size_t>(known) : 0];
}

std::string JsonReader::ForMessage(Value& value) const {
  absl::string_view text = From(value.raw_json_token().data());
  // A scalar, or a list of scalars.
  text = text.substr(
      0, absl::StartsWith(text, "[") ? text.find(']') + 1 : text.find_first_of(",]} \t\r\n"));
  const bool is_short = text.size() <= kMaxForMessage && text.find('[', 1) == text.npos &&
                        text.find_first_of("{\"\n") == text.npos;
  return std::string(is_short ? text : Kind(value));
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

absl::Status AmbiguousJson(absl::string_view where, absl::string_view expected,
                           absl::string_view found) {
  return WithReason(DamagedJson(where, expected, found), ErrorReason::kAmbiguous);
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
