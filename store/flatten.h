// Flatten and Unflatten: convert between a model and (TreeDef, ParamStore).
//
//   Flattened flat = Flatten(std::move(model)).value();             // flat.def, flat.params
//   ParamStore grads = FlattenLike(flat.def, gradients).value();    // same Layout
//   LEAFSTORE_RETURN_IF_ERROR(Unflatten(flat.def, flat.params, &model));   // into a model
//   Mlp copy = Unflatten<Mlp>(flat.def, flat.params).value();              // a new model
//
// A model is any type listed in treedef/bind/binding.h: the user's structs, or a Tree.
//
// Leaves are in the order of the treedef: containers by sorted key or position. The tensors of a
// model passed as an rvalue are moved out, including those shared by shared_ptr; no reference count
// changes.
//
// Errors name the path, what was expected there and what was found. InvalidArgument: a null tensor,
// a cycle, a dict with both string and integer keys, a key or string that is not UTF-8.
// ResourceExhausted: structs nested deeper than 1,000 (a Tree may have any depth). LeafTraits may
// return other errors. A failed call changes nothing.
//
// Complexity: O(nodes). Flatten also hashes every key; FlattenLike compares keys.
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
inline bool IsCompleteStoreOf(const TreeDef& def, const ParamStore& store) {
  return store.layout() == Layout(def) && store.complete();
}
}  // namespace internal

// Returns the structure and the leaves of a model.
template <typename T>
absl::StatusOr<Flattened> Flatten(T&& model) {
  LEAFSTORE_ASSIGN_OR_RETURN(internal::FlatTree flat,
                             internal::FlattenTree(std::forward<T>(model)));
  LEAFSTORE_ASSIGN_OR_RETURN(ParamStore params,
                             ParamStore::Create(flat.def, std::move(flat.leaves)));
  return Flattened{std::move(flat.def), std::move(params)};
}

// Returns the leaves of a model that has the structure `def`; tags and type names may differ.
// error InvalidArgument: kinds or keys differ.
template <typename T>
absl::StatusOr<ParamStore> FlattenLike(const TreeDef& def, T&& model) {
  LEAFSTORE_ASSIGN_OR_RETURN(std::vector<Leaf> leaves,
                             internal::FlattenTreeLike(def, std::forward<T>(model)));
  return ParamStore::Create(def, std::move(leaves));
}

// Writes a store of `def` into a model, whose containers are resized; members that are not listed
// in LEAFSTORE_FIELDS keep their values. The leaves of a store on a different Layout are matched by
// path.
// error InvalidArgument: leaves are missing or unexpected (all are named), or the model's type does
// not fit. error FailedPrecondition: a borrow is open. After an error the model is unchanged.
template <typename T>
absl::Status Unflatten(const TreeDef& def, const ParamStore& store, T* out) {
  LEAFSTORE_RETURN_IF_ERROR(store.CheckNoBorrow("unflatten"));
  if (internal::IsCompleteStoreOf(def, store))
    return internal::UnflattenTree(def, store.leaves(), out);
  const ParamStore* const groups[] = {&store};
  LEAFSTORE_ASSIGN_OR_RETURN(const ParamStore aligned, MergeGroups(Layout(def), groups));
  return internal::UnflattenTree(def, aligned.leaves(), out);
}
// Like the function above, but moves the leaves into the model; the store is empty afterwards.
// After an error the store is unchanged.
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
  absl::Status status = internal::UnflattenTree(def, std::move(leaves), out);
  if (!status.ok()) store = ParamStore::Create(def, std::move(leaves)).value();
  return status;
}
// Returns a new model.
template <typename T>
absl::StatusOr<T> Unflatten(const TreeDef& def, const ParamStore& store) {
  T model{};
  LEAFSTORE_RETURN_IF_ERROR(Unflatten(def, store, &model));
  return model;
}

}  // namespace leafstore

#endif  // LEAFSTORE_STORE_FLATTEN_H_
