// NamedStore: a part of an optimizer's state, by value.
//
//   for (const NamedStore& part : adamw.state()) ...   // part.name, part.store
#ifndef LEAFSTORE_STORE_NAMED_STORE_H_
#define LEAFSTORE_STORE_NAMED_STORE_H_

#include <string>

#include "leafstore/store/param_store.h"

namespace leafstore {

// "exp_avg", "exp_avg_sq", "momentum_buffer": tensors like the parameters. "step": an int for each.
// Of an OptimizerSet with the name of the group before it: "bias/step".
struct NamedStore {
  std::string name;
  ParamStore store;
};

}  // namespace leafstore

#endif  // LEAFSTORE_STORE_NAMED_STORE_H_
