// JSON of safetensors files: simdjson parses and checks documents, nlohmann-json escapes strings.
#ifndef LEAFSTORE_INTEROP_INTERNAL_JSON_TEXT_H_
#define LEAFSTORE_INTEROP_INTERNAL_JSON_TEXT_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "simdjson.h"

namespace leafstore::internal {

class JsonDocument {
 public:
  // Parses one JSON text (RFC 8259, UTF-8) and returns its root, valid while this object lives. The
  // text is copied. `-0` is a double and not a count, as in the reference's parser (serde_json).
  // error DataLoss: not JSON, text after the value, or nested deeper than 64; the message says what
  // is wrong, and `what` the text is. error ResourceExhausted: no memory. O(length); allocates
  // about fourteen times the length, most of which is never touched.
  absl::StatusOr<simdjson::dom::element> Parse(absl::string_view text, absl::string_view what);

 private:
  absl::StatusOr<simdjson::dom::element> ParsePlain(absl::string_view text, absl::string_view what);

  simdjson::dom::parser parser_;
};

// Returns "an object", "a string", "null", ... Static storage.
absl::string_view JsonKind(const simdjson::dom::element& element);
// Formats a value for a message: as JSON, or as its kind if it is long.
std::string JsonForMessage(const simdjson::dom::element& element);

// Formats a string for a message: in quotes, with escapes for unprintable characters, shortened if
// it is long.
std::string QuotedForMessage(absl::string_view text);

// Returns DataLoss with "<where>: expected <expected>, found <found>".
absl::Status DamagedJson(absl::string_view where, absl::string_view expected,
                         absl::string_view found);

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
