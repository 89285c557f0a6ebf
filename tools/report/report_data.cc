#include "leafstore/tools/report/report_data.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <numeric>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

#include "leafstore/tools/present/json.h"
#include "leafstore/tools/present/text.h"

namespace leafstore::tools {
namespace {

// Values of static leaves are cut to this many bytes, keys to this many columns: a file can hold
// megabytes.
constexpr size_t kMaxShownValue = 4096;
constexpr size_t kMaxShownKey = 1024;
// Larger integers are not exact as numbers in JavaScript.
constexpr int64_t kMaxExactInteger = int64_t{1} << 53;

std::string ShownKey(const std::string& text) { return CutMiddle(text, kMaxShownKey); }

Json Text(absl::string_view text) { return Printable(text); }

Json Number(double number) {
  if (std::isnan(number)) return nullptr;
  if (std::isinf(number)) return number > 0 ? "inf" : "-inf";
  return number;
}

// Rounds to the digits that a chart can show, because a series has many values.
Json ChartNumber(double number) {
  if (!std::isfinite(number)) return Number(number);
  return std::strtod(absl::StrCat(number).c_str(), nullptr);
}

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

Json PageJson(const Metadata& metadata) {
  return Fields(metadata, [](const std::string& value) { return Text(value); });
}

Json PageJson(const Metrics& metrics) { return Fields(metrics, Number); }

Json PageJson(const Totals& totals) {
  return {{"leaves", totals.leaves},
          {"tensors", totals.tensors},
          {"parameters", totals.parameters},
          {"bytes", totals.bytes},
          {"stored", totals.stored}};
}

Json PageJson(const Value& value) {
  switch (value.kind()) {
    case ValueKind::kBool:
      return *value.As<bool>();
    case ValueKind::kInt: {
      const int64_t number = *value.As<int64_t>();
      if (number > kMaxExactInteger || number < -kMaxExactInteger) return absl::StrCat(number);
      return number;
    }
    case ValueKind::kFloat:
      if (!std::isfinite(*value.As<double>())) return value.ToString();
      return *value.As<double>();
    case ValueKind::kString:
      return CutEnd(Printable(*value.As<std::string>()), kMaxShownValue);
    case ValueKind::kBytes:
      return CutEnd(absl::BytesToHexString(
                        absl::string_view(value.As<Bytes>()->data).substr(0, kMaxShownValue)),
                    kMaxShownValue);
  }
  return nullptr;
}

// The columns and fields for statistics.
struct StatField {
  const char* name;
  Json (*of)(const TensorStats&);
};
constexpr StatField kStatFields[] = {
    {"count", [](const TensorStats& s) -> Json { return s.count; }},
    {"nan", [](const TensorStats& s) -> Json { return s.nan_count; }},
    {"inf", [](const TensorStats& s) -> Json { return s.inf_count; }},
    {"zero", [](const TensorStats& s) -> Json { return s.zero_count; }},
    {"min", [](const TensorStats& s) { return Number(s.min); }},
    {"max", [](const TensorStats& s) { return Number(s.max); }},
    {"mean", [](const TensorStats& s) { return Number(s.mean); }},
    {"std", [](const TensorStats& s) { return Number(s.stddev()); }},
    {"l2", [](const TensorStats& s) { return Number(s.l2()); }},
};

Json HistogramOf(const TensorStats& stats) {
  if (!stats.histogram || stats.finite_count() == 0) return nullptr;
  return stats.histogram->bins;
}

const char* WhatName(LeafChange::What what) {
  switch (what) {
    case LeafChange::What::kSame:
      return "same";
    case LeafChange::What::kNumbers:
      return "numbers";
    case LeafChange::What::kValue:
      return "value";
    case LeafChange::What::kDType:
      return "dtype";
    case LeafChange::What::kShape:
      return "shape";
    case LeafChange::What::kKind:
      return "kind";
    case LeafChange::What::kAdded:
      return "added";
    case LeafChange::What::kRemoved:
      return "removed";
  }
  return "";
}

const char* ModeName(ReportMode mode) {
  switch (mode) {
    case ReportMode::kModel:
      return "model";
    case ReportMode::kCompare:
      return "compare";
    case ReportMode::kSteps:
      return "steps";
  }
  return "";
}

// Writes an item, with its nodes and leaves in preorder.
class ItemWriter {
 public:
  ItemWriter(const ReportItem& item, const std::vector<int64_t>& steps)
      : item_(item), steps_(steps), order_(item.tree.Preorder()), number_(item.tree.size()) {
    for (uint32_t i = 0; i < order_.size(); ++i) number_[order_[i]] = i;
    leaves_.resize(item.leaf_nodes.size());
    std::iota(leaves_.begin(), leaves_.end(), size_t{0});
    std::sort(leaves_.begin(), leaves_.end(), [this](size_t a, size_t b) {
      return number_[item_.leaf_nodes[a]] < number_[item_.leaf_nodes[b]];
    });
  }

