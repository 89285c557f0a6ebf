// KnownStructs: remembers which structs of a TreeDef have the fields of which C++ type. Flattener
// and Unflattener check every struct of a model with it.
//
// Texts are compared for the first struct of a type. A later struct whose keys have the same string
// ids as one that matched is recognized by them.
#ifndef LEAFSTORE_TREEDEF_BIND_INTERNAL_KNOWN_STRUCTS_H_
#define LEAFSTORE_TREEDEF_BIND_INTERNAL_KNOWN_STRUCTS_H_

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "leafstore/treedef/treedef.h"

namespace leafstore::internal {

// The names of a type's fields, sorted: one static array per type, whose address identifies it.
using SortedNames = absl::Span<const absl::string_view>;

class KnownStructs {
 public:
  // Returns whether the children of the struct at `node` have exactly these names. All calls must
  // be for one TreeDef. O(fields).
  bool HasFields(const TreeDef& def, NodeId node, SortedNames names);

 private:
  struct Known {
    const void* type = nullptr;  // the address of its names
    NodeId node = kNoNode;
  };

  // The struct of each type that matched last.
  absl::flat_hash_map<const void*, NodeId> right_;
  Known last_;  // the one of them that matched last: structs of one type often follow each other
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_TREEDEF_BIND_INTERNAL_KNOWN_STRUCTS_H_
