#include "leafstore/store/flatten.h"

namespace leafstore::internal {

bool IsCompleteStoreOf(const TreeDef& def, const ParamStore& store) {
  return store.layout() == Layout(def) && store.complete();
}

}  // namespace leafstore::internal
