#include "leafstore/tools/commands/item_diff.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/store/align.h"
#include "leafstore/tools/present/errors.h"
#include "leafstore/tools/present/progress.h"
#include "leafstore/tools/present/text.h"
#include "leafstore/tools/source/item_rows.h"
#include "leafstore/tools/source/leaf_batch.h"
#include "leafstore/treedef/diff.h"

namespace leafstore::tools {
namespace {

struct Pair {
  uint32_t a = 0;
  uint32_t b = 0;
};

struct Pairs {
  std::vector<Pair> both;  // ascending by a
  std::vector<uint32_t> only_a;
  std::vector<uint32_t> only_b;
};

// Returns the places that are compared.
absl::StatusOr<std::vector<uint32_t>> PlacesOf(const SourceItem& item,
                                               const ItemDiffOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(const ItemRows rows, ItemRows::Create(item, {options.match, {}}));
  const std::vector<uint32_t>& places = rows.places();
  if (options.ignore.empty()) return places;
  LEAFSTORE_ASSIGN_OR_RETURN(const ItemRows ignored, ItemRows::Create(item, {options.ignore, {}}));
  const std::vector<uint32_t>& left_out = ignored.places();
  std::vector<uint32_t> kept;
  std::set_difference(places.begin(), places.end(), left_out.begin(), left_out.end(),
                      std::back_inserter(kept));
  return kept;
}

// Pairs leaves that are still unpaired. If several would pair with the same leaf, such as an alias
// and its owner, the first does; by dotted form, none does.
void PairUp(const SourceItem& a, const SourceItem& b, AlignBy by, Pairs* pairs) {
  const Alignment where = Align({a.layout(), a.slots().AtPlaces(pairs->only_a)},
                                {b.layout(), b.slots().AtPlaces(pairs->only_b)}, by);
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
      pairs->both.push_back({of_a[sources[at]], of_b[at]});
    }
  }
  for (uint32_t at = 0; at < of_a.size(); ++at) {
    if (where[at] == kNoPlace || sources[where[at]] != at) pairs->only_a.push_back(of_a[at]);
  }
}

absl::StatusOr<Pairs> PairUp(const SourceItem& a, const SourceItem& b,
                             const ItemDiffOptions& options) {
  Pairs pairs;
  LEAFSTORE_ASSIGN_OR_RETURN(pairs.only_a, PlacesOf(a, options));
  LEAFSTORE_ASSIGN_OR_RETURN(pairs.only_b, PlacesOf(b, options));
  PairUp(a, b, AlignBy::kPath, &pairs);
  PairUp(a, b, AlignBy::kDotted, &pairs);
  std::sort(pairs.both.begin(), pairs.both.end(),
            [](const Pair& x, const Pair& y) { return x.a < y.a; });
  return pairs;
}

// Loads the leaves at `places`, in any order, and returns them in that order.
absl::StatusOr<std::vector<Leaf>> LoadInOrder(const SourceItem& item,
                                              const std::vector<uint32_t>& places) {
  std::vector<uint32_t> sorted = places;
  std::sort(sorted.begin(), sorted.end());
  LEAFSTORE_ASSIGN_OR_RETURN(const ParamStore store, item.Load(sorted));
  std::vector<Leaf> leaves;
  leaves.reserve(places.size());
  for (const uint32_t place : places) {
    const auto at = std::lower_bound(sorted.begin(), sorted.end(), place);
    leaves.push_back(store.leaf(static_cast<uint32_t>(at - sorted.begin())));
  }
  return leaves;
}

absl::Status DiffBatch(const DiffSide& side_a, const DiffSide& side_b, absl::Span<const Pair> batch,
                       const ItemDiffOptions& options, ItemDiff* diff) {
  const SourceItem& a = side_a.item;
  std::vector<uint32_t> places_a;
  std::vector<uint32_t> places_b;
  for (const Pair& pair : batch) {
    places_a.push_back(pair.a);
    places_b.push_back(pair.b);
  }
  absl::StatusOr<ParamStore> loaded_a = a.Load(places_a);
  if (!loaded_a.ok()) return FileError(side_a.file, loaded_a.status());
  const ParamStore left = *std::move(loaded_a);
  absl::StatusOr<std::vector<Leaf>> loaded_b = LoadInOrder(side_b.item, places_b);
  if (!loaded_b.ok()) return FileError(side_b.file, loaded_b.status());
  std::vector<Leaf> leaves = *std::move(loaded_b);
  // Uses the paths of `a`, so that leaves are paired by position.
  const ParamStore right =
      ParamStore::FromParts(a.layout(), a.slots().AtPlaces(places_a), std::move(leaves));
  LEAFSTORE_ASSIGN_OR_RETURN(StoreDiff found, DiffStores(left, right, options.diff));
  diff->same_count += found.same_count;
  for (LeafDiff& leaf : found.leaves) {
    std::string dotted = DottedOfCanonical(leaf.path);
    std::string shown = PrintableCanonical(leaf.path);
    diff->leaves.push_back({std::move(dotted), std::move(shown), std::move(leaf)});
  }
  return absl::OkStatus();
}

