// LoadOptions: selects the leaves that a reader loads from an item, or from a file of another
// format. By default, all of them.
//
//   reader.Load("params", {.filter = Glob("**.norm.**")})     // those that a filter matches
//   reader.Load("params", {.subtree = ".layers[0]"})          // those below a node
//   reader.Load("params", {.places = std::vector<uint32_t>{0, 3}})               // those at these places
//
// Only the selected leaves are read and verified.
#ifndef LEAFSTORE_CHECKPOINT_LOAD_OPTIONS_H_
#define LEAFSTORE_CHECKPOINT_LOAD_OPTIONS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "leafstore/select/filter.h"

namespace leafstore {

// At most one of these may be set.
struct LoadOptions {
  // Loads the leaves in the first group of a partition by this filter, as a group on the Layout of
  // the complete item. error: as CompileGrouping. O(nodes).
  std::optional<Filter> filter = {};
  // Loads the leaves below the node at this canonical path, on the Layout of TreeDef::Subtree, in
  // which their paths begin at the node. error NotFound, InvalidArgument: no such path; or the
  // paths are not those of a tree. O(nodes of the subtree).
  std::optional<std::string> subtree = {};
  // Loads the leaves at these places, strictly ascending, as a group. error InvalidArgument: they
  // are not ascending, or one is not below the leaf count. O(places).
  std::optional<std::vector<uint32_t>> places = {};
};

}  // namespace leafstore

#endif  // LEAFSTORE_CHECKPOINT_LOAD_OPTIONS_H_
