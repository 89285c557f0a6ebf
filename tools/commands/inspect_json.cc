#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

#include "leafstore/core/dtype.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/core/value.h"
#include "leafstore/tools/commands/inspect.h"
#include "leafstore/tools/present/json.h"

namespace leafstore::tools {
namespace {

void AddTensor(const EntryInfo& entry, const ItemRows& rows, const Totals& totals, Json* json) {
  (*json)["dtype"] = std::string(DTypeName(entry.spec.dtype()));
  (*json)["shape"] = ShapeToJson(entry.spec.shape());
  (*json)["parameters"] = totals.parameters;
  (*json)["bytes"] = entry.spec.byte_size();
  (*json)["stored_bytes"] = entry.stored_size;
  (*json)["offset"] = entry.offset;
  if (rows.item().has_checksums()) {
    (*json)["checksum"] = absl::StrCat(absl::Hex(entry.checksum, absl::kZeroPad16));
  } else {
    (*json)["checksum"] = nullptr;
  }
  (*json)["codec"] = entry.codec;
  (*json)["base"] = entry.base;
}

void AddLeaf(const EntryInfo& entry, const ItemRows& rows, const Totals& totals, Json* json) {
  if (entry.value == nullptr) {
    (*json)["kind"] = "tensor";
    AddTensor(entry, rows, totals, json);
    return;
  }
  (*json)["kind"] = "static";
  (*json)["value_kind"] = std::string(ValueKindName(entry.value->kind()));
  (*json)["value"] = ToJson(*entry.value);
}

// Adds the name of the group of a leaf, or the names of the groups of a subtree.
void AddGroups(const ItemSummary& summary, const Row& row, Json* json) {
  if (!summary.groups) return;
  if (row.kind == Row::kLeaf) {
    (*json)["group"] = NameToJson(summary.group_summaries[*summary.GroupOf(row)]);
    return;
  }
  std::vector<bool> present(summary.group_summaries.size());
  for (const uint32_t place : summary.rows.PlacesOf(row)) present[*summary.GroupOf(place)] = true;
  Json names = Json::array();
  for (uint32_t group = 0; group < present.size(); ++group) {
    if (present[group]) names.push_back(NameToJson(summary.group_summaries[group]));
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

absl::StatusOr<Json> RowToJson(const ItemSummary& summary, size_t index) {
  const ItemRows& rows = summary.rows;
  const Row& row = rows.rows()[index];
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
    AddLeaf(rows.item().entry(rows.places()[row.begin]), rows, rows.TotalsOf(row), &json);
  } else {
    json["kind"] = "subtree";
    json.update(ToJson(rows.TotalsOf(row)));
  }
  AddGroups(summary, row, &json);
  AddTags(rows, row, &json);
  if (summary.row_stats && (*summary.row_stats)[index].tensors > 0) {
    json["stats"] = ToJson((*summary.row_stats)[index]);
  }
  return json;
}

Json GroupsToJson(const ItemSummary& summary) {
  Json groups = Json::array();
  for (const GroupSummary& group : summary.group_summaries) {
    Json json = {{"name", NameToJson(group)}};
    json.update(ToJson(group.totals));
    if (summary.row_stats) json["stats"] = ToJson(group.stats);
    groups.push_back(std::move(json));
  }
  return groups;
}

// Returns all fields of an item except its rows.
Json HeadOf(const ItemSummary& summary) {
  const SourceItem& item = summary.item();
  Json json = {{"name", item.name()},
               {"metadata", ToJson(item.metadata())},
               {"structure_leaves", item.layout().size()},
               {"totals", ToJson(summary.rows.ItemTotals())},
               {"listed", ToJson(summary.rows.ListedTotals())}};
  if (!summary.groups) return json;
  json["groups_saved"] = summary.groups->saved;
  json["took_root"] = nullptr;
  if (const std::optional<uint32_t> group = summary.groups->took_root) {
    json["took_root"] = summary.groups->grouping.name(*group);
  }
  json["groups"] = GroupsToJson(summary);
  return json;
}

}  // namespace

absl::Status PrintJson(const Source& source, const std::vector<ItemSummary>& items, bool verified,
                       Output* out) {
  Json head = SourceHead(source);
  head["verified"] = verified;
  JsonList list(head, "items", out);
  for (const ItemSummary& item : items) {
    JsonList rows(HeadOf(item), "rows", &list);
    for (size_t row = 0; row < item.rows.rows().size() && out->ok(); ++row) {
      LEAFSTORE_ASSIGN_OR_RETURN(const Json json, RowToJson(item, row));
      rows.Add(json);
    }
    rows.Close();
  }
  list.Close();
  return absl::OkStatus();
}

}  // namespace leafstore::tools