// A dotted name of an item.
struct Name {
  std::string tied_to;  // the owner of an alias; empty for a leaf
  bool compared = false;
};
using Names = std::map<std::string, Name>;

absl::StatusOr<Names> NamesOf(const SourceItem& item, const ItemDiffOptions& options) {
  Names names;
  LEAFSTORE_ASSIGN_OR_RETURN(const ItemRows all, ItemRows::Create(item, {}));
  LEAFSTORE_ASSIGN_OR_RETURN(const ItemRows matched, ItemRows::Create(item, {options.match, {}}));
  for (const Row& row : all.rows()) {
    LEAFSTORE_ASSIGN_OR_RETURN(std::string dotted, all.Dotted(row));
    Name name;
    if (row.kind == Row::kAlias) {
      LEAFSTORE_ASSIGN_OR_RETURN(name.tied_to,
                                 all.def()->Dotted(all.def()->alias_target(row.node)));
    }
    names.emplace(std::move(dotted), std::move(name));
  }
  const auto mark = [&names](const ItemRows& rows, bool compared) -> absl::Status {
    for (const Row& row : rows.rows()) {
      LEAFSTORE_ASSIGN_OR_RETURN(const std::string dotted, rows.Dotted(row));
      names[dotted].compared = compared;
    }
    return absl::OkStatus();
  };
  LEAFSTORE_RETURN_IF_ERROR(mark(matched, true));
  if (options.ignore.empty()) return names;
  LEAFSTORE_ASSIGN_OR_RETURN(const ItemRows ignored, ItemRows::Create(item, {options.ignore, {}}));
  LEAFSTORE_RETURN_IF_ERROR(mark(ignored, false));
  return names;
}

bool HasAliases(const SourceItem& item) {
  const absl::StatusOr<TreeDef> def = item.layout().def();
  return def.ok() && def->has_aliases();
}

// Appends the ties that the other side does not have, or has with another leaf. A name that is a
// leaf of its own on the other side is skipped: it is listed among the leaves of one side only.
absl::Status DiffTies(const SourceItem& a, const SourceItem& b, const ItemDiffOptions& options,
                      std::vector<std::string>* lines) {
  if (!HasAliases(a) && !HasAliases(b)) return absl::OkStatus();
  LEAFSTORE_ASSIGN_OR_RETURN(const Names names_a, NamesOf(a, options));
  LEAFSTORE_ASSIGN_OR_RETURN(const Names names_b, NamesOf(b, options));
  for (const auto& [dotted, name] : names_a) {
    if (name.tied_to.empty() || !name.compared) continue;
    const auto other = names_b.find(dotted);
    if (other == names_b.end()) {
      lines->push_back(absl::StrCat("at ", dotted, ": only in the first: tied to ", name.tied_to));
    } else if (!other->second.tied_to.empty() && other->second.tied_to != name.tied_to) {
      lines->push_back(absl::StrCat("at ", dotted, ": tied to ", name.tied_to, " and to ",
                                    other->second.tied_to));
    }
  }
  for (const auto& [dotted, name] : names_b) {
    if (name.tied_to.empty() || !name.compared || names_a.count(dotted) > 0) continue;
    lines->push_back(absl::StrCat("at ", dotted, ": only in the second: tied to ", name.tied_to));
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

}  // namespace

absl::StatusOr<ItemDiff> DiffItems(const DiffSide& side_a, const DiffSide& side_b,
                                   const ItemDiffOptions& options) {
  const SourceItem& a = side_a.item;
  const SourceItem& b = side_b.item;
  ItemDiff diff;
  diff.name = a.name();
  LEAFSTORE_ASSIGN_OR_RETURN(const Pairs pairs, PairUp(a, b, options));
  const auto path_of = [](const SourceItem& item, uint32_t place) {
    return item.layout().PathOf(item.slots().SlotAt(place));
  };
  for (const uint32_t place : pairs.only_a) diff.only_in_a.push_back(path_of(a, place));
  for (const uint32_t place : pairs.only_b) diff.only_in_b.push_back(path_of(b, place));
  diff.structure_compared =
      options.structure && DiffStructures(a.layout(), b.layout(), &diff.structure);
  diff.only_a_has_structure = a.layout().has_def() && !b.layout().has_def();
  diff.only_b_has_structure = b.layout().has_def() && !a.layout().has_def();
  if (options.ties && !diff.structure_compared) {
    LEAFSTORE_RETURN_IF_ERROR(DiffTies(a, b, options, &diff.structure));
  }
  std::vector<uint32_t> places;
  int64_t total = 0;
  for (const Pair& pair : pairs.both) {
    places.push_back(pair.a);
    total += a.entry(pair.a).spec.byte_size();
  }
  Progress progress("comparing", total);
  const absl::Span<const Pair> both = pairs.both;
  for (size_t done = 0; done < both.size();) {
    const LeafBatch next = NextBatch(a, absl::MakeConstSpan(places).subspan(done));
    LEAFSTORE_RETURN_IF_ERROR(
        DiffBatch(side_a, side_b, both.subspan(done, next.size), options, &diff));
    done += next.size;
    progress.Advance(next.bytes);
  }
  return diff;
}

}  // namespace leafstore::tools
