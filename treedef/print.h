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

// Returns the structure as lines, each ended by a newline: at most `max_nodes` nodes, and at most
// `max_children` children of one node. The others are counted ("... 41 more nodes"). Up to 40
// levels are indented; deeper lines begin with their level. O(nodes printed).
std::string PrintTreeDef(const TreeDef& def, uint32_t max_nodes = 1000,
                         uint32_t max_children = 100);

}  // namespace leafstore

#endif  // LEAFSTORE_TREEDEF_PRINT_H_
