#include "leafstore/tools/commands/item_diff.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/str_cat.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/store/align.h"
#include "leafstore/tools/present/errors.h"
#include "leafstore/tools/present/output.h"
#include "leafstore/tools/source/item_rows.h"
#include "leafstore/treedef/diff.h"
#include "leafstore/treedef/internal/path_cursor.h"

namespace leafstore::tools {
namespace {

struct Pairs {
  std::vector<std::pair<uint32_t, uint32_t>> both;  // places in a and b
  std::vector<uint32_t> only_a;
  std::vector<uint32_t> only_b;
};

// Returns the places that are compared.
std::vector<uint32_t> ComparedPlaces(const SourceItem& item, const ItemDiffOptions& options) {
  const std::vector<uint32_t> places = ItemRows(item, options.match).places();
  if (options.ignore.empty()) return places;
  const std::vector<uint32_t> ignored = ItemRows(item, options.ignore).places();
  std::vector<uint32_t> kept;
  std::set_difference(places.begin(), places.end(), ignored.begin(), ignored.end(),
                      std::back_inserter(kept));
  return kept;
}

// Pairs leaves that are still unpaired. If several would pair with the same leaf, such as an alias
// and its owner, the first does; by dotted form, none does.
void PairUp(const SourceItem& a, const SourceItem& b, AlignBy by,
            absl::Span<const RenamedPath> renamed, Pairs* pairs) {
  std::vector<std::string> names;
  for (const uint32_t place : pairs->only_a) {
    if (!renamed.empty()) names.push_back(renamed[place].to);
  }
  const Alignment where = Align({a.layout, a.slots.AtPlaces(pairs->only_a)},
                                {b.layout, b.slots.AtPlaces(pairs->only_b)}, by, names);
  std::vector<uint32_t> sources = where.Sources();
  if (by == AlignBy::kDotted) {
    for (const Alignment::Conflict& at : where.Collisions()) sources[at.place] = kNoPlace;
  }
  const std::vector<uint32_t> of_a = std::exchange(pairs->only_a, {});
  const std::vector<uint32_t> of_b = std::exchange(pairs->only_b, {});
  for (uint32_t at = 0; at < of_b.size(); ++at) {
    if (sources[at] == kNoPlace) {
      pairs->only_b.push_back(of_b[at]);
    } else {
      pairs->both.emplace_back(of_a[sources[at]], of_b[at]);
    }
  }
  for (uint32_t at = 0; at < of_a.size(); ++at) {
    if (where[at] == kNoPlace || sources[where[at]] != at) pairs->only_a.push_back(of_a[at]);
  }
}

// The full paths of the leaves in the answer. They take more memory than their texts.
class KeptPaths {
 public:
  explicit KeptPaths(uint64_t paths) : budget_(paths) {}

  absl::Status Add(const SourceItem& item, uint32_t place, std::vector<Path>* paths) {
    LEAFSTORE_ASSIGN_OR_RETURN(Path path, Of(item, place));
    paths->push_back(std::move(path));
    return absl::OkStatus();
  }
  absl::StatusOr<Path> Of(const SourceItem& item, uint32_t place) {
    Path path = item.PathOf(place);
    uint64_t size = 0;
    for (const Key& key : path.keys()) size += KeyTextSize(key.ref());
    LEAFSTORE_RETURN_IF_ERROR(FileError(item.file, budget_.Spend(size)));
    return path;
  }

