// What is answered to programs: one JSON object, of which docs/tool.md has the fields.
//
//   Json head = SourceHead(*source);             // schema, file, ...
//   JsonList rows(head, "rows", &out);           // {..., "rows":[
//   for (...) rows.Add(RowOf(...));              // one to a line
//   rows.Close();                                // ]}
//
// Rows are written as they come, so that a large answer takes no more memory than a small one.
// Everything outside ASCII is escaped; bytes that are no UTF-8 are replaced. What is no number in
// JSON (NaN, infinities) becomes null.
#ifndef LEAFSTORE_TOOLS_PRESENT_JSON_H_
#define LEAFSTORE_TOOLS_PRESENT_JSON_H_

#include <string>

#include "absl/strings/string_view.h"
#include <nlohmann/json.hpp>

#include "leafstore/checkpoint/reader.h"
#include "leafstore/core/value.h"
#include "leafstore/numeric/stats.h"
#include "leafstore/tools/present/output.h"
#include "leafstore/tools/source/item_rows.h"
#include "leafstore/tools/source/source.h"

namespace leafstore::tools {

// Of the field `schema`: grows when a field goes or changes its meaning, not when one is added.
inline constexpr int kJsonSchema = 1;

// Fields in the order in which they were put in.
using Json = nlohmann::ordered_json;

// One line.
std::string JsonText(const Json& json);

Json ToJson(const Metadata& metadata);
Json ToJson(const Metrics& metrics);
Json ToJson(const Totals& totals);
// With the histogram, if there is one.
Json ToJson(const TensorStats& stats);
// Bytes in hexadecimal; a float that JSON has no number for as text.
Json ToJson(const Value& value);
Json ShapeToJson(ShapeRef shape);

// schema, file, format, step, file_bytes, format_version, metadata, metrics, and bases or shards.
Json SourceHead(const Source& source);

class JsonList {
 public:
  // Writes `head`, an object that is not empty, without its end, and begins its last field.
  JsonList(const Json& head, absl::string_view field, Output* out);

  // Before an entry that is written by somebody else.
  void Next();
  void Add(const Json& entry);
  // To be called once, at the end.
  void Close();

 private:
  Output* out_;
  bool any_ = false;
};

// A whole answer at once, with the end of its line.
void PrintJsonLine(const Json& json, Output* out);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_PRESENT_JSON_H_
