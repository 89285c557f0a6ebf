// PrintTreeDef: a structure as text for people.
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
// Everything but the names is ASCII, so that the text fits in a log. The result is small for any
// structure: nodes, depth, indentation and the length of each name have limits. Control characters
// in names are escaped.
#ifndef LEAFSTORE_TREEDEF_PRINT_H_
#define LEAFSTORE_TREEDEF_PRINT_H_

#include <cstdint>
#include <string>

#include "leafstore/treedef/treedef.h"

namespace leafstore {

struct PrintOptions {
  // Nodes below this level are counted ("... 41 more nodes"), not printed. The root is at level 0.
  uint32_t max_depth = 0xffffffff;
  // The maximum count of children of one node that are printed.
  uint32_t max_children = 100;
  // The maximum count of nodes that are printed in all.
  uint32_t max_nodes = 1000;
  // The maximum count of levels that are indented; deeper lines begin with their level.
  uint32_t max_indent = 40;
};

// Returns the structure as lines, each ended by a newline. Every node is printed or counted in a
// "... more" line. O(nodes printed).
std::string PrintTreeDef(const TreeDef& def, const PrintOptions& options = {});

}  // namespace leafstore

#endif  // LEAFSTORE_TREEDEF_PRINT_H_
