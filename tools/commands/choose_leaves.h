// ChooseLeaves: the leaves that the paths of a command line select.
//
//   LEAFSTORE_ASSIGN_OR_RETURN(auto leaves, ChooseLeaves(input, {"layers.*.weight[0:3]"}, ""));
//   for (const ChosenLeaf& leaf : leaves) ... PrintableName(leaf), leaf.slice ...
//
// No tensor is read. Lifetime: a ChosenLeaf is valid as long as the source of the input.
#ifndef LEAFSTORE_TOOLS_COMMANDS_CHOOSE_LEAVES_H_
#define LEAFSTORE_TOOLS_COMMANDS_CHOOSE_LEAVES_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "leafstore/tools/commands/input.h"
#include "leafstore/tools/present/slice.h"
#include "leafstore/tools/source/source.h"

namespace leafstore::tools {

// A leaf that a PATH of the command line selects.
struct ChosenLeaf {
  const SourceItem* item = nullptr;
  uint32_t place = 0;
  std::shared_ptr<const Slice> slice;  // null: all elements

  Slot slot() const { return item->slots.SlotAt(place); }
};

// Returns the leaves that the paths select and --match matches, in the order of the paths, then of
// the items, then of the rows; all leaves if `paths` is empty. A path is tried as a canonical path,
// as a dotted name, as it is printed, and as a glob; a container selects the leaves below it. If
// nothing is found, a `[...]` at the end is a slice (slice.h). error: a UsageError, with suggestions: no such leaf; an
// invalid slice; any slice if `no_slice`, the end of its message, is not empty.
absl::StatusOr<std::vector<ChosenLeaf>> ChooseLeaves(const Input& input,
                                                     const std::vector<std::string>& paths,
                                                     absl::string_view no_slice);

// Checks that the paths of all these leaves may be kept or printed in full. error
// ResourceExhausted: their texts exceed the limit for many paths together
// (treedef/internal/path_cursor.h). O(nodes of their items).
absl::Status CheckPathText(const std::vector<ChosenLeaf>& leaves);

// Returns the dotted path, safe for a terminal.
std::string PrintableName(const ChosenLeaf& leaf);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_COMMANDS_CHOOSE_LEAVES_H_
