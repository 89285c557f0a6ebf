#include "leafstore/tools/report/report_item.h"

#include <algorithm>

#include "leafstore/core/dtype.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/store/align.h"
#include "leafstore/tools/present/errors.h"
#include "leafstore/tools/report/report_data.h"
#include "leafstore/treedef/diff.h"

namespace leafstore::tools {
namespace {

// The maximum count of structural differences that are listed.
constexpr size_t kMostStructure = 50;
// A damaged file may have any size in its manifest.
constexpr int64_t kMostBytes = int64_t{1} << 40;

// Returns a list with the result of `of` for each element.
template <typename List, typename Fn>
Json ListOf(const List& list, const Fn& of) {
  Json json = Json::array();
  for (const auto& element : list) json.push_back(of(element));
  return json;
}

}  // namespace

absl::StatusOr<ReportItem> ReportItem::Create(const ReportRequest& request,
                                              std::vector<const SourceItem*> sides) {
  ReportItem item(request, std::move(sides));
  // `after` comes first: new leaves keep their places, and removed ones follow their siblings.
  for (size_t side = item.sides_.size(); side-- > 0;) {
    if (item.sides_[side] != nullptr) item.ListSide(side);
  }
  item.DropAliasesOfLeaves();
  item.order_ = item.tree_.Preorder();
  item.number_.resize(item.order_.size());
  for (uint32_t i = 0; i < item.order_.size(); ++i) item.number_[item.order_[i]] = i;
  std::sort(item.leaves_.begin(), item.leaves_.end(), [&item](const Entry& a, const Entry& b) {
    return item.number_[a.node] < item.number_[b.node];
  });
  item.CompareStructures();
  LEAFSTORE_RETURN_IF_ERROR(FileError(item.main().file(), item.Group()));
  return item;
}

void ReportItem::ListSide(size_t side) {
  const SourceItem& item = *sides_[side];
  const ItemRows rows(item, request_.match);
  totals_[side] = rows.ListedTotals();
  std::vector<ReportTree::Node> nodes;
  if (rows.def()) nodes.resize(rows.def()->node_count(), ReportTree::kNone);
  for (const Row& row : rows.rows()) {
    if (!rows.def()) {
      const uint32_t place = rows.places()[row.begin];
      AddLeaf(side, tree_.At(item.layout().PathOf(item.slots().SlotAt(place))), place);
      continue;
    }
    const ReportTree::Node node = NodeOf(rows, row.node, &nodes);
    if (row.kind == Row::kLeaf) {
      AddLeaf(side, node, rows.places()[row.begin]);
    } else {
      aliases_.emplace_back(node, NodeOf(rows, rows.def()->alias_target(row.node), &nodes));
    }
    if (side != main_side() || !rows.def()->has_tags()) continue;
    for (const absl::string_view tag : rows.def()->tags(row.node)) {
      tags_.emplace_back(node, std::string(tag));
    }
  }
}

// Returns the node in the report's tree; `nodes` caches them.
ReportTree::Node ReportItem::NodeOf(const ItemRows& rows, NodeId node,
                                    std::vector<ReportTree::Node>* nodes) {
  std::vector<NodeId> way;
  while (node != kRootNode && (*nodes)[node] == ReportTree::kNone) {
    way.push_back(node);
    node = rows.def()->parent(node);
  }
  ReportTree::Node at = node == kRootNode ? ReportTree::kRoot : (*nodes)[node];
  for (auto next = way.rbegin(); next != way.rend(); ++next) {
    at = tree_.Child(at, rows.def()->key(*next));
    (*nodes)[*next] = at;
  }
  return at;
}

void ReportItem::AddLeaf(size_t side, ReportTree::Node node, uint32_t place) {
  const auto [found, is_new] = leaf_of_node_.try_emplace(node, leaves_.size());
  if (is_new) leaves_.emplace_back(node);
  leaves_[found->second].places[side] = place;
}

// Removes duplicates of aliases that both sides have, and aliases that are leaves on the other
// side.
void ReportItem::DropAliasesOfLeaves() {
  std::sort(aliases_.begin(), aliases_.end());
  std::vector<std::pair<ReportTree::Node, ReportTree::Node>> kept;
  for (const auto& alias : aliases_) {
    const bool is_new = kept.empty() || kept.back().first != alias.first;
    if (is_new && !leaf_of_node_.contains(alias.first)) kept.push_back(alias);
  }
  aliases_ = std::move(kept);
}

void ReportItem::CompareStructures() {
  if (sides_.size() < 2 || sides_[0] == nullptr || sides_[1] == nullptr) return;
  const absl::StatusOr<TreeDef> a = sides_[0]->layout().def();
  const absl::StatusOr<TreeDef> b = sides_[1]->layout().def();
  if (!a.ok() || !b.ok()) return;
  using What = TreeDefDifference::What;
  size_t more = 0;
  for (const TreeDefDifference& difference : DiffTreeDefs(*a, *b)) {
    // The table lists these leaves.
    if (difference.what == What::kOnlyInA || difference.what == What::kOnlyInB) continue;
    if (structure_.size() < kMostStructure) {
      structure_.push_back(ToString(difference, *a, *b));
    } else {
      ++more;
    }
  }
  if (more > 0) structure_.push_back(absl::StrCat("and ", more, " more"));
}

// Leaves that only `before` has are in the groups of that file.
absl::Status ReportItem::Group() {
  LEAFSTORE_ASSIGN_OR_RETURN(grouping_, main().GroupBy(request_.groups));
  if (!grouping_) return absl::OkStatus();
  for (const std::string& name : grouping_->names()) groups_.push_back({name});
  // `after` comes last, as its groups count.
  for (size_t side = 0; side < sides_.size(); ++side) {
    if (sides_[side] == nullptr) continue;
    LEAFSTORE_ASSIGN_OR_RETURN(const auto own, sides_[side]->GroupBy(request_.groups));
    if (!own) continue;
    // Per group of this side: the group of the item with the same name, if any.
    std::vector<std::optional<uint32_t>> same;
    for (const std::string& name : own->names()) same.push_back(grouping_->Find(name));
    for (Entry& leaf : leaves_) {
      if (leaf.places[side] == kNoPlace) continue;
      const uint32_t group = own->GroupOf(sides_[side]->slots().SlotAt(leaf.places[side]));
      leaf.group = group != kNoGroup ? same[group] : std::nullopt;
    }
  }
  return absl::OkStatus();
}

int64_t ReportItem::bytes_to_read() const {
  int64_t bytes = 0;
  for (const std::optional<Totals>& totals : totals_) {
    if (totals) bytes += std::min(totals->bytes, kMostBytes - bytes);
  }
  return bytes;
}

absl::Status ReportItem::Read(Progress* progress) {
  std::vector<ItemPlaces> sides;
  for (size_t side = 0; side < sides_.size(); ++side) {
    sides.push_back({sides_[side], {}});
    for (const Entry& leaf : leaves_) sides[side].places.push_back(leaf.places[side]);
  }
  const auto read = [this](size_t i, absl::Span<const Leaf> leaves) -> absl::Status {
    LEAFSTORE_ASSIGN_OR_RETURN(std::vector<TensorStats> stats, StatsOfSides(leaves));
    std::move(stats.begin(), stats.end(), leaves_[i].stats.begin());
    if (leaves.size() > 1) leaves_[i].change = CompareLeaves(leaves[0], leaves[1]);
    return absl::OkStatus();
  };
  LEAFSTORE_RETURN_IF_ERROR(ForEachLeaf(std::move(sides), request_.threads, progress, read));
  if (grouping_) SumGroups();
  return absl::OkStatus();
}

// Sums the leaves of the main side.
void ReportItem::SumGroups() {
  GroupSummary none;
  for (const Entry& leaf : leaves_) {
    const uint32_t place = leaf.places[main_side()];
    if (place == kNoPlace) continue;
    GroupSummary& group = leaf.group ? groups_[*leaf.group] : none;
    group.totals.Add(main().entry(place));
    TensorStats stats = leaf.stats[main_side()];
    stats.histogram.reset();
    group.stats.Merge(stats);
  }
  if (none.totals.leaves > 0) groups_.push_back(std::move(none));
}

absl::StatusOr<ReportItem::Step> ReportItem::ReadStep(const SourceItem* item, const Step& before,
                                                      Progress* progress) const {
  Step now{{item, std::vector<uint32_t>(leaves_.size(), kNoPlace)}, {}};
  now.points.resize(leaves_.size());
  if (item == nullptr) return now;
  const Alignment there = Align({main().layout(), main().slots()}, {item->layout(), item->slots()});
  for (size_t i = 0; i < leaves_.size(); ++i) now.leaves.places[i] = there[leaves_[i].places[0]];
  ItemPlaces previous = before.leaves;
  previous.places.resize(leaves_.size(), kNoPlace);
  LEAFSTORE_RETURN_IF_ERROR(ForEachLeaf(
      {now.leaves, std::move(previous)}, request_.threads, progress,
      [&](size_t i, absl::Span<const Leaf> leaves) {
        now.points[i] =
            PointOf(leaves[0], leaves[1], before.points.empty() ? std::nullopt : before.points[i]);
        return absl::OkStatus();
      }));
  return now;
}

void ReportItem::AddStep(const Step& step) {
  for (size_t i = 0; i < leaves_.size(); ++i) leaves_[i].points.push_back(step.points[i]);
}

Json ReportItem::ToJson(const std::vector<int64_t>* steps) const {
  const auto node_of = [this](const auto& pair) { return number_[pair.first]; };
  Json json = {{"name", PageText(name())}, {"metadata", PageJson(main().metadata())}};
  json["totals"] = ListOf(totals_, [](const std::optional<Totals>& totals) {
    return totals ? PageJson(*totals) : Json(nullptr);
  });
  json["tree"] = TreeJson();
  json["leaves"] = {
      {"node", ListOf(leaves_, [this](const Entry& leaf) { return number_[leaf.node]; })}};
  if (grouping_) {
    json["leaves"]["group"] =
        ListOf(leaves_, [](const Entry& leaf) { return tools::ToJson(leaf.group); });
  }
  json["aliases"] = {
      {"node", ListOf(aliases_, node_of)},
      {"target", ListOf(aliases_, [this](const auto& pair) { return number_[pair.second]; })}};
  json["tags"] = {{"node", ListOf(tags_, node_of)},
                  {"tag", ListOf(tags_, [](const auto& pair) { return PageText(pair.second); })}};
  json["groups"] = GroupsJson();
  json["groups_saved"] = grouping_ && request_.groups.empty();
  const std::optional<uint32_t> root = grouping_ ? grouping_->root_group() : std::nullopt;
  json["took_root"] = root ? PageText(grouping_->name(*root)) : Json(nullptr);
  json["sides"] = Json::array();
  for (size_t side = 0; side < sides_.size(); ++side) json["sides"].push_back(SideJson(side));
  if (sides_.size() > 1) json["change"] = ChangeJson();
  if (steps != nullptr) json["series"] = SeriesJson(*steps);
  return json;
}

Json ReportItem::TreeJson() const {
  const auto parent_of = [this](ReportTree::Node node) {
    const ReportTree::Node parent = tree_.parent(node);
    return parent == ReportTree::kNone ? int64_t{-1} : int64_t{number_[parent]};
  };
  return {{"parent", ListOf(order_, parent_of)},
          {"key", ListOf(order_, [this](ReportTree::Node node) { return tree_.key(node); })},
          {"step", ListOf(order_, [this](ReportTree::Node node) { return tree_.step(node); })}};
}

Json ReportItem::GroupsJson() const {
  return ListOf(groups_, [this](const GroupSummary& group) {
    Json json = {{"name", group.name ? PageText(*group.name) : Json(nullptr)},
                 {"rest", group.name == kRestName && !request_.groups.empty()}};
    json.update(PageJson(group.totals));
    for (const StatField& field : kStatFields) json[field.name] = field.of(group.stats);
    return json;
  });
}

Json ReportItem::SideJson(size_t side) const {
  // Columns for leaves that the side has, and for tensors only.
  const auto of_leaf = [&](auto fn) {
    return ListOf(leaves_, [&](const Entry& leaf) -> Json {
      const uint32_t place = leaf.places[side];
      if (place == kNoPlace) return nullptr;
      return fn(sides_[side]->entry(place), leaf.stats[side]);
    });
  };
  const auto of_tensor = [&](auto fn) {
    return of_leaf([fn](const EntryInfo& entry, const TensorStats& stats) -> Json {
      return entry.value == nullptr ? Json(fn(entry, stats)) : Json(nullptr);
    });
  };
  using Info = const EntryInfo&;
  using Stats = const TensorStats&;
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
      of_leaf([](Info info, Stats) { return info.value ? PageJson(*info.value) : Json(nullptr); });
  for (const StatField& field : kStatFields) {
    json[field.name] = of_tensor([&field](Info, Stats stats) { return field.of(stats); });
  }
  json["histogram"] = of_tensor([](Info, Stats stats) {
    const bool any = stats.histogram && stats.finite_count() > 0;
    return any ? Json(stats.histogram->bins) : Json(nullptr);
  });
  return json;
}

Json ReportItem::ChangeJson() const {
  const auto of_numbers = [this](double LeafChange::*field) {
    return ListOf(leaves_, [field](const Entry& leaf) {
      return leaf.change.differing ? PageNumber(leaf.change.*field) : Json(nullptr);
    });
  };
  return {{"what", ListOf(leaves_, [](const Entry& leaf) { return leaf.change.what; })},
          {"differing",
           ListOf(leaves_, [](const Entry& leaf) { return tools::ToJson(leaf.change.differing); })},
          {"max_abs", of_numbers(&LeafChange::max_abs)},
          {"max_rel", of_numbers(&LeafChange::max_rel)},
          {"l2", of_numbers(&LeafChange::l2)},
          {"structure", ListOf(structure_, PageText)}};
}

Json ReportItem::SeriesJson(const std::vector<int64_t>& steps) const {
  const auto of_point = [this](auto fn) {
    return ListOf(leaves_, [fn](const Entry& leaf) {
      return ListOf(leaf.points, [fn](const std::optional<SeriesPoint>& point) {
        return point ? Json(fn(*point)) : Json(nullptr);
      });
    });
  };
  return {{"steps", steps},
          {"l2", of_point([](const SeriesPoint& point) { return ChartNumber(point.l2); })},
          {"change", of_point([](const SeriesPoint& point) { return ChartNumber(point.change); })},
          {"odd", of_point([](const SeriesPoint& point) { return point.odd; })}};
}

}  // namespace leafstore::tools
