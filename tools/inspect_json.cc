#include "leafstore/tools/inspect_json.h"

#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include <nlohmann/json.hpp>

#include "leafstore/core/dtype.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/core/value.h"

namespace leafstore::tools {
namespace {

// Fields in the order in which they were put in.
using Json = nlohmann::ordered_json;

// Names of files need not be UTF-8.
std::string Text(const Json& json) {
  return json.dump(-1, ' ', /*ensure_ascii=*/true, Json::error_handler_t::replace);
}

Json ToJson(const Metadata& metadata) {
  Json json = Json::object();
  for (const auto& [key, value] : metadata) json[key] = value;
  return json;
}

// What is no number in JSON becomes null.
Json ToJson(const Metrics& metrics) {
  Json json = Json::object();
  for (const auto& [name, value] : metrics) json[name] = value;
  return json;
}

Json ToJson(const std::vector<BaseFile>& bases) {
  Json json = Json::array();
  for (const BaseFile& base : bases) json.push_back(base.name);
  return json;
}

Json ToJson(const Totals& totals) {
  return {{"leaves", totals.leaves},
          {"tensors", totals.tensors},
          {"parameters", totals.parameters},
          {"bytes", totals.bytes},
          {"stored_bytes", totals.stored}};
}

// What is no number in JSON becomes null.
Json ToJson(const TensorStats& stats) {
  return {{"count", stats.count},   {"min", stats.min},       {"max", stats.max},
          {"mean", stats.mean},     {"std", stats.stddev()},  {"l2", stats.l2()},
          {"nan", stats.nan_count}, {"inf", stats.inf_count}, {"zero", stats.zero_count}};
}

Json ToJson(const Value& value) {
  switch (value.kind()) {
    case ValueKind::kBool:
      return *value.As<bool>();
    case ValueKind::kInt:
      return *value.As<int64_t>();
    case ValueKind::kFloat:
      // Those that JSON has no number for, as text.
      if (!std::isfinite(*value.As<double>())) return value.ToString();
      return *value.As<double>();
    case ValueKind::kString:
      return *value.As<std::string>();
    case ValueKind::kBytes:
      return absl::BytesToHexString(value.As<Bytes>()->data);
  }
  return nullptr;
}

void AddTensor(const EntryInfo& entry, const Totals& totals, Json* json) {
  (*json)["dtype"] = std::string(DTypeName(entry.dtype));
  (*json)["shape"] = std::vector<int64_t>(entry.shape.begin(), entry.shape.end());
  (*json)["parameters"] = totals.parameters;
  (*json)["bytes"] = entry.byte_size;
  (*json)["stored_bytes"] = entry.stored_size;
  (*json)["offset"] = entry.offset;
  (*json)["checksum"] = absl::StrCat(absl::Hex(entry.checksum, absl::kZeroPad16));
  (*json)["codec"] = entry.codec;
  (*json)["base"] = entry.base;
}

void AddLeaf(const EntryInfo& entry, const Totals& totals, Json* json) {
  if (entry.value == nullptr) {
    (*json)["kind"] = "tensor";
    AddTensor(entry, totals, json);
    return;
  }
  (*json)["kind"] = "static";
  (*json)["value_kind"] = std::string(ValueKindName(entry.value->kind()));
  (*json)["value"] = ToJson(*entry.value);
}

Json GroupName(const ItemSummary& summary, uint32_t group) {
  const GroupSummary& found = summary.group_summaries[group];
  return found.in_no_group ? Json(nullptr) : Json(found.name);
}

// Of a leaf the name of its group, of a subtree the names of its groups.
void AddGroups(const ItemSummary& summary, const Row& row, Json* json) {
  if (!summary.groups) return;
  if (row.kind == Row::kLeaf) {
    (*json)["group"] = GroupName(summary, *summary.GroupOf(row));
    return;
  }
  std::vector<bool> present(summary.group_summaries.size());
  for (const uint32_t place : summary.rows.PlacesOf(row)) present[*summary.GroupOf(place)] = true;
  Json names = Json::array();
  for (uint32_t group = 0; group < present.size(); ++group) {
    if (present[group]) names.push_back(GroupName(summary, group));
  }
  (*json)["groups"] = std::move(names);
}

void AddTags(const ItemRows& rows, const Row& row, Json* json) {
  if (!rows.def() || !rows.def()->has_tags()) return;
  const std::vector<absl::string_view> tags = rows.def()->tags(row.node);
  if (tags.empty()) return;
  Json& names = (*json)["tags"] = Json::array();
  for (const absl::string_view tag : tags) names.push_back(std::string(tag));
}

absl::StatusOr<Json> ToJson(const ItemSummary& summary, const Row& row) {
  const ItemRows& rows = summary.rows;
  Json json;
  LEAFSTORE_ASSIGN_OR_RETURN(json["path"], rows.PathText(row));
  LEAFSTORE_ASSIGN_OR_RETURN(json["dotted"], rows.Dotted(row));
  if (row.kind == Row::kAlias) {
    json["kind"] = "alias";
    const NodeId target = rows.def()->alias_target(row.node);
    LEAFSTORE_ASSIGN_OR_RETURN(json["target"], rows.def()->PathText(target));
    LEAFSTORE_ASSIGN_OR_RETURN(json["target_dotted"], rows.def()->Dotted(target));
    AddTags(rows, row, &json);
    return json;
  }
  if (row.kind == Row::kLeaf) {
    AddLeaf(rows.item().entry(rows.places()[row.begin]), rows.TotalsOf(row), &json);
  } else {
    json["kind"] = "subtree";
    json.update(ToJson(rows.TotalsOf(row)));
  }
  AddGroups(summary, row, &json);
  AddTags(rows, row, &json);
  if (summary.stats && summary.StatsOf(row).tensors > 0) {
    json["stats"] = ToJson(summary.StatsOf(row));
  }
  return json;
}

Json GroupsToJson(const ItemSummary& summary) {
  Json groups = Json::array();
  for (uint32_t i = 0; i < summary.group_summaries.size(); ++i) {
    const GroupSummary& group = summary.group_summaries[i];
    Json json = {{"name", GroupName(summary, i)}};
    json.update(ToJson(group.totals));
    if (summary.stats) json["stats"] = ToJson(group.stats);
    groups.push_back(std::move(json));
  }
  return groups;
}

// All of an item but its rows.
Json HeadOf(const ItemSummary& summary) {
  const CheckpointItemInfo& item = summary.item();
  Json json = {{"name", item.name()},
               {"metadata", ToJson(item.metadata())},
               {"structure_leaves", item.layout().size()},
               {"totals", ToJson(summary.rows.ItemTotals())},
               {"listed", ToJson(summary.rows.ListedTotals())}};
  if (!summary.groups) return json;
  json["groups_saved"] = summary.groups->saved;
  json["took_root"] = nullptr;
  if (const std::optional<size_t> group = summary.groups->took_root) {
    json["took_root"] = summary.groups->labels.name(static_cast<uint32_t>(*group));
  }
  json["groups"] = GroupsToJson(summary);
  return json;
}

// Writes an object that is not empty without its closing brace, and begins a last field, a list.
void OpenWithList(const Json& object, absl::string_view list, Output* out) {
  std::string text = Text(object);
  text.pop_back();
  out->Write(absl::StrCat(text, ",\"", list, "\":["));
}

absl::Status PrintItem(const ItemSummary& summary, Output* out) {
  OpenWithList(HeadOf(summary), "rows", out);
  absl::string_view separator = "\n";
  for (const Row& row : summary.rows.rows()) {
    if (!out->ok()) break;
    LEAFSTORE_ASSIGN_OR_RETURN(const Json json, ToJson(summary, row));
    out->Write(absl::StrCat(separator, Text(json)));
    separator = ",\n";
  }
  out->Write("]}");
  return absl::OkStatus();
}

}  // namespace

absl::Status PrintJson(const CheckpointReader& reader, const std::vector<ItemSummary>& items,
                       bool verified, Output* out) {
  const Json head = {{"schema", kJsonSchema},
                     {"file", reader.path()},
                     {"file_bytes", reader.file_size()},
                     {"format_version", reader.producer_version()},
                     {"verified", verified},
                     {"metadata", ToJson(reader.metadata())},
                     {"metrics", ToJson(reader.metrics())},
                     {"bases", ToJson(reader.bases())}};
  OpenWithList(head, "items", out);
  absl::string_view separator = "\n";
  for (const ItemSummary& item : items) {
    out->Write(separator);
    LEAFSTORE_RETURN_IF_ERROR(PrintItem(item, out));
    separator = ",\n";
  }
  out->Write("]}\n");
  return absl::OkStatus();
}

}  // namespace leafstore::tools
