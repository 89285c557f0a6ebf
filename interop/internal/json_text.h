// JSON of safetensors files: simdjson reads it, nlohmann-json escapes strings.
#ifndef LEAFSTORE_INTEROP_INTERNAL_JSON_TEXT_H_
#define LEAFSTORE_INTEROP_INTERNAL_JSON_TEXT_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/base/attributes.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "simdjson.h"

#include "leafstore/core/buffer.h"
#include "leafstore/core/status_macros.h"

namespace leafstore::internal {

// Returns DataLoss with "<where>: expected <expected>, found <found>".
ABSL_ATTRIBUTE_COLD absl::Status DamagedJson(absl::string_view where, absl::string_view expected,
                                             absl::string_view found);
// Like DamagedJson, with ErrorReason::kAmbiguous.
ABSL_ATTRIBUTE_COLD absl::Status AmbiguousJson(absl::string_view where, absl::string_view expected,
                                               absl::string_view found);

// Reads one JSON text (RFC 8259, UTF-8) from its beginning to its end, in place (simdjson's
// On-Demand API).
//
//   JsonReader json(text, "index");
//   LEAFSTORE_RETURN_IF_ERROR(json.Read([&](JsonReader::Field& field) -> absl::Status { ... }));
//
// simdjson checks only the values that are read. So after any error, and if a visitor did not read
// a value, the complete text is parsed into a document too, and what is wrong with that is reported
// first.
//
// What is called per value is always inlined: otherwise simdjson's position would be in memory.
//
// Errors. DataLoss: not JSON, not an object, text after it, or nested deeper than 64.
// ResourceExhausted: out of memory; a document takes about fourteen times the length, most of it
// never touched. Before it is made, the memory of the first parser is freed.
class JsonReader {
 public:
  using Value = simdjson::ondemand::value;
  using Object = simdjson::ondemand::object;
  using Array = simdjson::ondemand::array;
  using Field = simdjson::ondemand::field;

  // `readable_behind` bytes after the text may be read; if they are fewer than 64, the text is
  // copied. Messages call the text `what`. Both must outlive this object.
  JsonReader(absl::string_view text, absl::string_view what, int64_t readable_behind = 0);

  // Calls `visit` with each field of the root. error: as above, or that of `visit`.
  template <typename Visit>
  absl::Status Read(const Visit& visit) {
    if (padded_.data() == nullptr) return NoMemory();
    parser_.emplace();
    const absl::Status status = ReadRoot(visit);
    parser_.reset();
    return status.ok() && !skipped_ ? status : CheckAll(status);
  }
  // Calls `visit` with each field of an object, or each element of an array.
  template <typename Visit>
  absl::Status ForEach(Object object, const Visit& visit) {
    return ForEachOf<Field>(object, visit);
  }
  template <typename Visit>
  absl::Status ForEach(Array array, const Visit& visit) {
    return ForEachOf<Value>(array, visit);
  }

  // Return a key, or a value that IsString, without escapes. The text is valid while this object
  // lives. error DataLoss also: it is not UTF-8.
  absl::Status GetKey(Field& field, absl::string_view* out) { return GetText(field.key(), out); }
  ABSL_ATTRIBUTE_ALWAYS_INLINE absl::Status GetString(Value& value, absl::string_view* out) {
    return GetText(value.get_raw_json_string(), out);
  }
  static bool IsString(Value& value) {
    return value.type().value_unsafe() == simdjson::ondemand::json_type::string;
  }
  // Returns whether the value is an integer from 0 to 2^63 - 1. `-0` is not, as in the reference's
  // parser (serde_json).
  ABSL_ATTRIBUTE_ALWAYS_INLINE static bool GetCount(Value& value, int64_t* out) {
    uint64_t count = 0;
    if (value.get_uint64().get(count) != simdjson::SUCCESS) return false;
    *out = static_cast<int64_t>(count);
    return *out >= 0;
  }

  // Returns "an object", "a string", "null", ... Static storage.
  static absl::string_view Kind(simdjson::simdjson_result<simdjson::ondemand::json_type> type);
  static absl::string_view Kind(Value& value) { return Kind(value.type()); }
  // Formats a value for a message: as in the text, or as its kind if it is long.
  std::string ForMessage(Value& value) const;

