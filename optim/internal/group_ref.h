// GroupRef: a group as either a store or a pack.
#ifndef LEAFSTORE_OPTIM_INTERNAL_GROUP_REF_H_
#define LEAFSTORE_OPTIM_INTERNAL_GROUP_REF_H_

#include <variant>

#include "leafstore/pack/pack.h"
#include "leafstore/select/groups.h"
#include "leafstore/store/param_store.h"

namespace leafstore::internal {

// The group to step, and a group that is only read, such as gradients. Never null.
using GroupRef = std::variant<ParamStore*, Packed*>;
using ConstGroupRef = std::variant<const ParamStore*, const Packed*>;

inline GroupRef RefTo(Group* group) {
  if (group->packed()) return &group->pack();
  return &group->store();
}
inline ConstGroupRef RefTo(const Group& group) {
  if (group.packed()) return &group.pack();
  return &group.store();
}

}  // namespace leafstore::internal

#endif  // LEAFSTORE_OPTIM_INTERNAL_GROUP_REF_H_
