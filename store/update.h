// Update: a group goes back into its parent, or leaves from elsewhere into a model.
//
//   Update(&params, std::move(biases));                      // what was done to a group
//   ParamStore file = LoadNpz("biases.npz").value();
//   Update(&params, file, {.by = AlignBy::kDotted});         // PyTorch's `head.bias` to .head.bias
//
// Every leaf of the group replaces one of the store. What the group does not have stays as it is;
// Align(group, store).Missing() says what that is.
#ifndef LEAFSTORE_STORE_UPDATE_H_
#define LEAFSTORE_STORE_UPDATE_H_

#include "absl/status/status.h"

#include "leafstore/store/align.h"
#include "leafstore/store/param_store.h"

namespace leafstore {

struct UpdateOptions {
  SetCheck check = SetCheck::kSameSpec;
  // How leaves of a group on another Layout find theirs.
  AlignBy by = AlignBy::kPath;
};

// Replaces leaves of `store` by those of `group`, which keep their generations. A group that is
// given away is empty afterwards.
// error InvalidArgument: leaves of the group are not in the store, two are one leaf there, a dotted
// form is that of two leaves, or dtypes, shapes or kinds differ; all are named (FitReport), by
// AlignBy::kDotted with what is unexpected in dotted form.
// error FailedPrecondition: a borrow is open in one of the two. A failed call changes nothing.
// O(group), by position where the Layouts are equal.
absl::Status Update(ParamStore* store, const ParamStore& group, const UpdateOptions& options = {});
absl::Status Update(ParamStore* store, ParamStore&& group, const UpdateOptions& options = {});

}  // namespace leafstore

#endif  // LEAFSTORE_STORE_UPDATE_H_
