// Binder of Tree, which walks without recursion.
#ifndef LEAFSTORE_TREEDEF_BIND_INTERNAL_TREE_H_
#define LEAFSTORE_TREEDEF_BIND_INTERNAL_TREE_H_

#include "absl/status/status.h"

#include "leafstore/treedef/bind/internal/binder.h"
#include "leafstore/treedef/tree/tree.h"

namespace leafstore::internal {

template <>
struct Binder<Tree> {
  static absl::Status Flatten(Flattener& flattener, const Tree& tree);
  static absl::Status Flatten(Flattener& flattener, Tree& tree);
  static absl::Status Unflatten(Unflattener& reader, Tree* out);
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_TREEDEF_BIND_INTERNAL_TREE_H_
