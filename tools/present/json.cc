#include "leafstore/tools/present/json.h"

#include <cmath>

#include "absl/strings/escaping.h"

#include "leafstore/core/dtype.h"

namespace leafstore::tools {

std::string JsonText(const Json& json) {
  // The name of a file need not be UTF-8.
  return json.dump(-1, ' ', /*ensure_ascii=*/true, Json::error_handler_t::replace);
}

Json ToJson(const Totals& totals) {
  return {{"leaves", totals.leaves},
          {"tensors", totals.tensors},
          {"parameters", totals.parameters},
          {"bytes", totals.bytes},
          {"stored_bytes", totals.stored}};
}

Json ToJson(const TensorStats& stats) {
  Json json = Json::object();
  for (const StatField& field : kStatFields) {
    const double number = field.of(stats);
    json[field.name] = field.is_count ? Json(static_cast<int64_t>(number)) : Json(number);
  }
  if (stats.histogram) {
    json["histogram"] = {{"lo", stats.histogram->lo},
                         {"hi", stats.histogram->hi},
                         {"bins", stats.histogram->bins},
                         {"below", stats.histogram->below},
                         {"above", stats.histogram->above}};
  }
  return json;
}

Json ToJson(const Value& value) {
  switch (value.kind()) {
    case ValueKind::kBool:
      return *value.As<bool>();
    case ValueKind::kInt:
      return *value.As<int64_t>();
    case ValueKind::kFloat:
      if (!std::isfinite(*value.As<double>())) return value.ToString();
      return *value.As<double>();
    case ValueKind::kString:
      return *value.As<std::string>();
    case ValueKind::kBytes:
      return absl::BytesToHexString(value.As<Bytes>()->data);
  }
  return nullptr;
}

Json ShapeToJson(ShapeRef shape) { return std::vector<int64_t>(shape.begin(), shape.end()); }

Json ToJson(LeafDiff::What what) {
  constexpr const char* kNames[] = {"kind", "dtype", "shape", "numbers", "value"};
  return kNames[static_cast<size_t>(what)];
}

Json ToJson(const std::vector<UnreadableLeaf>& unreadable) {
  Json list = Json::array();
  for (const UnreadableLeaf& one : unreadable) {
    list.push_back({{"name", one.name}, {"what", one.what}, {"bytes", one.byte_size}});
  }
  return list;
}

void AddLeafFields(const EntryInfo& entry, Json* json) {
  if (entry.value != nullptr) {
    (*json)["value_kind"] = ValueKindName(entry.value->kind());
    (*json)["value"] = ToJson(*entry.value);
  } else {
    (*json)["dtype"] = DTypeName(entry.spec.dtype());
    (*json)["shape"] = ShapeToJson(entry.spec.shape());
  }
}

Json SourceHead(const Source& source) {
  Json head = {
      {"schema", kJsonSchema}, {"file", source.file}, {"format", SourceFormatName(source.format)}};
  if (source.step) head["step"] = *source.step;
  head["file_bytes"] = source.file_size;
  head["format_version"] = source.format_version;
  head["metadata"] = ToJson(source.metadata);
  head["metrics"] = ToJson(source.metrics);
  head[source.format == SourceFormat::kLeaf ? "bases" : "shards"] = source.other_files;
  head["notes"] = source.notes;
  return head;
}

JsonList::JsonList(const Json& head, absl::string_view field, Output* out) : out_(out) {
  std::string text = JsonText(head);
  text.pop_back();
  out->Write(text, ",\"", field, "\":[");
}

JsonList::JsonList(const Json& head, absl::string_view field, JsonList* outer)
    : JsonList((outer->Next(), head), field, outer->out_) {
  nested_ = true;
}

void JsonList::Next() {
  out_->Write(any_ ? ",\n" : "\n");
  any_ = true;
}

bool JsonList::Add(const Json& entry) {
  Next();
  out_->Write(JsonText(entry));
  return out_->ok();
}

JsonList::~JsonList() { out_->Write(nested_ ? "]}" : "]}\n"); }

}  // namespace leafstore::tools
