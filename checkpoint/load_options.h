// LoadOptions: which leaves of an item, or of a file of another format, a reader loads. By default
// all of them.
//
//   reader.Load("params", {.filter = Glob("**.norm.**")})     // those that a filter matches
//   reader.Load("params", {.subtree = ".layers[0]"})          // those below a node
//   reader.Load("params", {.places = std::vector<uint32_t>{0, 3}})               // those at these places
//
// Only what is chosen is read and verified.
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
  // The leaves that a partition by this one filter puts into its first group, as a group on the
  // Layout of the whole. error: as CompileGrouping. O(nodes).
  std::optional<Filter> filter = {};
  // The leaves below the node at this canonical path, on a Layout of their own: that of
  // TreeDef::Subtree, in which their paths begin at the node. error NotFound, InvalidArgument: no
  // such path; or the paths are not those of a tree. O(nodes of the subtree).
  std::optional<std::string> subtree = {};
  // The leaves at these places, strictly ascending, as a group. error InvalidArgument: they are not
  // ascending, or one is not below the number of leaves. O(places).
  std::optional<std::vector<uint32_t>> places = {};
};

}  // namespace leafstore

#endif  // LEAFSTORE_CHECKPOINT_LOAD_OPTIONS_H_
