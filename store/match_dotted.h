// MatchDotted: leaves that came from elsewhere under names with dots, on the Layout of a model.
//
//   // PyTorch's `head.bias` is the path ['head']['bias'] of a file, and .head.bias of a struct.
//   ParamStore file = SafetensorsReader::Open("model.safetensors").value().Load().value();
//   params.Update(MatchDotted(file, params.layout()).value()).value();
//   Unflatten(def, params, &model).value();
//
// Update says which dtypes and shapes differ. What is not in the file stays as it is: to see what
// that was, ask CheckMerge(params.layout(), {&matched}).missing.
#ifndef LEAFSTORE_STORE_MATCH_DOTTED_H_
#define LEAFSTORE_STORE_MATCH_DOTTED_H_

#include "absl/status/statusor.h"

#include "leafstore/store/layout.h"
#include "leafstore/store/param_store.h"

namespace leafstore {

// The same leaves, each in the slot of `layout` whose path has the same dotted form (path.h), or an
// alias with it.
// error NotFound: there is none for some, lists all with near names. error InvalidArgument: two
// paths of `layout` have one dotted form, or two leaves belong into one slot; names both.
// error FailedPrecondition: a borrow of `store` is open. O(leaves * length); where `layout` is of
// paths alone, O(leaves * paths).
absl::StatusOr<ParamStore> MatchDotted(const ParamStore& store, const Layout& layout);

}  // namespace leafstore

#endif  // LEAFSTORE_STORE_MATCH_DOTTED_H_
