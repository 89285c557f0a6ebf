#include "leafstore/tools/report/report_item.h"

#include <algorithm>
#include <cmath>
#include <complex>
#include <limits>
#include <map>

#include "absl/container/flat_hash_map.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/numeric/diff.h"
#include "leafstore/numeric/elements.h"
#include "leafstore/store/align.h"
#include "leafstore/tools/present/errors.h"
#include "leafstore/tools/present/json.h"
#include "leafstore/tools/present/text.h"
#include "leafstore/treedef/diff.h"

namespace leafstore::tools {
namespace {

// The maximum count of structural differences that are listed.
constexpr size_t kMaxStructure = 50;
// A damaged file may have any size in its manifest.
constexpr int64_t kMaxBytes = int64_t{1} << 40;
// The maximum count of nodes in a page. More are too many to look at, and take gigabytes.
constexpr size_t kMaxNodes = 1'000'000;
// Keys are cut to this many columns: a file can hold megabytes.
constexpr size_t kMaxShownKey = 1024;

// Lists the nodes and leaves of an item. Until Finish, nodes are in the order of their creation.
class Lister {
 public:
  explicit Lister(ReportItem* item) : item_(*item), nodes_(item->nodes) { nodes_.resize(1); }

  // error ResourceExhausted: too many nodes.
  absl::Status ListSide(size_t side, const Globs& match) {
    const SourceItem& source = *item_.sides[side];
    // Cannot fail without a depth.
    const ItemRows rows =
        ItemRows::Create(source, {.match = match, .order = RowOrder::kNatural}).value();
    item_.totals[side] = rows.ListedTotals();
    node_of_.assign(rows.def() ? rows.def()->node_count() : 0, 0);
    for (const Row& row : rows.rows()) {
      if (nodes_.size() > kMaxNodes) break;
      if (!rows.def()) {
        const uint32_t place = rows.places()[row.begin];
        AddLeaf(side, NodeAt(source.PathOf(place)), place);
        continue;
      }
      const uint32_t node = NodeOf(*rows.def(), row.node);
      if (row.kind == Row::kLeaf) {
        AddLeaf(side, node, rows.places()[row.begin]);
      } else {
        item_.aliases.emplace_back(node, NodeOf(*rows.def(), rows.def()->alias_target(row.node)));
      }
      if (side != item_.main_side() || !rows.def()->has_tags()) continue;
      for (const absl::string_view tag : rows.def()->tags(row.node)) {
        item_.tags.emplace_back(node, std::string(tag));
      }
    }
    if (nodes_.size() <= kMaxNodes) return absl::OkStatus();
    return absl::ResourceExhaustedError(
        absl::StrCat("item '", source.name, "': expected at most ", kMaxNodes,
                     " nodes for a page, found more; select fewer with --match or --item"));
  }

  void Finish() {
    DropAliases();
    const std::vector<uint32_t> number = Preorder();
    std::vector<ReportItem::Node> sorted(nodes_.size());
    for (size_t i = 0; i < nodes_.size(); ++i) {
      nodes_[i].parent = number[nodes_[i].parent];
      sorted[number[i]] = std::move(nodes_[i]);
    }
    nodes_ = std::move(sorted);
    for (ReportItem::Entry& leaf : item_.leaves) leaf.node = number[leaf.node];
    std::sort(item_.leaves.begin(), item_.leaves.end(),
              [](const auto& a, const auto& b) { return a.node < b.node; });
    for (auto& [node, target] : item_.aliases) {
      node = number[node];
      target = number[target];
    }
    for (auto& [node, tag] : item_.tags) node = number[node];
  }

 private:
  // Returns `parent` if there are too many nodes already; ListSide then returns an error.
  uint32_t Child(uint32_t parent, const KeyRef& key) {
    if (nodes_.size() > kMaxNodes) return parent;
    std::string text;
    AppendKeyText(key, &text);
    const auto [found, is_new] =
        children_.try_emplace({parent, std::move(text)}, static_cast<uint32_t>(nodes_.size()));
    if (is_new) {
      nodes_.push_back({parent, CutMiddle(PrintableKey(key), kMaxShownKey),
                        CutMiddle(Printable(found->first.second), kMaxShownKey)});
    }
    return found->second;
  }

