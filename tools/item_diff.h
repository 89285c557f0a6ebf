// ItemDiff: what differs in two items of any sources, read a few tensors at a time.
//
//   ItemDiff diff = DiffItems(a, b, {.diff = {.rtol = 1e-5}}).value();
//
// Leaves meet by canonical path, and those that do not by dotted form, where each side has it once:
// so a model meets what was made of it in a format without kinds of keys.
#ifndef LEAFSTORE_TOOLS_ITEM_DIFF_H_
#define LEAFSTORE_TOOLS_ITEM_DIFF_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "leafstore/store/diff.h"
#include "leafstore/store/glob.h"
#include "leafstore/tools/source.h"

namespace leafstore::tools {

struct ItemDiffOptions {
  // Only leaves that one of these matches, at or above them; empty: all. And none that one of
  // `ignore` does.
  std::vector<GlobPattern> match;
  std::vector<GlobPattern> ignore;
  DiffOptions diff;
  // Compare the structures too, where both have one.
  bool structure = true;
};

struct NamedLeafDiff {
  std::string dotted;
  LeafDiff diff;  // its path is a's
};

struct ItemDiff {
  std::string name;                    // a's
  std::vector<std::string> only_in_a;  // dotted
  std::vector<std::string> only_in_b;
  std::vector<std::string> structure;  // in words, without what the above say
  std::vector<NamedLeafDiff> leaves;
  int64_t same_count = 0;

  bool same() const {
    return only_in_a.empty() && only_in_b.empty() && structure.empty() && leaves.empty();
  }
};

// error: as SourceItem::Load, with the file in front. O(bytes).
absl::StatusOr<ItemDiff> DiffItems(const SourceItem& a, const SourceItem& b,
                                   const ItemDiffOptions& options);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_ITEM_DIFF_H_
