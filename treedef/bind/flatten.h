// Flattening without a ParamStore: between a model and (TreeDef, leaves in its order). Only for the
// library; users call Flatten and Unflatten (store/flatten.h), which document the order, the errors
// and the state of a model that was passed as an rvalue.
//
//   FlatTree flat = FlattenTree(std::move(model)).value();   // flat.def, flat.leaves
//   std::vector<Leaf> grads = FlattenTreeLike(flat.def, gradients).value();
//   absl::Status status = UnflattenTree(flat.def, flat.leaves, &model);
#ifndef LEAFSTORE_TREEDEF_BIND_FLATTEN_H_
#define LEAFSTORE_TREEDEF_BIND_FLATTEN_H_

#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "leafstore/core/leaf.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/treedef/bind/binding.h"
#include "leafstore/treedef/bind/internal/flattener.h"
#include "leafstore/treedef/tree/tree.h"
#include "leafstore/treedef/treedef.h"

namespace leafstore::internal {

// How the tensors of a model passed as T&& are treated.
template <typename T>
inline constexpr Flattener::Tensors kTensorsOf =
    std::is_lvalue_reference_v<T> || std::is_const_v<T> ? Flattener::Tensors::kCopy
                                                        : Flattener::Tensors::kTake;

template <typename T>
absl::StatusOr<FlatTree> FlattenWith(Flattener flattener, T&& model) {
  if constexpr (kTensorsOf<T> == Flattener::Tensors::kTake) {
    LEAFSTORE_RETURN_IF_ERROR(FlattenNode(flattener, model));
  } else {
    LEAFSTORE_RETURN_IF_ERROR(FlattenNode(flattener, std::as_const(model)));
  }
  return std::move(flattener).Finish();
}

template <typename T>
absl::Status UnflattenWith(Unflattener reader, T* out) {
  LEAFSTORE_RETURN_IF_ERROR(reader.CheckLeaves());
  LEAFSTORE_RETURN_IF_ERROR(UnflattenNode<T>(reader, nullptr));
  reader.BeginWriting();
  return UnflattenNode<T>(reader, out);
}

// Returns the structure of `model` and its leaves.
template <typename T>
absl::StatusOr<FlatTree> FlattenTree(T&& model) {
  return FlattenWith(Flattener(kTensorsOf<T>), std::forward<T>(model));
}

// Returns the leaves of a model that has the structure `def` already. Builds no strings. Tags
// and type names may differ. error InvalidArgument also: kinds or keys differ; the message has the
// path, what was expected there and what was found.
template <typename T>
absl::StatusOr<std::vector<Leaf>> FlattenTreeLike(const TreeDef& def, T&& model) {
  LEAFSTORE_ASSIGN_OR_RETURN(FlatTree flat,
                             FlattenWith(Flattener(def, kTensorsOf<T>), std::forward<T>(model)));
  return std::move(flat.leaves);
}

// Writes leaves, in the order of `def`, into a model; its containers are resized. Members that are
// not part of the model keep their values.
// error InvalidArgument: the model's type does not fit; the message has the path, what was expected
// there and what was found. error FailedPrecondition: a leaf is missing.
template <typename T>
absl::Status UnflattenTree(const TreeDef& def, absl::Span<const Leaf> leaves, T* out) {
  return UnflattenWith(Unflattener(def, leaves, nullptr), out);
}
// Like the function above, but moves the leaves into the model.
template <typename T>
absl::Status UnflattenTree(const TreeDef& def, std::vector<Leaf>&& leaves, T* out) {
  return UnflattenWith(Unflattener(def, leaves, &leaves), out);
}

}  // namespace leafstore::internal

#endif  // LEAFSTORE_TREEDEF_BIND_FLATTEN_H_
