// DiffTreeDefs: the differences of two structures, by path.
//
//   for (const TreeDefDifference& difference : DiffTreeDefs(saved, model)) {
//     std::cerr << ToString(difference, saved, model) << "\n";
//   }
//   // at .layers[2]: only in the first: struct Linear with 2 leaves
//   // at .head: type name Linear and Dense
//
// A node that is in only one of them is one difference, with everything below it. Below nodes of
// different kinds the comparison continues if their children have keys of one kind (as those of a
// list and a tuple), so that paths can be equal.
//
// Threads: pure functions; thread-safe.
#ifndef LEAFSTORE_TREEDEF_DIFF_H_
#define LEAFSTORE_TREEDEF_DIFF_H_

#include <cstdint>
#include <string>
#include <vector>

#include "leafstore/treedef/treedef.h"

namespace leafstore {

struct TreeDefDifference {
  enum class What : uint8_t {
    kOnlyInA,
    kOnlyInB,
    kKind,
    kTypeName,
    kTags,
    kAliasTarget,
    kKeyType,  // one dict has string keys, the other int64 keys
  };

  What what;
  // The nodes that differ, at the same path; kNoNode if one side does not have it.
  NodeId a = kNoNode;
  NodeId b = kNoNode;

  friend bool operator==(const TreeDefDifference&, const TreeDefDifference&) = default;
};

// Returns all differences, in the order of their paths. If a == b, none, in O(1); otherwise
// O(nodes).
std::vector<TreeDefDifference> DiffTreeDefs(const TreeDef& a, const TreeDef& b);

// Returns one difference as a line, without a line end. O(1).
std::string ToString(const TreeDefDifference& difference, const TreeDef& a, const TreeDef& b);

}  // namespace leafstore

#endif  // LEAFSTORE_TREEDEF_DIFF_H_