  uint32_t NodeAt(const Path& path) {
    uint32_t node = 0;
    for (const Key& key : path.keys()) node = Child(node, key.ref());
    return node;
  }

  // Returns the node of one of a structure.
  uint32_t NodeOf(const TreeDef& def, NodeId node) {
    std::vector<NodeId> way;
    for (; node_of_[node] == 0 && node != kRootNode; node = def.parent(node)) way.push_back(node);
    uint32_t at = node_of_[node];
    for (auto next = way.rbegin(); next != way.rend(); ++next) {
      at = node_of_[*next] = Child(at, def.key(*next));
    }
    return at;
  }

  void AddLeaf(size_t side, uint32_t node, uint32_t place) {
    const auto [found, is_new] = leaf_of_node_.try_emplace(node, item_.leaves.size());
    if (is_new) item_.leaves.push_back({node});
    item_.leaves[found->second].places[side] = place;
  }

  // Removes duplicates of aliases that both sides have, and aliases that are leaves on the other
  // side.
  void DropAliases() {
    auto& aliases = item_.aliases;
    std::sort(aliases.begin(), aliases.end());
    const auto same = [](const auto& a, const auto& b) { return a.first == b.first; };
    aliases.erase(std::unique(aliases.begin(), aliases.end(), same), aliases.end());
    std::erase_if(aliases,
                  [this](const auto& alias) { return leaf_of_node_.contains(alias.first); });
  }

  // Returns, for each node, its index in preorder.
  std::vector<uint32_t> Preorder() const {
    std::vector<std::vector<uint32_t>> children(nodes_.size());  // in reverse
    for (auto node = static_cast<uint32_t>(nodes_.size()); --node > 0;) {
      children[nodes_[node].parent].push_back(node);
    }
    std::vector<uint32_t> number(nodes_.size());
    std::vector<uint32_t> next = {0};
    for (uint32_t count = 0; !next.empty(); ++count) {
      const uint32_t node = next.back();
      next.pop_back();
      number[node] = count;
      next.insert(next.end(), children[node].begin(), children[node].end());
    }
    return number;
  }

