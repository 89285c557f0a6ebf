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

#include <array>
#include <cstddef>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "leafstore/core/leaf.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/treedef/bind/fields.h"
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
    if (out == nullptr) {
      return reader.IsTensor() ? reader.Enter(NodeKind::kLeaf) : reader.Expected("a tensor");
    }
    *out = reader.TakeLeaf().tensor();
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
    if (out == nullptr) return reader.Enter(NodeKind::kLeaf);
    *out = reader.TakeLeaf();
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
    return status.ok() ? reader.Enter(NodeKind::kLeaf) : reader.At(status);
  }
};

// Walks without recursion (tree/tree_binder.cc).
template <>
struct Binder<Tree> {
  static absl::Status Flatten(Flattener& flattener, const Tree& tree);
  static absl::Status Flatten(Flattener& flattener, Tree& tree);
  static absl::Status Unflatten(Unflattener& reader, Tree* out);
};

constexpr absl::string_view AbslView(std::string_view text) {
  return absl::string_view(text.data(), text.size());
}

// Structs with LEAFSTORE_FIELDS (fields.h). A type that has LeafTraits too is a leaf.
template <typename T>
requires(HasFields<T> && !HasLeafTraits<T>) struct Binder<T> {
  using Table = FieldTable<T>;

  template <typename Self>
  static absl::Status Flatten(Flattener& flattener, Self& self) {
    LEAFSTORE_RETURN_IF_ERROR(flattener.OpenStruct(AbslView(TypeNameOf<T>()), kSorted));
    auto list = self.LeafstoreFields();
    if constexpr (kHasTensorsOnly) {
      const auto tensors = SortedTensors(list);
      if (flattener.AddTensors(absl::MakeConstSpan(tensors))) return flattener.CloseStruct();
    }
    absl::Status status;
    ForEachSorted([&]<size_t kIndex>() {
      flattener.SetKey(KeyRef::Attribute(AbslView(Table::kNames[kIndex])));
      auto& field = std::get<kIndex>(list.fields);
      for (const std::string_view tag : field.tags) flattener.Tag(AbslView(tag));
      status = FlattenNode(flattener, field.value);
      return status.ok();
    });
    LEAFSTORE_RETURN_IF_ERROR(status);
    return flattener.CloseStruct();
  }

  static absl::Status Unflatten(Unflattener& reader, T* out) {
    LEAFSTORE_RETURN_IF_ERROR(reader.EnterStruct(kSorted));
    absl::Status status;
    if (out != nullptr) {
      auto list = out->LeafstoreFields();
      ForEachSorted([&]<size_t kIndex>() {
        status = UnflattenNode(reader, &std::get<kIndex>(list.fields).value);
        return status.ok();
      });
    } else if (!kHasTensorsOnly || !reader.PassTensors(Table::kCount)) {
      ForEachSorted([&]<size_t kIndex>() {
        status = UnflattenNode<Member<kIndex>>(reader, nullptr);
        return status.ok();
      });
    }
    LEAFSTORE_RETURN_IF_ERROR(status);
    reader.LeaveStruct();
    return absl::OkStatus();
  }

 private:
  template <size_t kIndex>
  using Member = std::remove_reference_t<
      decltype(std::get<kIndex>(std::declval<typename Table::List&>().fields).value)>;

  // Most leaves of a model are in structs that have only leaves.
  static constexpr bool kHasTensorsOnly = []<size_t... kIndex>(std::index_sequence<kIndex...>) {
    return sizeof...(kIndex) > 0 && (std::is_same_v<Member<kIndex>, Tensor> && ...);
  }
  (std::make_index_sequence<Table::kCount>());

  // The fields' tensors, in order of the names.
  template <typename List>
  static auto SortedTensors(List& list) {
    return [&list]<size_t... kPlaces>(std::index_sequence<kPlaces...>) {
      return std::array{&std::get<Table::kOrder[kPlaces]>(list.fields).value...};
    }
    (std::make_index_sequence<Table::kCount>());
  }

  // Calls fn<index>() for the index of each field, in order of the names, while it returns true.
  template <typename Fn>
  static void ForEachSorted(Fn fn) {
    [&fn]<size_t... kPlaces>(std::index_sequence<kPlaces...>) {
      (void)(fn.template operator()<Table::kOrder[kPlaces]>() && ...);
    }
    (std::make_index_sequence<Table::kCount>());
  }

  static constexpr std::array<absl::string_view, Table::kCount> kSorted = [] {
    std::array<absl::string_view, Table::kCount> names;
    for (size_t i = 0; i < Table::kCount; ++i) {
      names[i] = AbslView(Table::kNames[Table::kOrder[i]]);
    }
    return names;
  }();
};

}  // namespace internal
}  // namespace leafstore

#endif  // LEAFSTORE_TREEDEF_BIND_INTERNAL_BINDER_H_