  Json Write() const {
    Json json = {{"name", Text(item_.name)}, {"metadata", PageJson(item_.metadata)}};
    json["totals"] = Json::array();
    for (const std::optional<Totals>& totals : item_.totals) {
      json["totals"].push_back(totals ? PageJson(*totals) : Json(nullptr));
    }
    json["tree"] = Tree();
    json["leaves"] = Leaves();
    AddPairs(&json);
    json["groups"] = Groups();
    json["groups_saved"] = item_.groups_saved;
    json["took_root"] = item_.took_root ? Text(*item_.took_root) : Json(nullptr);
    json["sides"] = Json::array();
    for (const auto& side : item_.sides) json["sides"].push_back(Side(side));
    if (!item_.changes.empty() || item_.sides.size() > 1) json["change"] = Change();
    if (item_.series) json["series"] = Series();
    return json;
  }

 private:
  // Returns a list with an entry per leaf.
  template <typename Fn>
  Json Column(const Fn& of) const {
    Json column = Json::array();
    for (const size_t leaf : leaves_) column.push_back(of(leaf));
    return column;
  }

  Json Tree() const {
    Json parents = Json::array(), keys = Json::array(), steps = Json::array();
    for (const ReportTree::Node node : order_) {
      const ReportTree::Node parent = item_.tree.parent(node);
      parents.push_back(parent == ReportTree::kNone ? int64_t{-1} : int64_t{number_[parent]});
      keys.push_back(item_.tree.key(node));
      steps.push_back(item_.tree.step(node));
    }
    return {{"parent", std::move(parents)}, {"key", std::move(keys)}, {"step", std::move(steps)}};
  }

  Json Leaves() const {
    Json leaves = {{"node", Column([this](size_t i) { return number_[item_.leaf_nodes[i]]; })}};
    if (item_.group_of_leaf.empty()) return leaves;
    leaves["group"] = Column([this](size_t i) -> Json {
      const std::optional<uint32_t> group = item_.group_of_leaf[i];
      return group ? Json(*group) : Json(nullptr);
    });
    return leaves;
  }

  void AddPairs(Json* json) const {
    Json nodes = Json::array(), targets = Json::array();
    for (const auto& [node, target] : item_.aliases) {
      nodes.push_back(number_[node]);
      targets.push_back(number_[target]);
    }
    (*json)["aliases"] = {{"node", std::move(nodes)}, {"target", std::move(targets)}};
    Json tagged = Json::array(), tags = Json::array();
    for (const auto& [node, tag] : item_.tags) {
      tagged.push_back(number_[node]);
      tags.push_back(Text(tag));
    }
    (*json)["tags"] = {{"node", std::move(tagged)}, {"tag", std::move(tags)}};
  }

  Json Groups() const {
    Json groups = Json::array();
    for (const ReportGroup& group : item_.groups) {
      Json json = {{"name", group.name ? Text(*group.name) : Json(nullptr)}, {"rest", group.rest}};
      json.update(PageJson(group.totals));
      for (const StatField& field : kStatFields) json[field.name] = field.of(group.stats);
      groups.push_back(std::move(json));
    }
    return groups;
  }

  Json Side(const std::vector<std::optional<ReportLeaf>>& side) const {
    // Columns for leaves that the side has, and for tensors only.
    const auto of_leaf = [&](auto fn) {
      return Column([&](size_t i) -> Json { return side[i] ? Json(fn(*side[i])) : Json(nullptr); });
    };
    const auto of_tensor = [&](auto fn) {
      return Column([&](size_t i) -> Json {
        return side[i] && !side[i]->value ? Json(fn(*side[i])) : Json(nullptr);
      });
    };
    Json json;
    json["kind"] = of_leaf([](const ReportLeaf& l) { return l.value ? "static" : "tensor"; });
    json["dtype"] = of_leaf([](const ReportLeaf& l) { return l.dtype; });
    json["shape"] = of_tensor(
        [](const ReportLeaf& l) { return std::vector<int64_t>(l.shape.begin(), l.shape.end()); });
    json["parameters"] = of_tensor([](const ReportLeaf& l) { return l.stats.count; });
    json["bytes"] = of_tensor([](const ReportLeaf& l) { return l.bytes; });
    json["stored"] = of_tensor([](const ReportLeaf& l) { return l.stored; });
    json["value"] = of_leaf(
        [](const ReportLeaf& l) -> Json { return l.value ? PageJson(*l.value) : Json(nullptr); });
    for (const StatField& field : kStatFields) {
      json[field.name] = of_tensor([&field](const ReportLeaf& l) { return field.of(l.stats); });
    }
    json["histogram"] = of_tensor([](const ReportLeaf& l) { return HistogramOf(l.stats); });
    return json;
  }