  ReportItem& item_;
  std::vector<ReportItem::Node>& nodes_;
  std::vector<uint32_t> node_of_;  // by node of the side's structure; 0: the root, or not yet made
  absl::flat_hash_map<std::pair<uint32_t, std::string>, uint32_t> children_;
  absl::flat_hash_map<uint32_t, size_t> leaf_of_node_;
};

// Returns the differences of the structures, except leaves of one side, which the table lists.
std::vector<std::string> CompareStructures(const SourceItem& before, const SourceItem& after) {
  const absl::StatusOr<TreeDef> a = before.layout.def();
  const absl::StatusOr<TreeDef> b = after.layout.def();
  if (!a.ok() || !b.ok()) return {};
  using What = TreeDefDifference::What;
  std::vector<std::string> lines;
  size_t more = 0;
  for (const TreeDefDifference& difference : DiffTreeDefs(*a, *b)) {
    if (difference.what == What::kOnlyInA || difference.what == What::kOnlyInB) continue;
    if (lines.size() < kMaxStructure) {
      lines.push_back(ToString(difference, *a, *b));
    } else {
      ++more;
    }
  }
  if (more > 0) lines.push_back(absl::StrCat("and ", more, " more"));
  return lines;
}

// Leaves that only `before` has are in the groups of that file.
absl::Status Group(const std::vector<NamedFilter>& groups, ReportItem* item) {
  LEAFSTORE_ASSIGN_OR_RETURN(item->grouping, item->main().GroupBy(groups));
  if (!item->grouping) return absl::OkStatus();
  item->groups_saved = groups.empty();
  std::map<absl::string_view, uint32_t> group_of;
  for (const std::string& name : item->grouping->names()) {
    group_of.emplace(name, static_cast<uint32_t>(item->groups.size()));
    item->groups.push_back({name});
  }
  // `after` comes last, as its groups count.
  for (size_t side = 0; side < item->sides.size(); ++side) {
    const SourceItem* const source = item->sides[side];
    if (source == nullptr) continue;
    LEAFSTORE_ASSIGN_OR_RETURN(const std::optional<Grouping> own, source->GroupBy(groups));
    if (!own) continue;
    // Per group of this side: the group of the item with the same name, if any.
    std::vector<std::optional<uint32_t>> same;
    for (const std::string& name : own->names()) {
      const auto found = group_of.find(name);
      same.push_back(found == group_of.end() ? std::nullopt : std::optional(found->second));
    }
    for (ReportItem::Entry& leaf : item->leaves) {
      if (leaf.places[side] == kNoPlace) continue;
      const uint32_t group = own->GroupOf(source->slots.SlotAt(leaf.places[side]));
      leaf.group = group == kNoGroup ? std::nullopt : same[group];
    }
  }
  return absl::OkStatus();
}

// Sums the leaves of the main side.
void SumGroups(ReportItem* item) {
  GroupSummary none;
  for (const ReportItem::Entry& leaf : item->leaves) {
    const uint32_t place = leaf.places[item->main_side()];
    if (place == kNoPlace) continue;
    GroupSummary& group = leaf.group ? item->groups[*leaf.group] : none;
    group.totals.Add(item->main().entry(place));
    TensorStats stats = leaf.stats[item->main_side()];
    stats.histogram.reset();
    group.stats.Merge(stats);
  }
  if (none.totals.leaves > 0) item->groups.push_back(std::move(none));
}

bool AreComparable(const Leaf& a, const Leaf& b) {
  return a.is_tensor() && b.is_tensor() && a.spec() == b.spec();
}

// Returns the norm of b - a over elements that are finite on both sides; infinity if a square is
// too large. Both must be comparable.
double NormOfChange(const Tensor& a, const Tensor& b) {
  double squares = 0;
  if (a.dtype() == DType::kC64) {
    const auto x = a.span<std::complex<float>>();
    const auto y = b.span<std::complex<float>>();
    for (size_t i = 0; i < x.size(); ++i) {
      const double square = std::norm(std::complex<double>(y[i]) - std::complex<double>(x[i]));
      if (std::isfinite(square)) squares += square;  // that of finite floats is finite
    }
    return std::sqrt(squares);
  }
  std::array<double, kElementBlock> x;
  std::array<double, kElementBlock> y;
  internal::ForEachBlock(a.element_count(), [&](int64_t begin, size_t size) {
    ReadElements(a, begin, absl::MakeSpan(x.data(), size));
    ReadElements(b, begin, absl::MakeSpan(y.data(), size));
    for (size_t i = 0; i < size; ++i) {
      if (std::isfinite(x[i]) && std::isfinite(y[i])) squares += (y[i] - x[i]) * (y[i] - x[i]);
    }
  });
  return std::sqrt(squares);
}

// Computes the statistics of a leaf on each side, with histograms of the same range. Those of a
// side without a tensor are empty.
absl::Status StatsOfSides(absl::Span<const Leaf> sides, std::array<TensorStats, 2>* stats) {
  StatsOptions options = {.histogram_bins = kReportBins};
  if (sides.size() > 1 && sides[0].is_tensor() && sides[1].is_tensor()) {
    // The first pass finds the range for both histograms.
    TensorStats all;
    for (const Leaf& leaf : sides) {
      LEAFSTORE_ASSIGN_OR_RETURN(const TensorStats side, StatsOf(leaf.tensor()));
      all.Merge(side);
    }
    if (all.finite_count() > 0) options.histogram_range = StatsOptions::Range{all.min, all.max};
  }
  for (size_t i = 0; i < sides.size(); ++i) {
    if (!sides[i].is_tensor()) continue;
    LEAFSTORE_ASSIGN_OR_RETURN((*stats)[i], StatsOf(sides[i].tensor(), options));
  }
  return absl::OkStatus();
}

// Returns the point of a leaf; no value if it is not a tensor. `before` is the leaf at the previous
// step, which may be null, and `point_before` its point.
std::optional<SeriesPoint> PointOf(const Leaf& leaf, const Leaf& before,
                                   const std::optional<SeriesPoint>& point_before) {
  if (!leaf.is_tensor()) return std::nullopt;
  const Tensor& tensor = leaf.tensor();
  const bool comparable = AreComparable(before, leaf);
  if (comparable && point_before && before.tensor().bytes() == tensor.bytes()) {
    return SeriesPoint{point_before->l2, 0, point_before->odd};
  }
  const TensorStats stats = StatsOf(tensor).value();  // cannot fail without options
  const double change =
      comparable ? NormOfChange(before.tensor(), tensor) : std::numeric_limits<double>::quiet_NaN();
  return SeriesPoint{stats.l2(), change, stats.nan_count + stats.inf_count};
}

}  // namespace

LeafChange CompareLeaves(const Leaf& before, const Leaf& after) {
  if (before.null()) return {"added"};
  if (after.null()) return {"removed"};
  LeafChange change;
  if (AreComparable(before, after)) change.differing = 0;
  const std::optional<LeafDiff> diff = DiffLeaves(before, after);
  if (!diff) return change;
  change.what = ToJson(diff->what);
  if (!change.differing) return change;
  change.differing = diff->differing;
  change.max_abs = diff->max_abs;
  change.max_rel = diff->max_rel;
  change.l2 = NormOfChange(before.tensor(), after.tensor());
  return change;
}

int64_t ReportItem::bytes_to_read() const {
  int64_t bytes = 0;
  for (const std::optional<Totals>& side : totals) {
    if (side) bytes += std::min(side->bytes, kMaxBytes - bytes);
  }
  return bytes;
}

absl::StatusOr<ReportItem> ListReportItem(SourceItems sides, const Globs& match,
                                          const std::vector<NamedFilter>& groups) {
  ReportItem item;
  item.sides = std::move(sides);
  item.totals.resize(item.sides.size());
  Lister lister(&item);
  // `after` comes first: new leaves keep their places, and removed ones follow their siblings.
  for (size_t side = item.sides.size(); side-- > 0;) {
    if (item.sides[side] == nullptr) continue;
    LEAFSTORE_RETURN_IF_ERROR(FileError(item.sides[side]->file, lister.ListSide(side, match)));
  }
  lister.Finish();
  if (item.sides.size() > 1 && item.sides[0] != nullptr && item.sides[1] != nullptr) {
    item.structure = CompareStructures(*item.sides[0], *item.sides[1]);
  }
  LEAFSTORE_RETURN_IF_ERROR(FileError(item.main().file, Group(groups, &item)));
  return item;
}

absl::Status ReadReportItem(int threads, Progress* progress, ReportItem* item) {
  std::vector<ItemPlaces> sides;
  for (size_t side = 0; side < item->sides.size(); ++side) {
    sides.push_back({item->sides[side], {}});
    for (const auto& leaf : item->leaves) sides[side].places.push_back(leaf.places[side]);
  }
  const auto read = [item](size_t i, absl::Span<const Leaf> leaves) -> absl::Status {
    ReportItem::Entry& entry = item->leaves[i];
    if (leaves.size() > 1) entry.change = CompareLeaves(leaves[0], leaves[1]);
    return StatsOfSides(leaves, &entry.stats);
  };
  LEAFSTORE_RETURN_IF_ERROR(ForEachLeaf(std::move(sides), threads, progress, read));
  if (item->grouping) SumGroups(item);
  return absl::OkStatus();
}

absl::StatusOr<ItemPlaces> AddStep(const SourceItem* at, ItemPlaces before, int threads,
                                   Progress* progress, ReportItem* item) {
  const size_t count = item->leaves.size();
  ItemPlaces now = {at, std::vector<uint32_t>(count, kNoPlace)};
  std::vector<std::optional<SeriesPoint>> points(count);
  if (at != nullptr) {
    const SourceItem& own = item->main();
    const Alignment there = Align({own.layout, own.slots}, {at->layout, at->slots});
    for (size_t i = 0; i < count; ++i) now.places[i] = there[item->leaves[i].places[0]];
    before.places.resize(count, kNoPlace);
    const auto read = [&](size_t i, absl::Span<const Leaf> leaves) {
      points[i] = PointOf(leaves[0], leaves[1],
                          item->series.empty() ? std::nullopt : item->series.back()[i]);
      return absl::OkStatus();
    };
    LEAFSTORE_RETURN_IF_ERROR(ForEachLeaf({now, std::move(before)}, threads, progress, read));
  }
  item->series.push_back(std::move(points));
  return now;
}

}  // namespace leafstore::tools
