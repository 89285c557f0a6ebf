// Flatten and Unflatten: between a model and (TreeDef, ParamStore).
//
//   Flattened flat = Flatten(std::move(model)).value();             // flat.def, flat.params
//   ParamStore grads = FlattenLike(flat.def, gradients).value();    // same Layout
//   LEAFSTORE_RETURN_IF_ERROR(Unflatten(flat.def, flat.params, &model));   // when it is wanted
//
// What a model may be: treedef/bind/binding.h. Order, giving away, errors: treedef/bind/flatten.h.
#ifndef LEAFSTORE_STORE_FLATTEN_H_
#define LEAFSTORE_STORE_FLATTEN_H_

#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/store/merge.h"
#include "leafstore/store/param_store.h"
#include "leafstore/treedef/bind/flatten.h"

namespace leafstore {

struct Flattened {
  TreeDef def;
  ParamStore params;
};

namespace internal {
bool IsCompleteStoreOf(const TreeDef& def, const ParamStore& store);
}  // namespace internal

// Structure and leaves of a model. From an rvalue the tensors are moved out.
template <typename T>
absl::StatusOr<Flattened> Flatten(T&& model) {
  LEAFSTORE_ASSIGN_OR_RETURN(FlatTree flat, FlattenTree(std::forward<T>(model)));
  LEAFSTORE_ASSIGN_OR_RETURN(ParamStore params,
                             ParamStore::Create(flat.def, std::move(flat.leaves)));
  return Flattened{std::move(flat.def), std::move(params)};
}

// The leaves of a model of the structure `def`. error InvalidArgument: it has another one.
template <typename T>
absl::StatusOr<ParamStore> FlattenLike(const TreeDef& def, T&& model) {
  LEAFSTORE_ASSIGN_OR_RETURN(std::vector<Leaf> leaves,
                             FlattenTreeLike(def, std::forward<T>(model)));
  return ParamStore::Create(def, std::move(leaves));
}

// Writes a store of `def` into a model. A store of another Layout meets the treedef by path.
// error InvalidArgument: leaves are missing or unexpected (all are named), or the model's type does
// not fit. error FailedPrecondition: a borrow is open. The model is then as before.
template <typename T>
absl::Status Unflatten(const TreeDef& def, const ParamStore& store, T* out) {
  LEAFSTORE_RETURN_IF_ERROR(store.CheckNoBorrow("unflatten"));
  if (internal::IsCompleteStoreOf(def, store)) return UnflattenTree(def, store.leaves(), out);
  const ParamStore* const groups[] = {&store};
  LEAFSTORE_ASSIGN_OR_RETURN(const ParamStore aligned, MergeGroups(Layout(def), groups));
  return UnflattenTree(def, aligned.leaves(), out);
}
// The same; the leaves are moved into the model, and the store is empty afterwards. After an error
// the store is as before.
template <typename T>
absl::Status Unflatten(const TreeDef& def, ParamStore&& store, T* out) {
  const ParamStore& readable = store;
  if (!internal::IsCompleteStoreOf(def, store)) {
    LEAFSTORE_RETURN_IF_ERROR(Unflatten(def, readable, out));
    store = ParamStore();
    return absl::OkStatus();
  }
  LEAFSTORE_RETURN_IF_ERROR(store.CheckNoBorrow("unflatten"));
  std::vector<Leaf> leaves = std::move(store).TakeLeaves();
  absl::Status status = UnflattenTree(def, std::move(leaves), out);
  if (!status.ok()) store = ParamStore::Create(def, std::move(leaves)).value();
  return status;
}
// A new model.
template <typename T>
absl::StatusOr<T> Unflatten(const TreeDef& def, const ParamStore& store) {
  T model{};
  LEAFSTORE_RETURN_IF_ERROR(Unflatten(def, store, &model));
  return model;
}

}  // namespace leafstore

#endif  // LEAFSTORE_STORE_FLATTEN_H_
