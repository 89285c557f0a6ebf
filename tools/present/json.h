// The JSON output for programs: one object, whose fields docs/tool.md describes.
//
//   JsonList items(SourceHead(*source), "items", &out);     // {"schema":2, ..., "items":[
//   for (...) {
//     JsonList rows({{"name", ...}}, "rows", &items);       // {"name":..., "rows":[
//     for (...) rows.Add(RowOf(...));                       // one per line
//   }                                                       // ]}
//
// Entries are written when they are added, so that memory does not depend on the size of the
// output. Everything outside ASCII is escaped; bytes that are not UTF-8 are replaced. Values that
// are not numbers in JSON (NaN, infinities) become null.
#ifndef LEAFSTORE_TOOLS_PRESENT_JSON_H_
#define LEAFSTORE_TOOLS_PRESENT_JSON_H_

#include <map>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include <nlohmann/json.hpp>

#include "leafstore/core/shape.h"
#include "leafstore/core/value.h"
#include "leafstore/numeric/diff.h"
#include "leafstore/numeric/stats.h"
#include "leafstore/tools/present/output.h"
#include "leafstore/tools/source/item_rows.h"
#include "leafstore/tools/source/source.h"

template <>
struct nlohmann::adl_serializer<absl::string_view> {
  template <typename Json>
  static void to_json(Json& json, absl::string_view text) {
    json = std::string(text);
  }
};

namespace leafstore::tools {

// The value of the field `schema`. It is incremented when a field is removed or changes its
// meaning, not when one is added.
inline constexpr int kJsonSchema = 2;

// An object whose fields keep the order of insertion.
using Json = nlohmann::ordered_json;

// Returns the text of `json` in one line.
std::string JsonText(const Json& json);

// Returns null for no value.
template <typename T>
Json ToJson(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}
// Inserts without looking for an equal name, which would take a pass over all fields.
template <typename T>
Json ToJson(const std::map<std::string, T>& map) {
  Json json = Json::object();
  for (const auto& [name, value] : map) json.get_ref<Json::object_t&>().emplace_back(name, value);
  return json;
}
Json ToJson(const Totals& totals);
// Includes the histogram if it exists; the other fields are kStatFields.
Json ToJson(const TensorStats& stats);

// A number of TensorStats, and its name in JSON and for --sort.
struct StatField {
  absl::string_view name;
  double (*of)(const TensorStats& stats);
  bool is_count = false;
};
inline constexpr StatField kStatFields[] = {
    {"count", [](const TensorStats& stats) { return static_cast<double>(stats.count); }, true},
    {"min", [](const TensorStats& stats) { return stats.min; }},
    {"max", [](const TensorStats& stats) { return stats.max; }},
    {"mean", [](const TensorStats& stats) { return stats.mean; }},
    {"std", [](const TensorStats& stats) { return stats.stddev(); }},
    {"l2", [](const TensorStats& stats) { return stats.l2(); }},
    {"nan", [](const TensorStats& stats) { return static_cast<double>(stats.nan_count); }, true},
    {"inf", [](const TensorStats& stats) { return static_cast<double>(stats.inf_count); }, true},
    {"zero", [](const TensorStats& stats) { return static_cast<double>(stats.zero_count); }, true},
};

// Bytes become hexadecimal; a float that is not a number in JSON becomes text.
Json ToJson(const Value& value);
Json ToJson(LeafDiff::What what);
// Returns a list of objects with name, what and bytes.
Json ToJson(const std::vector<UnreadableLeaf>& unreadable);
Json ShapeToJson(ShapeRef shape);
// Adds value_kind and value of a static leaf, or dtype and shape of a tensor.
void AddLeafFields(const EntryInfo& entry, Json* json);

// Returns schema, file, format, step, file_bytes, format_version, metadata, metrics, bases or
// shards, and notes.
Json SourceHead(const Source& source);

// An object whose last field is a list. The destructor ends both.
class JsonList {
 public:
  // Writes `head`, an object that is not empty, without its end, and begins its last field.
  JsonList(const Json& head, absl::string_view field, Output* out);
  // Like the above, but writes an entry of `outer`.
  JsonList(const Json& head, absl::string_view field, JsonList* outer);
  ~JsonList();
  JsonList(const JsonList&) = delete;
  JsonList& operator=(const JsonList&) = delete;

  // Begins an entry that the caller writes.
  void Next();
  // Returns false after an error of the output, so that long work can end.
  bool Add(const Json& entry);

 private:
  Output* out_;
  bool nested_ = false;
  bool any_ = false;
};

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_PRESENT_JSON_H_
