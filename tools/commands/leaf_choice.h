// The leaves that a path on a command line means.
//
//   std::vector<ChosenLeaf> leaves = FindLeaves(items, "layers.*.weight[0:3]").value();
//
// A text is tried as a canonical path, as a dotted name, and as a glob, in this order; what it
// finds may be a container, and stands for the leaves below it. If nothing is found and it ends in
// `[...]`, that is a slice (slice.h) of what the rest finds.
#ifndef LEAFSTORE_TOOLS_COMMANDS_LEAF_CHOICE_H_
#define LEAFSTORE_TOOLS_COMMANDS_LEAF_CHOICE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "leafstore/select/glob.h"
#include "leafstore/tools/present/slice.h"
#include "leafstore/tools/source/source.h"

namespace leafstore::tools {

struct ChosenLeaf {
  const SourceItem* item = nullptr;
  uint32_t place = 0;
  std::optional<Slice> slice;
};

// Of all the items, in their order, and in each in the order of its leaves. A leaf is there once.
// error: a UsageError, with near names: there is no such leaf; a slice that cannot be read.
absl::StatusOr<std::vector<ChosenLeaf>> FindLeaves(absl::Span<const SourceItem* const> items,
                                                   const std::string& text);

// Leaves out what no glob of `match` takes; nothing where there are none. error: a UsageError:
// nothing is left.
absl::Status KeepMatched(const std::vector<GlobPattern>& match, std::vector<ChosenLeaf>* leaves);

// The dotted path, harmless to a terminal.
std::string PrintableName(const ChosenLeaf& leaf);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_COMMANDS_LEAF_CHOICE_H_
