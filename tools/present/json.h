// The JSON output for programs: one object, whose fields docs/tool.md describes.
//
//   JsonList items(SourceHead(*source), "items", &out);     // {"schema":1, ..., "items":[
//   for (...) {
//     JsonList rows({{"name", ...}}, "rows", &items);       // {"name":..., "rows":[
//     for (...) rows.Add(RowOf(...));                       // one per line
//     rows.Close();                                         // ]}
//   }
//   items.Close();                                          // ]} and the end of the line
//
// Entries are written when they are added, so that memory does not depend on the size of the
// output. Everything outside ASCII is escaped; bytes that are not UTF-8 are replaced. Values that
// are not numbers in JSON (NaN, infinities) become null.
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
#include "leafstore/tools/source/item_summary.h"
#include "leafstore/tools/source/source.h"

namespace leafstore::tools {

// The value of the field `schema`. It is incremented when a field is removed or changes its
// meaning, not when one is added.
inline constexpr int kJsonSchema = 1;

// An object whose fields keep the order of insertion.
using Json = nlohmann::ordered_json;

// Returns the text of `json` in one line.
std::string JsonText(const Json& json);

Json ToJson(const Metadata& metadata);
Json ToJson(const Metrics& metrics);
Json ToJson(const Totals& totals);
// Includes the histogram if it exists.
Json ToJson(const TensorStats& stats);
// Bytes become hexadecimal; a float that is not a number in JSON becomes text.
Json ToJson(const Value& value);
Json ShapeToJson(ShapeRef shape);
// Returns the name, or null for the leaves in no group.
Json NameToJson(const GroupSummary& group);

// Returns schema, file, format, step, file_bytes, format_version, metadata, metrics, and bases or
// shards.
Json SourceHead(const Source& source);

class JsonList {
 public:
  // Writes `head`, an object that is not empty, without its end, and begins its last field.
  JsonList(const Json& head, absl::string_view field, Output* out);
  // Like the above, but writes an entry of `outer`.
  JsonList(const Json& head, absl::string_view field, JsonList* outer);

  // Begins an entry that the caller writes.
  void Next();
  void Add(const Json& entry);
  // Must be called once, at the end.
  void Close();

 private:
  Output* out_;
  bool nested_ = false;
  bool any_ = false;
};

// Writes a complete object and the end of the line.
void PrintJsonLine(const Json& json, Output* out);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_PRESENT_JSON_H_