 private:
  template <typename Visit>
  absl::Status ReadRoot(const Visit& visit) {
    simdjson::ondemand::document document;
    Object root;
    const simdjson::error_code code = parser_->iterate(padded_).get(document);
    if (code == simdjson::MEMALLOC || code == simdjson::CAPACITY) return NoMemory();
    if (code != simdjson::SUCCESS) return NotJson();
    if (document.get_object().get(root) != simdjson::SUCCESS) {
      return DamagedJson(what_, "an object", Kind(document.type()));
    }
    LEAFSTORE_RETURN_IF_ERROR(ForEach(root, visit));
    const bool at_end = document.current_location().error() == simdjson::OUT_OF_BOUNDS;
    return at_end ? absl::OkStatus() : NotJson();
  }
  template <typename Child, typename Parent, typename Visit>
  ABSL_ATTRIBUTE_ALWAYS_INLINE absl::Status ForEachOf(Parent parent, const Visit& visit) {
    for (auto next : parent) {
      if (next.error() != simdjson::SUCCESS) return NotJson();
      Child&& child = std::move(next).value_unsafe();  // a copy would take as long as the parsing
      const auto depth = ValueOf(child).current_depth();
      LEAFSTORE_RETURN_IF_ERROR(visit(child));
      if (ValueOf(child).current_depth() >= depth) skipped_ = true;  // reading a value ascends
    }
    return absl::OkStatus();
  }
  static Value& ValueOf(Field& field) { return field.value(); }
  static Value& ValueOf(Value& element) { return element; }
  // Returns the text from a position of simdjson on.
  absl::string_view From(const char* begin) const {
    const char* end = padded_.data() + padded_.size();
    if (begin < padded_.data() || begin > end) return "";
    return absl::string_view(begin, static_cast<size_t>(end - begin));
  }
  ABSL_ATTRIBUTE_ALWAYS_INLINE absl::Status GetText(
      simdjson::simdjson_result<simdjson::ondemand::raw_json_string> raw, absl::string_view* out) {
    simdjson::ondemand::raw_json_string string;
    if (std::move(raw).get(string) != simdjson::SUCCESS) return NotJson();
    if (has_escapes_) return Unescape(string, out);
    const absl::string_view rest = From(string.raw());
    const void* const quote = std::memchr(rest.data(), '"', rest.size());
    if (quote == nullptr) return NotJson();
    *out = rest.substr(0, static_cast<size_t>(static_cast<const char*>(quote) - rest.data()));
    return absl::OkStatus();
  }
  absl::Status Unescape(simdjson::ondemand::raw_json_string raw, absl::string_view* out);
  absl::Status NoMemory() const;
  ABSL_ATTRIBUTE_COLD absl::Status NotJson() const;
  // Parses the complete text. Returns `status` if it is valid.
  absl::Status CheckAll(const absl::Status& status) const;

  const absl::string_view what_;
  const bool has_escapes_;
  Buffer copy_;                          // if needed
  Buffer unescaped_;                     // the strings read so far, if the text has escapes
  size_t unescaped_size_ = 0;            // of their bytes
  simdjson::padded_string_view padded_;  // null: no memory for the buffers
  std::optional<simdjson::ondemand::parser> parser_;  // during Read
  bool skipped_ = false;                              // a visitor did not read a value
};

// Formats a string for a message: in quotes, with escapes for unprintable characters, shortened if
// it is long.
std::string QuotedForMessage(absl::string_view text);

// Converts a string view of simdjson to one of Abseil.
inline absl::string_view ToAbslView(std::string_view text) {
  return absl::string_view(text.data(), text.size());
}

// Checks that `text` is UTF-8. error InvalidArgument: it is not; the message calls it `what` ("a
// name").
absl::Status CheckJsonString(absl::string_view text, absl::string_view what);
// Appends a JSON string like the reference's writer: escapes quotes, backslashes and control
// characters only. `text` must be UTF-8.
void AppendJsonString(absl::string_view text, std::string* out);

}  // namespace leafstore::internal

#endif  // LEAFSTORE_INTEROP_INTERNAL_JSON_TEXT_H_
