#include "leafstore/treedef/bind/internal/known_structs.h"

namespace leafstore::internal {
namespace {

bool HasNames(const TreeDef& def, NodeId node, SortedNames names) {
  NodeId child = def.first_child(node);
  for (const absl::string_view name : names) {
    if (def.key(child).name != name) return false;
    child = def.end(child);
  }
  return true;
}

}  // namespace

bool KnownStructs::HasFields(const TreeDef& def, NodeId node, SortedNames names) {
  if (def.child_count(node) != names.size()) return false;
  if (names.empty()) return true;
  if (last_.type == names.data() && def.HasSameKeys(node, last_.node)) return true;
  const auto [known, is_new] = right_.try_emplace(names.data(), node);
  if (is_new || !def.HasSameKeys(node, known->second)) {
    if (!HasNames(def, node, names)) {
      if (is_new) right_.erase(known);
      return false;
    }
    known->second = node;
  }
  last_ = {names.data(), known->second};
  return true;
}

}  // namespace leafstore::internal
