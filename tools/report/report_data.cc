#include "leafstore/tools/report/report_data.h"

#include <cmath>
#include <cstdlib>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

#include "leafstore/core/dtype.h"
#include "leafstore/tools/present/text.h"

namespace leafstore::tools {
namespace {

using Entry = ReportItem::Entry;
using Info = const EntryInfo&;
using Stats = const TensorStats&;

// Values of static leaves are cut to this many bytes: a file can hold megabytes.
constexpr size_t kMaxShownValue = 4096;
// Larger integers are not exact as numbers in JavaScript.
constexpr int64_t kMaxExactInteger = int64_t{1} << 53;

// Returns an object with the names of a map, and the result of `fn` for each value. Names of a map
// are unique and stay different, so no search for duplicates is needed: a file can have millions.
template <typename Map, typename Fn>
Json Fields(const Map& map, const Fn& fn) {
  Json json = Json::object();
  auto& fields = json.get_ref<Json::object_t&>();
  fields.reserve(map.size());
  for (const auto& [name, value] : map) {
    fields.emplace_back(Printable(absl::StrReplaceAll(name, {{"\\", "\\\\"}})), fn(value));
  }
  return json;
}

template <typename List, typename Fn>
Json ListOf(const List& list, const Fn& of) {
  Json json = Json::array();
  for (const auto& element : list) json.push_back(of(element));
  return json;
}

Json NumberJson(double number) {
  if (std::isnan(number)) return nullptr;
  if (std::isinf(number)) return number > 0 ? "inf" : "-inf";
  return number;
}

// Rounds to the digits that a chart can show, because a series has many values.
Json ChartNumber(double number) {
  if (!std::isfinite(number)) return NumberJson(number);
  return std::strtod(absl::StrCat(number).c_str(), nullptr);
}

Json StatJson(const StatField& field, Stats stats) {
  const double number = field.of(stats);
  return field.is_count ? Json(static_cast<int64_t>(number)) : NumberJson(number);
}

Json TotalsJson(const Totals& totals) {
  return {{"leaves", totals.leaves},
          {"tensors", totals.tensors},
          {"parameters", totals.parameters},
          {"bytes", totals.bytes},
          {"stored", totals.stored}};
}

Json ValueJson(const Value& value) {
  if (const auto* const number = value.As<int64_t>()) {
    if (*number > kMaxExactInteger || *number < -kMaxExactInteger) return absl::StrCat(*number);
  } else if (const auto* const text = value.As<std::string>()) {
    return CutEnd(Printable(*text), kMaxShownValue);
  } else if (const auto* const bytes = value.As<Bytes>()) {
    const auto shown = absl::string_view(bytes->data).substr(0, kMaxShownValue);
    return CutEnd(absl::BytesToHexString(shown), kMaxShownValue);
  }
  return ToJson(value);
}

Json GroupJson(const GroupSummary& group, bool saved) {
  Json json = {{"name", group.name ? Json(Printable(*group.name)) : Json(nullptr)},
               {"rest", group.name == kRestName && !saved}};
  json.update(TotalsJson(group.totals));
  for (const StatField& field : kStatFields) json[field.name] = StatJson(field, group.stats);
  return json;
}

Json TreeJson(const ReportItem& item) {
  Json json = {{"parent", ListOf(item.nodes, [](const auto& node) { return node.parent; })},
               {"key", ListOf(item.nodes, [](const auto& node) { return node.key; })},
               {"step", ListOf(item.nodes, [](const auto& node) { return node.step; })}};
  json["parent"][0] = -1;
  return json;
}

Json SideJson(const ReportItem& item, size_t side) {
  // Columns for leaves that the side has, and for tensors only.
  const auto of_leaf = [&](auto fn) {
    return ListOf(item.leaves, [&](const Entry& leaf) -> Json {
      const uint32_t place = leaf.places[side];
      if (place == kNoPlace) return nullptr;
      return fn(item.sides[side]->entry(place), leaf.stats[side]);
    });
  };
  const auto of_tensor = [&](auto fn) {
    return of_leaf([fn](Info info, Stats stats) -> Json {
      return info.value == nullptr ? Json(fn(info, stats)) : Json(nullptr);
    });
  };
  Json json;
  json["kind"] = of_leaf([](Info info, Stats) { return info.value ? "static" : "tensor"; });
  json["dtype"] = of_leaf([](Info info, Stats) {
    return info.value ? ValueKindName(info.value->kind()) : DTypeName(info.spec.dtype());
  });
  json["shape"] = of_tensor([](Info info, Stats) { return ShapeToJson(info.spec.shape()); });
  json["parameters"] = of_tensor([](Info, Stats stats) { return stats.count; });
  json["bytes"] = of_tensor([](Info info, Stats) { return info.spec.byte_size(); });
  json["stored"] = of_tensor([](Info info, Stats) { return info.stored_size; });
  json["value"] =
      of_leaf([](Info info, Stats) { return info.value ? ValueJson(*info.value) : Json(nullptr); });
  for (const StatField& field : kStatFields) {
    json[field.name] = of_tensor([&field](Info, Stats stats) { return StatJson(field, stats); });
  }
  json["histogram"] = of_tensor([](Info, Stats stats) {
    const bool any = stats.histogram && stats.finite_count() > 0;
    return any ? Json(stats.histogram->bins) : Json(nullptr);
  });
  return json;
}

Json ChangeJson(const ReportItem& item) {
  const auto of_numbers = [&item](double LeafChange::*field) {
    return ListOf(item.leaves, [field](const Entry& leaf) {
      return leaf.change.differing ? NumberJson(leaf.change.*field) : Json(nullptr);
    });
  };
  return {{"what", ListOf(item.leaves, [](const Entry& leaf) { return leaf.change.what; })},
          {"differing",
           ListOf(item.leaves, [](const Entry& leaf) { return ToJson(leaf.change.differing); })},
          {"max_abs", of_numbers(&LeafChange::max_abs)},
          {"max_rel", of_numbers(&LeafChange::max_rel)},
          {"l2", of_numbers(&LeafChange::l2)},
          {"structure", ListOf(item.structure, Printable)}};
}

Json SeriesJson(const ReportItem& item, const Json& steps) {
  const auto of_point = [&item](auto fn) {
    Json json = Json::array();
    for (size_t i = 0; i < item.leaves.size(); ++i) {
      json.push_back(ListOf(item.series, [&](const auto& step) {
        return step[i] ? Json(fn(*step[i])) : Json(nullptr);
      }));
    }
    return json;
  };
  return {{"steps", steps},
          {"l2", of_point([](const SeriesPoint& point) { return ChartNumber(point.l2); })},
          {"change", of_point([](const SeriesPoint& point) { return ChartNumber(point.change); })},
          {"odd", of_point([](const SeriesPoint& point) { return point.odd; })}};
}

}  // namespace

Json ReportFileJson(const Source& source) {
  return {{"name", Printable(source.file)},
          {"bytes", source.file_size},
          {"format", Printable(source.description)},
          {"has_checksums", source.has_checksums()},
          {"step", ToJson(source.step)},
          {"metrics", Fields(source.metrics, NumberJson)},
          {"metadata", Fields(source.metadata, Printable)},
          {"bases", ListOf(source.other_files, Printable)}};
}

Json ReportItemJson(const ReportItem& item, const Json& steps) {
  const auto first = [](const auto& pair) { return pair.first; };
  const auto second = [](const auto& pair) { return pair.second; };
  Json json = {{"name", Printable(item.main().name)},
               {"metadata", Fields(item.main().metadata, Printable)}};
  json["totals"] = ListOf(item.totals, [](const std::optional<Totals>& totals) {
    return totals ? TotalsJson(*totals) : Json(nullptr);
  });
  json["tree"] = TreeJson(item);
  json["leaves"] = {{"node", ListOf(item.leaves, [](const Entry& leaf) { return leaf.node; })}};
  if (item.grouping) {
    json["leaves"]["group"] =
        ListOf(item.leaves, [](const Entry& leaf) { return ToJson(leaf.group); });
  }
  json["aliases"] = {{"node", ListOf(item.aliases, first)},
                     {"target", ListOf(item.aliases, second)}};
  json["tags"] = {
      {"node", ListOf(item.tags, first)},
      {"tag", ListOf(item.tags, [](const auto& tag) { return Printable(tag.second); })}};
  json["groups"] = ListOf(item.groups, [&item](const GroupSummary& group) {
    return GroupJson(group, item.groups_saved);
  });
  json["groups_saved"] = item.groups_saved;
  const std::optional<uint32_t> root = item.grouping ? item.grouping->root_group() : std::nullopt;
  json["root_group"] = root ? Json(Printable(item.grouping->name(*root))) : Json(nullptr);
  json["sides"] = Json::array();
  for (size_t side = 0; side < item.sides.size(); ++side) {
    json["sides"].push_back(SideJson(item, side));
  }
  if (item.sides.size() > 1) json["change"] = ChangeJson(item);
  if (!steps.is_null()) json["series"] = SeriesJson(item, steps);
  return json;
}

Json MetricsByStep(const std::vector<Metrics>& by_step) {
  std::map<std::string, std::vector<Json>> lists;
  for (size_t step = 0; step < by_step.size(); ++step) {
    for (const auto& [name, value] : by_step[step]) {
      lists.try_emplace(name, by_step.size(), nullptr).first->second[step] = NumberJson(value);
    }
  }
  return Fields(lists, [](const std::vector<Json>& list) { return Json(list); });
}

}  // namespace leafstore::tools
