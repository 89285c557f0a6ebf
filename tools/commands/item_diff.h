// ItemDiff: what differs in two items of any sources, read a few tensors at a time.
//
//   ItemDiff diff = DiffItems(a, b, {.diff = {.rtol = 1e-5}}).value();
//
// Leaves meet by canonical path, and those that do not by dotted form, where each side has it once:
// so a model meets what was made of it in a format without kinds of keys.
#ifndef LEAFSTORE_TOOLS_COMMANDS_ITEM_DIFF_H_
#define LEAFSTORE_TOOLS_COMMANDS_ITEM_DIFF_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "leafstore/core/path.h"
#include "leafstore/numeric/diff.h"
#include "leafstore/select/glob.h"
#include "leafstore/tools/source/source.h"

namespace leafstore::tools {

struct ItemDiffOptions {
  // Only leaves that one of these matches, at or above them; empty: all. And none that one of
  // `ignore` does.
  std::vector<GlobPattern> match;
  std::vector<GlobPattern> ignore;
  DiffOptions diff;
  // Compare the structures too, where both have one.
  bool structure = true;
  // Where structures are not compared, by choice or as one side has none: compare at least which
  // names are ties. A name that one side has for a leaf that is tied, and the other not at all, is
  // a leaf lost for who loads it.
  bool ties = true;
};

struct NamedLeafDiff {
  std::string dotted;
  std::string shown;  // the same, harmless to a terminal
  LeafDiff diff;      // its path is a's
};

struct ItemDiff {
  std::string name;  // a's
  std::vector<Path> only_in_a;
  std::vector<Path> only_in_b;
  std::vector<std::string> structure;  // in words, without what the above say; ties among them
  // Whether the structures were compared; and if not, that it is because one has none of its own.
  bool structure_compared = false;
  bool only_a_has_structure = false;
  bool only_b_has_structure = false;
  std::vector<NamedLeafDiff> leaves;
  int64_t same_count = 0;

  bool same() const {
    return only_in_a.empty() && only_in_b.empty() && structure.empty() && leaves.empty();
  }
};

// One side of a comparison.
struct DiffSide {
  const SourceItem& item;
  std::string file;  // for errors
};

// error: as SourceItem::Load, with the file in front. O(bytes).
absl::StatusOr<ItemDiff> DiffItems(const DiffSide& a, const DiffSide& b,
                                   const ItemDiffOptions& options);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_COMMANDS_ITEM_DIFF_H_
