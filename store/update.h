// Update: replaces leaves of a store by those of a group or of another source.
//
//   Update(&params, std::move(biases));                      // writes a changed group back
//   ParamStore file = LoadNpz("biases.npz").value();
//   Update(&params, file, AlignBy::kDotted);         // PyTorch's `head.bias` to .head.bias
//
// Every leaf of the group replaces one of the store. Other leaves of the store are unchanged;
// Align(group, store).Missing() returns their places.
#ifndef LEAFSTORE_STORE_UPDATE_H_
#define LEAFSTORE_STORE_UPDATE_H_

#include "absl/status/status.h"

#include "leafstore/store/align.h"
#include "leafstore/store/param_store.h"

namespace leafstore {

// Replaces leaves of `store` by those of `group`, which keep their generations. An rvalue group is
// empty afterwards. `by` is how leaves of a group on another Layout are matched.
// error InvalidArgument: leaves of the group are not in the store, two of them match the same leaf,
// two leaves have the same dotted form, or dtypes, shapes or kinds differ; all are named
// (FitReport). With AlignBy::kDotted, unexpected paths are in dotted form.
// error FailedPrecondition: a borrow is open in one of the two. A failed call changes nothing.
// O(group), by position, if the Layouts are equal.
absl::Status Update(ParamStore* store, const ParamStore& group, AlignBy by = AlignBy::kPath);
absl::Status Update(ParamStore* store, ParamStore&& group, AlignBy by = AlignBy::kPath);

}  // namespace leafstore

#endif  // LEAFSTORE_STORE_UPDATE_H_