 private:
  internal::TextBudget budget_;
};

// Maps the dotted names of an item to the owners that they are tied to, empty for a leaf.
using Names = std::map<std::string, std::string>;

absl::StatusOr<Names> NamesOf(const SourceItem& item, const Globs& match) {
  const ItemRows rows(item, match);
  LEAFSTORE_RETURN_IF_ERROR(FileError(item.file, rows.CheckPathText()));
  Names names;
  for (const Row& row : rows.rows()) {
    LEAFSTORE_ASSIGN_OR_RETURN(const std::string dotted, rows.Dotted(row));
    std::string& owner = names[dotted];
    if (row.kind != Row::kAlias) continue;
    LEAFSTORE_ASSIGN_OR_RETURN(owner, rows.def()->Dotted(rows.def()->alias_target(row.node)));
  }
  return names;
}

// Returns the tied names of an item that are compared.
absl::StatusOr<Names> TiesOf(const SourceItem& item, const ItemDiffOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(Names ties, NamesOf(item, options.match));
  Names ignored;
  if (!options.ignore.empty()) {
    LEAFSTORE_ASSIGN_OR_RETURN(ignored, NamesOf(item, options.ignore));
  }
  std::erase_if(ties, [&ignored](const auto& tie) {
    return tie.second.empty() || ignored.count(tie.first) > 0;
  });
  return ties;
}

bool HasAliases(const SourceItem& item) {
  const absl::StatusOr<TreeDef> def = item.layout.def();
  return def.ok() && def->has_aliases();
}

// Appends the ties that the other side does not have, or has with another leaf. A name that is a
// leaf of its own on the other side is skipped: it is listed among the leaves of one side only.
absl::Status DiffTies(const SourceItem& a, const SourceItem& b, const ItemDiffOptions& options,
                      std::vector<std::string>* lines) {
  if (!HasAliases(a) && !HasAliases(b)) return absl::OkStatus();
  LEAFSTORE_ASSIGN_OR_RETURN(const Names names_a, NamesOf(a, {}));
  LEAFSTORE_ASSIGN_OR_RETURN(const Names names_b, NamesOf(b, {}));
  LEAFSTORE_ASSIGN_OR_RETURN(const Names ties_a, TiesOf(a, options));
  LEAFSTORE_ASSIGN_OR_RETURN(const Names ties_b, TiesOf(b, options));
  for (const auto& [dotted, owner] : ties_a) {
    const auto other = names_b.find(dotted);
    if (other == names_b.end()) {
      lines->push_back(absl::StrCat("at ", dotted, ": only in the first: tied to ", owner));
    } else if (!other->second.empty() && other->second != owner) {
      lines->push_back(absl::StrCat("at ", dotted, ": tied to ", owner, " and to ", other->second));
    }
  }
  for (const auto& [dotted, owner] : ties_b) {
    if (names_a.count(dotted) > 0) continue;
    lines->push_back(absl::StrCat("at ", dotted, ": only in the second: tied to ", owner));
  }
  return absl::OkStatus();
}

// Appends the differences of the structures, without subtrees whose leaves are on one side only.
// Returns false if one side has no structure, so that they are not compared.
bool DiffStructures(const Layout& a, const Layout& b, std::vector<std::string>* lines) {
  if (!a.has_def() || !b.has_def()) return false;
  const absl::StatusOr<TreeDef> def_a = a.def();
  const absl::StatusOr<TreeDef> def_b = b.def();
  if (!def_a.ok() || !def_b.ok()) return false;
  const auto has_leaves = [](const TreeDef& def, NodeId node) {
    return def.leaf_begin(node) != def.leaf_begin(def.end(node));
  };
  for (const TreeDefDifference& difference : DiffTreeDefs(*def_a, *def_b)) {
    const bool is_said =
        (difference.what == TreeDefDifference::What::kOnlyInA &&
         has_leaves(*def_a, difference.a)) ||
        (difference.what == TreeDefDifference::What::kOnlyInB && has_leaves(*def_b, difference.b));
    if (!is_said) lines->push_back(ToString(difference, *def_a, *def_b));
  }
  return true;
}

// Returns the leaves that are compared, paired, in the order of the rows.
Pairs PairLeaves(const SourceItem& a, const SourceItem& b, const ItemDiffOptions& options,
                 absl::Span<const RenamedPath> renamed) {
  Pairs pairs;
  pairs.only_a = ComparedPlaces(a, options);
  pairs.only_b = ComparedPlaces(b, options);
  PairUp(a, b, AlignBy::kPath, renamed, &pairs);
  PairUp(a, b, AlignBy::kDotted, renamed, &pairs);
  const std::vector<uint32_t> rank_a = RanksOfPlaces(a, options.order);
  const std::vector<uint32_t> rank_b = RanksOfPlaces(b, options.order);
  std::sort(pairs.both.begin(), pairs.both.end(),
            [&](const auto& x, const auto& y) { return rank_a[x.first] < rank_a[y.first]; });
  std::sort(pairs.only_a.begin(), pairs.only_a.end(),
            [&](uint32_t x, uint32_t y) { return rank_a[x] < rank_a[y]; });
  std::sort(pairs.only_b.begin(), pairs.only_b.end(),
            [&](uint32_t x, uint32_t y) { return rank_b[x] < rank_b[y]; });
  return pairs;
}

// Compares the structures, or else the ties.
absl::Status DiffStructuresOrTies(const SourceItem& a, const SourceItem& b,
                                  const ItemDiffOptions& options, bool are_renamed,
                                  ItemDiff* diff) {
  if (a.layout.has_def() != b.layout.has_def()) {
    diff->only_structure = a.layout.has_def() ? DiffSide::kA : DiffSide::kB;
  }
  if (!options.structure || are_renamed) return absl::OkStatus();
  diff->structure_compared =
      options.compares_structures() && DiffStructures(a.layout, b.layout, &diff->structure);
  if (diff->structure_compared) return absl::OkStatus();
  return DiffTies(a, b, options, &diff->structure);
}

// Compares the pairs of leaves.
absl::Status DiffPairs(const SourceItem& a, const SourceItem& b,
                       absl::Span<const std::pair<uint32_t, uint32_t>> pairs,
                       const DiffOptions& options, KeptPaths* kept, ItemDiff* diff) {
  std::vector<uint32_t> places_a;
  std::vector<uint32_t> places_b;
  Totals totals;
  for (const auto& [place_a, place_b] : pairs) {
    places_a.push_back(place_a);
    places_b.push_back(place_b);
    totals.Add(a.entry(place_a));
    totals.Add(b.entry(place_b));
  }
  const auto compare = [&](size_t i, absl::Span<const Leaf> leaves) -> absl::Status {
    std::optional<LeafDiff> found = DiffLeaves(leaves[0], leaves[1], options);
    if (!found) ++diff->same_count;
    const bool other_dtype =
        !found && leaves[0].is_tensor() && leaves[0].tensor().dtype() != leaves[1].tensor().dtype();
    if (!found && !other_dtype) return absl::OkStatus();
    LEAFSTORE_ASSIGN_OR_RETURN(Path path, kept->Of(a, places_a[i]));
    if (found) {
      diff->leaves.emplace_back(std::move(path), *std::move(found));
    } else {
      diff->other_dtypes.emplace_back(std::move(path), leaves[0].spec().ToString(),
                                      leaves[1].spec().ToString());
    }
    return absl::OkStatus();
  };
  Progress progress("comparing", totals.bytes);
  return ForEachLeaf({{&a, places_a}, {&b, places_b}}, /*threads=*/1, &progress, compare);
}

}  // namespace

absl::StatusOr<ItemDiff> DiffItems(const SourceItem& a, const SourceItem& b,
                                   const ItemDiffOptions& options,
                                   absl::Span<const RenamedPath> renamed) {
  ItemDiff diff;
  diff.name = a.name;
  const Pairs pairs = PairLeaves(a, b, options, renamed);
  KeptPaths kept(a.size() + uint64_t{b.size()});
  for (const uint32_t place : pairs.only_a) {
    LEAFSTORE_RETURN_IF_ERROR(kept.Add(a, place, &diff.only_in_a));
  }
  for (const uint32_t place : pairs.only_b) {
    LEAFSTORE_RETURN_IF_ERROR(kept.Add(b, place, &diff.only_in_b));
  }
  LEAFSTORE_RETURN_IF_ERROR(DiffStructuresOrTies(a, b, options, !renamed.empty(), &diff));
  LEAFSTORE_RETURN_IF_ERROR(DiffPairs(a, b, pairs.both, options.diff, &kept, &diff));
  return diff;
}

}  // namespace leafstore::tools
