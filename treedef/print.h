// A structure for people to read.
//
//   std::cout << PrintTreeDef(def);
//
//   struct Mlp, 5 leaves
//     .activation: leaf
//     .head: struct Linear
//       .bias: leaf
//       .weight: leaf, tags decay, large
//     .layers: list of 12
//       [0]: struct Linear
//         .bias: leaf
//         .weight: leaf
//       [1]: alias of .layers[0]
//       ... 41 more nodes
//
// Plain ASCII around the names, so that it can stand in a log. Whatever the structure, the result
// is small: nodes, depth, indentation, and the length of each name have limits. Control characters
// in names are escaped.
#ifndef LEAFSTORE_TREEDEF_PRINT_H_
#define LEAFSTORE_TREEDEF_PRINT_H_

#include <cstdint>
#include <string>

#include "leafstore/treedef/treedef.h"

namespace leafstore {

struct PrintOptions {
  // Nodes below this many levels are counted ("... 41 more nodes"), not printed. The root is at 0.
  uint32_t max_depth = 0xffffffff;
  // So many children of one node are printed.
  uint32_t max_children = 100;
  // So many nodes in all.
  uint32_t max_nodes = 1000;
  // The indentation grows for so many levels; deeper lines begin with their level.
  uint32_t max_indent = 40;
};

// The structure as lines, each with its end. Every node is printed or counted in a "... more" line.
// O(nodes printed).
std::string PrintTreeDef(const TreeDef& def, const PrintOptions& options = {});

}  // namespace leafstore

#endif  // LEAFSTORE_TREEDEF_PRINT_H_
