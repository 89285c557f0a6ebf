// Binder: flattens and unflattens one type. binding.h lists the types that a model may have.
//
//   template <>
//   struct Binder<T> {
//     // Describes `value` to the flattener. Self is T or const T.
//     template <typename Self>
//     static absl::Status Flatten(Flattener& flattener, Self& value);
//     // Checks the next nodes (out is null), or writes them, which cannot fail after a check.
//     static absl::Status Unflatten(Unflattener& reader, T* out);
//   };
#ifndef LEAFSTORE_TREEDEF_BIND_INTERNAL_BINDER_H_
#define LEAFSTORE_TREEDEF_BIND_INTERNAL_BINDER_H_

#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "leafstore/core/leaf.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/treedef/bind/internal/flattener.h"

namespace leafstore {

class Tree;

// How a type becomes a leaf (binding.h).
template <typename T>
struct LeafTraits;

namespace internal {

template <typename T>
concept HasLeafTraits = requires(const T& value, const Leaf& leaf, T* out) {
  LeafTraits<T>::ToLeaf(value);
  LeafTraits<T>::FromLeaf(leaf, out);
};

template <typename T>
struct Binder;

template <typename T>
concept Bindable = requires(Flattener& flattener, T& value) {
  Binder<T>::Flatten(flattener, value);
};

template <typename T>
absl::Status FlattenNode(Flattener& flattener, T& value) {
  static_assert(Bindable<std::remove_const_t<T>>,
                "this type cannot be part of a model: give it LEAFSTORE_FIELDS or LeafTraits "
                "(treedef/bind/binding.h lists the built-in types)");
  return Binder<std::remove_const_t<T>>::Flatten(flattener, value);
}

template <typename T>
absl::Status UnflattenNode(Unflattener& reader, T* out) {
  static_assert(!std::is_const_v<T>, "a const member can be flattened, but not written");
  static_assert(Bindable<T>,
                "this type cannot be part of a model: give it LEAFSTORE_FIELDS or LeafTraits "
                "(treedef/bind/binding.h lists the built-in types)");
  return Binder<T>::Unflatten(reader, out);
}

// One address per type.
template <typename T>
inline constexpr char kTypeIdentity = 0;

template <>
struct Binder<Tensor> {
  template <typename Self>
  static absl::Status Flatten(Flattener& flattener, Self& tensor) {
    return flattener.AddTensor(tensor);
  }
  static absl::Status Unflatten(Unflattener& reader, Tensor* out) {
    if (out != nullptr) {
      *out = reader.TakeLeaf().tensor();
      return absl::OkStatus();
    }
    if (!reader.IsTensor()) return reader.Expected("a tensor");
    reader.GoTo(reader.node() + 1);
    return absl::OkStatus();
  }
};

template <>
struct Binder<Leaf> {
  static absl::Status Flatten(Flattener& flattener, const Leaf& leaf) {
    return leaf.is_tensor() ? flattener.AddTensor(leaf.tensor()) : flattener.AddLeaf(leaf);
  }
  static absl::Status Flatten(Flattener& flattener, Leaf& leaf) {
    return leaf.is_tensor() ? flattener.AddTensor(leaf.mutable_tensor()) : flattener.AddLeaf(leaf);
  }
  static absl::Status Unflatten(Unflattener& reader, Leaf* out) {
    if (out != nullptr) {
      *out = reader.TakeLeaf();
      return absl::OkStatus();
    }
    LEAFSTORE_RETURN_IF_ERROR(reader.PeekLeaf().status());
    reader.GoTo(reader.node() + 1);
    return absl::OkStatus();
  }
};

// Returns whether FromLeaf would succeed.
template <typename T>
absl::Status CheckFromLeaf(const Leaf& leaf) {
  if constexpr (requires { LeafTraits<T>::Check(leaf); }) {
    return LeafTraits<T>::Check(leaf);
  } else {
    T scratch{};
    return LeafTraits<T>::FromLeaf(leaf, &scratch);
  }
}

template <HasLeafTraits T>
struct Binder<T> {
  static absl::Status Flatten(Flattener& flattener, const T& value) {
    absl::StatusOr<Leaf> leaf = LeafTraits<T>::ToLeaf(value);
    if (!leaf.ok()) return flattener.At(leaf.status());
    return flattener.AddLeaf(*std::move(leaf));
  }
  static absl::Status Unflatten(Unflattener& reader, T* out) {
    LEAFSTORE_ASSIGN_OR_RETURN(const Leaf* leaf, reader.PeekLeaf());
    const absl::Status status =
        out == nullptr ? CheckFromLeaf<T>(*leaf) : LeafTraits<T>::FromLeaf(*leaf, out);
    if (!status.ok()) return reader.At(status);
    reader.GoTo(reader.node() + 1);
    return absl::OkStatus();
  }
};

// Walks without recursion (tree/flatten_tree.cc, tree/unflatten_tree.cc).
template <>
struct Binder<Tree> {
  static absl::Status Flatten(Flattener& flattener, const Tree& tree);
  static absl::Status Flatten(Flattener& flattener, Tree& tree);
  static absl::Status Unflatten(Unflattener& reader, Tree* out);
};

}  // namespace internal
}  // namespace leafstore

#endif  // LEAFSTORE_TREEDEF_BIND_INTERNAL_BINDER_H_
