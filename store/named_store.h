// NamedStore: a part of an optimizer's state.
//
//   for (const NamedStore& part : adamw.state()) ...   // part.name, part.store
#ifndef LEAFSTORE_STORE_NAMED_STORE_H_
#define LEAFSTORE_STORE_NAMED_STORE_H_

#include <string>

#include "leafstore/store/param_store.h"

namespace leafstore {

// "exp_avg", "exp_avg_sq" and "momentum_buffer" have tensors shaped like the parameters; "step" has
// an int for each. An OptimizerSet prefixes the name of the group: "bias/step".
struct NamedStore {
  std::string name;
  ParamStore store;
};

}  // namespace leafstore

#endif  // LEAFSTORE_STORE_NAMED_STORE_H_
