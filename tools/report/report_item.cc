#include "leafstore/tools/report/report_item.h"

#include <algorithm>
#include <string>

#include "leafstore/core/dtype.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/store/align.h"
#include "leafstore/store/slot_set.h"
#include "leafstore/tools/present/errors.h"
#include "leafstore/treedef/diff.h"

namespace leafstore::tools {
namespace {

// The maximum count of structural differences that are listed.
constexpr size_t kMostStructure = 50;
// A damaged file may have any size in its manifest.
constexpr int64_t kMostBytes = int64_t{1} << 40;

}  // namespace

absl::Status ReportItemBuilder::List() {
  item_.name = main().name();
  item_.metadata = main().metadata();
  places_.resize(sides_.size());
  item_.totals.resize(sides_.size());
  // `after` comes first: new leaves keep their places, and removed ones follow their siblings.
  for (size_t side = sides_.size(); side-- > 0;) {
    if (sides_[side].item == nullptr) continue;
    LEAFSTORE_RETURN_IF_ERROR(FileError(sides_[side].file, ListSide(side)));
  }
  for (std::vector<uint32_t>& places : places_) places.resize(item_.leaf_nodes.size(), kNoPlace);
  DropAliasesOfLeaves();
  CompareStructures();
  return FileError(main_side().file, Group());
}

absl::Status ReportItemBuilder::ListSide(size_t side) {
  const SourceItem& item = *sides_[side].item;
  LEAFSTORE_ASSIGN_OR_RETURN(const ItemRows rows, ItemRows::Create(item, {request_.match, {}}));
  item_.totals[side] = rows.ListedTotals();
  std::vector<ReportTree::Node> nodes;
  if (rows.def()) nodes.resize(rows.def()->node_count(), ReportTree::kNone);
  for (const Row& row : rows.rows()) {
    if (!rows.def()) {
      const uint32_t place = rows.places()[row.begin];
      AddLeaf(side, item_.tree.At(item.layout().PathOf(item.slots().SlotAt(place))), place);
      continue;
    }
    const ReportTree::Node node = NodeOf(rows, row.node, &nodes);
    if (row.kind == Row::kLeaf) {
      AddLeaf(side, node, rows.places()[row.begin]);
    } else {
      item_.aliases.emplace_back(node, NodeOf(rows, rows.def()->alias_target(row.node), &nodes));
    }
    if (&item != &main() || !rows.def()->has_tags()) continue;
    for (const absl::string_view tag : rows.def()->tags(row.node)) {
      item_.tags.emplace_back(node, std::string(tag));
    }
  }
  return absl::OkStatus();
}

// Returns the node in the report's tree; `nodes` caches them.
ReportTree::Node ReportItemBuilder::NodeOf(const ItemRows& rows, NodeId node,
                                           std::vector<ReportTree::Node>* nodes) {
  std::vector<NodeId> way;
  while (node != kRootNode && (*nodes)[node] == ReportTree::kNone) {
    way.push_back(node);
    node = rows.def()->parent(node);
  }
  ReportTree::Node at = node == kRootNode ? ReportTree::kRoot : (*nodes)[node];
  for (auto next = way.rbegin(); next != way.rend(); ++next) {
    at = item_.tree.Child(at, rows.def()->key(*next));
    (*nodes)[*next] = at;
  }
  return at;
}

void ReportItemBuilder::AddLeaf(size_t side, ReportTree::Node node, uint32_t place) {
  const auto [found, is_new] =
      leaf_of_node_.try_emplace(node, static_cast<uint32_t>(item_.leaf_nodes.size()));
  if (is_new) item_.leaf_nodes.push_back(node);
  std::vector<uint32_t>& places = places_[side];
  places.resize(item_.leaf_nodes.size(), kNoPlace);
  places[found->second] = place;
}

// Removes duplicates of aliases that both sides have, and aliases that are leaves on the other
// side.
void ReportItemBuilder::DropAliasesOfLeaves() {
  auto& aliases = item_.aliases;
  std::sort(aliases.begin(), aliases.end());
  aliases.erase(std::unique(aliases.begin(), aliases.end(),
                            [](const auto& a, const auto& b) { return a.first == b.first; }),
                aliases.end());
  aliases.erase(
      std::remove_if(aliases.begin(), aliases.end(),
                     [this](const auto& alias) { return leaf_of_node_.contains(alias.first); }),
      aliases.end());
}

void ReportItemBuilder::CompareStructures() {
  if (sides_.size() < 2 || sides_[0].item == nullptr || sides_[1].item == nullptr) return;
  const absl::StatusOr<TreeDef> a = sides_[0].item->layout().def();
  const absl::StatusOr<TreeDef> b = sides_[1].item->layout().def();
  if (!a.ok() || !b.ok()) return;
  using What = TreeDefDifference::What;
  size_t more = 0;
  for (const TreeDefDifference& difference : DiffTreeDefs(*a, *b)) {
    // The table lists these leaves.
    if (difference.what == What::kOnlyInA || difference.what == What::kOnlyInB) continue;
    if (item_.structure.size() < kMostStructure) {
      item_.structure.push_back(ToString(difference, *a, *b));
    } else {
      ++more;
    }
  }
  if (more > 0) item_.structure.push_back("and " + std::to_string(more) + " more");
}

absl::Status ReportItemBuilder::Group() {
  LEAFSTORE_ASSIGN_OR_RETURN(const std::optional<ItemGroups> groups,
                             GroupsOf(main(), request_.groups));
  if (!groups) return absl::OkStatus();
  item_.groups_saved = groups->saved;
  if (groups->took_root) item_.took_root = groups->grouping.names()[*groups->took_root];
  for (const std::string& name : groups->grouping.names()) {
    item_.groups.push_back({name, !groups->saved && name == kRestName});
  }
  item_.group_of_leaf.resize(item_.leaf_nodes.size());
  for (size_t side = 0; side < sides_.size(); ++side) {
    const SourceItem* item = sides_[side].item;
    if (item == nullptr) continue;
    if (item == &main()) {
      GroupSide(main(), side, *groups);
      continue;
    }
    // Leaves that only `before` has are in the groups of that file.
    LEAFSTORE_ASSIGN_OR_RETURN(const std::optional<ItemGroups> before,
                               GroupsOf(*item, request_.groups));
    if (before) GroupSide(*item, side, *before);
  }
  return absl::OkStatus();
}

void ReportItemBuilder::GroupSide(const SourceItem& item, size_t side, const ItemGroups& groups) {
  absl::flat_hash_map<absl::string_view, uint32_t> by_name;
  for (uint32_t i = 0; i < item_.groups.size(); ++i) by_name.emplace(*item_.groups[i].name, i);
  // Per group of this side: the group of the item with the same name, if any.
  std::vector<std::optional<uint32_t>> same;
  for (const std::string& name : groups.grouping.names()) {
    const auto found = by_name.find(name);
    same.push_back(found != by_name.end() ? std::optional<uint32_t>(found->second) : std::nullopt);
  }
  for (size_t leaf = 0; leaf < item_.leaf_nodes.size(); ++leaf) {
    const uint32_t place = places_[side][leaf];
    if (place == kNoPlace) continue;
    const uint32_t group = groups.grouping.GroupOf(item.slots().SlotAt(place));
    item_.group_of_leaf[leaf] = group != kNoGroup ? same[group] : std::nullopt;
  }
}

int64_t ReportItemBuilder::bytes_to_read() const {
  int64_t bytes = 0;
  for (const std::optional<Totals>& totals : item_.totals) {
    if (totals) bytes += std::min(totals->bytes, kMostBytes - bytes);
  }
  return bytes;
}

// Describes a leaf without statistics.
std::optional<ReportLeaf> ReportItemBuilder::Describe(size_t side, size_t leaf) const {
  const uint32_t place = places_[side][leaf];
  if (place == kNoPlace) return std::nullopt;
  const EntryInfo entry = sides_[side].item->entry(place);
  ReportLeaf described;
  if (entry.value != nullptr) {
    described.value = *entry.value;
    described.dtype = std::string(ValueKindName(entry.value->kind()));
    return described;
  }
  described.dtype = std::string(DTypeName(entry.spec.dtype()));
  described.shape = Shape(entry.spec.shape().begin(), entry.spec.shape().end());
  described.bytes = entry.spec.byte_size();
  described.stored = entry.stored_size;
  return described;
}

absl::Status ReportItemBuilder::Read(NumberReader* reader) {
  const size_t leaves = item_.leaf_nodes.size();
  item_.sides.resize(sides_.size());
  for (size_t side = 0; side < sides_.size(); ++side) {
    for (size_t leaf = 0; leaf < leaves; ++leaf) {
      item_.sides[side].push_back(Describe(side, leaf));
    }
  }
  if (sides_.size() > 1) item_.changes.resize(leaves);
  for (size_t side = 0; side < sides_.size(); ++side) {
    if (sides_[side].item != nullptr) LEAFSTORE_RETURN_IF_ERROR(ReadOne(side, reader));
  }
  if (sides_.size() > 1 && sides_[0].item != nullptr && sides_[1].item != nullptr) {
    LEAFSTORE_RETURN_IF_ERROR(ReadPairs(reader));
  }
  SumGroups();
  return absl::OkStatus();
}

// Reads the leaves that only this side has; all leaves if only one side exists.
absl::Status ReportItemBuilder::ReadOne(size_t side, NumberReader* reader) {
  std::vector<uint32_t> places;
  std::vector<size_t> leaves;
  for (size_t leaf = 0; leaf < item_.leaf_nodes.size(); ++leaf) {
    if (places_[side][leaf] == kNoPlace) continue;
    if (sides_.size() > 1) {
      if (places_[1 - side][leaf] != kNoPlace) continue;
      item_.changes[leaf].what = side == 0 ? LeafChange::What::kRemoved : LeafChange::What::kAdded;
    }
    places.push_back(places_[side][leaf]);
    leaves.push_back(leaf);
  }
  LEAFSTORE_ASSIGN_OR_RETURN(std::vector<TensorStats> stats, reader->Stats(sides_[side], places));
  for (size_t i = 0; i < leaves.size(); ++i) {
    item_.sides[side][leaves[i]]->stats = std::move(stats[i]);
  }
  return absl::OkStatus();
}

absl::Status ReportItemBuilder::ReadPairs(NumberReader* reader) {
  std::vector<NumberReader::Places> places;
  std::vector<size_t> leaves;
  for (size_t leaf = 0; leaf < item_.leaf_nodes.size(); ++leaf) {
    if (places_[0][leaf] == kNoPlace || places_[1][leaf] == kNoPlace) continue;
    places.push_back({places_[0][leaf], places_[1][leaf]});
    leaves.push_back(leaf);
  }
  LEAFSTORE_ASSIGN_OR_RETURN(std::vector<NumberReader::Pair> pairs,
                             reader->Compare(sides_[0], sides_[1], places));
  for (size_t i = 0; i < leaves.size(); ++i) {
    item_.sides[0][leaves[i]]->stats = std::move(pairs[i].before);
    item_.sides[1][leaves[i]]->stats = std::move(pairs[i].after);
    item_.changes[leaves[i]] = pairs[i].change;
  }
  return absl::OkStatus();
}

// Sums the leaves of the last side that exists.
void ReportItemBuilder::SumGroups() {
  if (item_.groups.empty()) return;
  const size_t side = sides_.back().item != nullptr ? sides_.size() - 1 : 0;
  ReportGroup none;
  for (size_t leaf = 0; leaf < item_.leaf_nodes.size(); ++leaf) {
    const uint32_t place = places_[side][leaf];
    if (place == kNoPlace) continue;
    const std::optional<uint32_t> number = item_.group_of_leaf[leaf];
    ReportGroup& group = number ? item_.groups[*number] : none;
    group.totals.Add(sides_[side].item->entry(place));
    TensorStats stats = item_.sides[side][leaf]->stats;
    stats.histogram.reset();
    group.stats.Merge(stats);
  }
  if (none.totals.leaves > 0) item_.groups.push_back(std::move(none));
}

// Returns, for each leaf of the only side, its place in the item of another step.
std::vector<uint32_t> ReportItemBuilder::PlacesAt(const SourceItem& item) const {
  const SourceItem& side = *sides_[0].item;
  const Alignment there = Align({side.layout(), side.slots()}, {item.layout(), item.slots()});
  std::vector<uint32_t> places;
  for (const uint32_t place : places_[0]) places.push_back(there[place]);
  return places;
}

void ReportItemBuilder::BeginSeries() {
  item_.series.emplace().points.resize(item_.leaf_nodes.size());
}

absl::StatusOr<ReportItemBuilder::StepItem> ReportItemBuilder::ReadStep(
    FileItem step, const StepItem& before, NumberReader* reader) const {
  StepItem now;
  now.places = step.item != nullptr ? PlacesAt(*step.item)
                                    : std::vector<uint32_t>(item_.leaf_nodes.size(), kNoPlace);
  now.from = std::move(step);
  LEAFSTORE_ASSIGN_OR_RETURN(now.points, reader->Norms(before, now));
  return now;
}

void ReportItemBuilder::AddStep(const StepItem& step) {
  for (size_t leaf = 0; leaf < step.points.size(); ++leaf) {
    item_.series->points[leaf].push_back(step.points[leaf]);
  }
}

}  // namespace leafstore::tools
