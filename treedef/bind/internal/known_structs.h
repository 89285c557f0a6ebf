// KnownStructs: which structs of a TreeDef have the fields of which C++ type. For the two sides of
// flattening (flattener.h), which ask it of every struct of a model.
//
// Texts are compared for the first struct of a type; a later one whose keys are the same strings of
// the TreeDef as those of one that was found right is known by their numbers.
#ifndef LEAFSTORE_TREEDEF_BIND_INTERNAL_KNOWN_STRUCTS_H_
#define LEAFSTORE_TREEDEF_BIND_INTERNAL_KNOWN_STRUCTS_H_

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "leafstore/treedef/treedef.h"

namespace leafstore::internal {

// The names of a type's fields, sorted. One array a type, which lives on: its address is the type.
using SortedNames = absl::Span<const absl::string_view>;

class KnownStructs {
 public:
  // Whether the children of the struct at `node` are fields of exactly these names. Always of one
  // TreeDef. O(fields).
  bool HasFields(const TreeDef& def, NodeId node, SortedNames names);

 private:
  struct Known {
    const void* type = nullptr;  // the address of its names
    NodeId node = kNoNode;
  };

  // The struct of each type that was found right last.
  absl::flat_hash_map<const void*, NodeId> right_;
  Known last_;  // the one of them that was found right last: structs of one type come in a row
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_TREEDEF_BIND_INTERNAL_KNOWN_STRUCTS_H_
