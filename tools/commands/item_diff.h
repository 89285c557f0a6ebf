// ItemDiff: the differences between two items of any sources, read a few tensors at a time.
//
//   ItemDiff diff = DiffItems(a, b, {.diff = {.rtol = 1e-5}}).value();
//
// Leaves are paired by canonical path, and the remaining ones by dotted form if it is unique on
// each side. This pairs a model with its conversion to a format without kinds of keys.
#ifndef LEAFSTORE_TOOLS_COMMANDS_ITEM_DIFF_H_
#define LEAFSTORE_TOOLS_COMMANDS_ITEM_DIFF_H_

#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "leafstore/core/path.h"
#include "leafstore/numeric/diff.h"
#include "leafstore/select/rename_map.h"
#include "leafstore/tools/source/item_rows.h"

namespace leafstore::tools {

struct ItemDiffOptions {
  // Compares only leaves that one of these matches, at or above the leaf, and none that `ignore`
  // matches. Empty: all.
  Globs match;
  Globs ignore;
  DiffOptions diff;
  // Compares the structures too, if both items have one and all leaves are compared; otherwise the
  // tied names: one that the other side does not have at all is a leaf that its loader misses.
  bool structure = true;
  RowOrder order = RowOrder::kNatural;

  bool compares_structures() const { return structure && match.empty() && ignore.empty(); }
};

enum class DiffSide : uint8_t { kA, kB };

struct ItemDiff {
  std::string name;  // a's
  std::vector<Path> only_in_a;
  std::vector<Path> only_in_b;
  std::vector<std::string> structure;  // in words, including ties, excluding the paths above
  // False if `structure` was not requested, or if an item has no structure.
  bool structure_compared = false;
  std::optional<DiffSide> only_structure;  // only this side has a structure
  // Leaves of different dtypes whose elements are equal (DiffOptions::across_dtypes), with a's
  // paths and the specs of both; they count in same_count.
  std::vector<std::tuple<Path, std::string, std::string>> other_dtypes;
  // The leaves that differ, with a's paths, in the order of the rows.
  std::vector<std::pair<Path, LeafDiff>> leaves;
  int64_t same_count = 0;

  bool same() const {
    return only_in_a.empty() && only_in_b.empty() && structure.empty() && leaves.empty();
  }
};

// Compares two items. If `renamed` is not empty, it has a new path for each leaf of `a`, by place;
// leaves are then paired by these paths, and structures and ties are not compared. error: as
// SourceItem::load, prefixed with the file. O(bytes).
absl::StatusOr<ItemDiff> DiffItems(const SourceItem& a, const SourceItem& b,
                                   const ItemDiffOptions& options,
                                   absl::Span<const RenamedPath> renamed = {});

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_COMMANDS_ITEM_DIFF_H_
