// JSON as safetensors has it: documents that are parsed and checked by simdjson, strings that are
// escaped by nlohmann-json. For interop/ alone.
//
//   JsonDocument document;
//   LEAFSTORE_ASSIGN_OR_RETURN(const simdjson::dom::element root, document.Parse(text, "index"));
//
// Threads: a document belongs to one thread.
#ifndef LEAFSTORE_INTEROP_INTERNAL_JSON_TEXT_H_
#define LEAFSTORE_INTEROP_INTERNAL_JSON_TEXT_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "simdjson.h"

namespace leafstore {

class JsonDocument {
 public:
  // The root of one JSON text (RFC 8259, UTF-8), and nothing behind it; valid while this lives. The
  // text is copied. `-0` is a double, as to the reference's parser (serde_json): no count.
  // error DataLoss: no JSON, or nested deeper than 64; `what` it is, and what is wrong. error
  // ResourceExhausted: no memory. O(length); takes about fourteen times the length, most of which
  // is never touched.
  absl::StatusOr<simdjson::dom::element> Parse(absl::string_view text, absl::string_view what);

 private:
  absl::StatusOr<simdjson::dom::element> ParsePlain(absl::string_view text, absl::string_view what);

  simdjson::dom::parser parser_;
};

// "an object", "a string", "null", ... Static storage.
absl::string_view JsonKind(const simdjson::dom::element& element);
// A value for a message: as JSON, or where it is long what kind it is.
std::string JsonForMessage(const simdjson::dom::element& element);

// A string for a message: in quotes, with what is not printable escaped, and in part where it is
// long.
std::string QuotedForMessage(absl::string_view text);

// DataLoss with "<where>: expected <expected>, found <found>".
absl::Status DamagedJson(absl::string_view where, absl::string_view expected,
                         absl::string_view found);

// simdjson's strings as Abseil's.
inline absl::string_view AbslView(std::string_view text) {
  return absl::string_view(text.data(), text.size());
}

// error InvalidArgument: `text` is no UTF-8; `what` it is ("a name").
absl::Status CheckJsonString(absl::string_view text, absl::string_view what);
// Appends a string as the reference's writer does: quotes, backslashes and control characters
// escaped, all others as they are. It must be UTF-8.
void AppendJsonString(absl::string_view text, std::string* out);

}  // namespace leafstore

#endif  // LEAFSTORE_INTEROP_INTERNAL_JSON_TEXT_H_