  Json Change() const {
    const auto of_numbers = [this](double LeafChange::*field) {
      return Column([this, field](size_t i) -> Json {
        const LeafChange& change = item_.changes[i];
        return change.differing ? Number(change.*field) : Json(nullptr);
      });
    };
    Json json = {{"what", Column([this](size_t i) { return WhatName(item_.changes[i].what); })}};
    json["differing"] = Column([this](size_t i) -> Json {
      const std::optional<int64_t> differing = item_.changes[i].differing;
      return differing ? Json(*differing) : Json(nullptr);
    });
    json["max_abs"] = of_numbers(&LeafChange::max_abs);
    json["max_rel"] = of_numbers(&LeafChange::max_rel);
    json["l2"] = of_numbers(&LeafChange::l2);
    json["structure"] = Json::array();
    for (const std::string& line : item_.structure) json["structure"].push_back(Text(line));
    return json;
  }

  Json Series() const {
    const auto of_point = [this](auto fn) {
      return Column([this, fn](size_t i) {
        Json row = Json::array();
        for (const auto& point : item_.series->points[i]) {
          row.push_back(point ? Json(fn(*point)) : Json(nullptr));
        }
        return row;
      });
    };
    using Point = ReportSeries::Point;
    return {{"steps", steps_},
            {"l2", of_point([](const Point& p) { return ChartNumber(p.l2); })},
            {"change", of_point([](const Point& p) { return ChartNumber(p.change); })},
            {"odd", of_point([](const Point& p) { return p.odd; })}};
  }

  const ReportItem& item_;
  const std::vector<int64_t>& steps_;
  std::vector<ReportTree::Node> order_;
  std::vector<uint32_t> number_;
  std::vector<size_t> leaves_;  // in preorder
};

Json PageJson(const ReportFile& file) {
  Json bases = Json::array();
  for (const std::string& base : file.bases) bases.push_back(Text(base));
  return {{"name", Text(file.name)},
          {"bytes", file.bytes},
          {"format", Text(file.format)},
          {"has_checksums", file.has_checksums},
          {"step", file.step ? Json(*file.step) : Json(nullptr)},
          {"metrics", PageJson(file.metrics)},
          {"metadata", PageJson(file.metadata)},
          {"bases", std::move(bases)}};
}

// Returns a list with an entry per step, for each name that any step has.
Json MetricsByStep(const std::vector<Metrics>& by_step) {
  std::map<std::string, std::vector<Json>> lists;
  for (size_t step = 0; step < by_step.size(); ++step) {
    for (const auto& [name, value] : by_step[step]) {
      lists.try_emplace(name, by_step.size(), nullptr).first->second[step] = Number(value);
    }
  }
  return Fields(lists, [](const std::vector<Json>& list) { return Json(list); });
}

}  // namespace

ReportTree::Node ReportTree::Child(Node parent, const KeyRef& key) {
  std::string text;
  AppendKeyText(key, &text);
  const auto [found, is_new] =
      index_.try_emplace({parent, std::move(text)}, static_cast<Node>(nodes_.size()));
  if (!is_new) return found->second;
  const Node node = found->second;
  Entry entry;
  entry.parent = parent;
  entry.key = ShownKey(PrintableKey(key));
  entry.step = ShownKey(Printable(found->first.second));
  nodes_.push_back(std::move(entry));
  Entry& above = nodes_[parent];
  if (above.last_child == kNone) {
    above.first_child = node;
  } else {
    nodes_[above.last_child].next_sibling = node;
  }
  above.last_child = node;
  return node;
}

ReportTree::Node ReportTree::At(const Path& path) {
  Node node = kRoot;
  for (const Key& key : path.keys()) node = Child(node, key.ref());
  return node;
}

std::vector<ReportTree::Node> ReportTree::Preorder() const {
  std::vector<Node> order;
  order.reserve(nodes_.size());
  Node node = kRoot;
  while (node != kNone) {
    order.push_back(node);
    if (nodes_[node].first_child != kNone) {
      node = nodes_[node].first_child;
      continue;
    }
    while (node != kNone && nodes_[node].next_sibling == kNone) node = nodes_[node].parent;
    if (node != kNone) node = nodes_[node].next_sibling;
  }
  return order;
}

std::string ReportJson(const ReportData& data) {
  Json json = {{"schema", kReportSchema},
               {"mode", ModeName(data.mode)},
               {"title", Text(data.title)},
               {"verified", data.verified}};
  json["notes"] = Json::array();
  for (const std::string& note : data.notes) json["notes"].push_back(Text(note));
  json["files"] = Json::array();
  for (const ReportFile& file : data.files) json["files"].push_back(PageJson(file));
  if (data.mode == ReportMode::kSteps) {
    json["steps"] = data.steps;
    json["metrics"] = MetricsByStep(data.step_metrics);
    json["skipped"] = Json::array();
    for (const auto& [step, why] : data.skipped) {
      json["skipped"].push_back({{"step", step}, {"why", Text(why)}});
    }
  }
  json["items"] = Json::array();
  for (const ReportItem& item : data.items) {
    json["items"].push_back(ItemWriter(item, data.steps).Write());
  }
  return JsonText(json);
}

}  // namespace leafstore::tools
