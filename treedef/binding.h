// Binding: which C++ types can be part of a model, and what they become in a TreeDef.
//
//   a struct with LEAFSTORE_FIELDS            struct
//   std::vector, std::array                   list
//   std::pair, std::tuple                     tuple
//   std::map, std::unordered_map,             dict; keys are std::string or a signed integer
//     absl::btree_map, absl::flat_hash_map
//   std::optional, std::unique_ptr            their content, or none
//   std::shared_ptr                           its content, or none; met again: an alias
//   Tree                                      whatever it holds
//   Tensor, Leaf                              leaf
//   Value, bool, integers, floating point,    static leaf
//     std::string, Bytes
//   Eigen matrices, arrays and tensors        leaf (binding_eigen.h)
//   a type with LeafTraits                    leaf
//
// A type of one's own becomes a leaf by a specialisation:
//
//   template <>
//   struct leafstore::LeafTraits<Quaternion> {
//     static absl::StatusOr<Leaf> ToLeaf(const Quaternion& q) {
//       return Tensor::FromValues<float>({4}, {q.w, q.x, q.y, q.z});
//     }
//     static absl::Status FromLeaf(const Leaf& leaf, Quaternion* out);   // out is default-made
//   };
//
// FromLeaf must give an error, and change nothing, for a leaf that is not of the right kind, dtype
// or shape. It is called twice for one leaf, the first time on an object that is thrown away.
//
// Numbers. Integers become Value ints and must fit; floating point becomes Value floats; reading a
// float back is an error where it is another number (a double into a float that would round).
//
// Sharing. Two shared_ptrs tie when they point to one object of one type. A cycle is an error. When
// unflattened, an object is made anew, and shared again by all that shared it.
#ifndef LEAFSTORE_TREEDEF_BINDING_H_
#define LEAFSTORE_TREEDEF_BINDING_H_

#include <algorithm>
#include <array>
#include <concepts>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "leafstore/core/leaf.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/treedef/fields.h"
#include "leafstore/treedef/flattener.h"

namespace leafstore {

template <typename T>
struct LeafTraits;

namespace internal {

template <typename T>
concept HasLeafTraits = requires(const T& value, const Leaf& leaf, T* out) {
  LeafTraits<T>::ToLeaf(value);
  LeafTraits<T>::FromLeaf(leaf, out);
};

// How a type takes part: Flatten tells `value`, which may be const, to a Flattener or TensorTaker;
// Unflatten checks what comes (out is null) or writes it to `out`, which cannot fail after a check.
template <typename T>
struct Binder;

template <typename T>
concept Bindable = requires(Flattener& v, T& value) {
  Binder<T>::Flatten(v, value);
};

template <typename Visitor, typename T>
absl::Status FlattenNode(Visitor& visitor, T& value) {
  static_assert(Bindable<std::remove_const_t<T>>,
                "this type cannot be part of a model: give it LEAFSTORE_FIELDS or LeafTraits "
                "(treedef/binding.h lists what is built in)");
  return Binder<std::remove_const_t<T>>::Flatten(visitor, value);
}

template <typename T>
absl::Status UnflattenNode(Unflattener& reader, T* out) {
  return Binder<T>::Unflatten(reader, out);
}

// One address a type.
template <typename T>
inline constexpr char kTypeIdentity = 0;

template <>
struct Binder<Tensor> {
  template <typename Visitor, typename Self>
  static absl::Status Flatten(Visitor& visitor, Self& tensor) {
    return visitor.AddTensor(tensor);
  }
  static absl::Status Unflatten(Unflattener& reader, Tensor* out) {
    LEAFSTORE_ASSIGN_OR_RETURN(const Leaf* leaf, reader.PeekLeaf());
    if (!leaf->is_tensor()) return reader.Expected("a tensor");
    if (out == nullptr) {
      reader.SkipLeaf();
    } else {
      *out = reader.TakeLeaf().tensor();
    }
    return absl::OkStatus();
  }
};

template <>
struct Binder<Leaf> {
  static absl::Status Flatten(Flattener& visitor, const Leaf& leaf) {
    return leaf.is_tensor() ? visitor.AddTensor(leaf.tensor()) : visitor.AddLeaf(leaf);
  }
  static absl::Status Flatten(TensorTaker& taker, Leaf& leaf) {
    return leaf.is_tensor() ? taker.AddTensor(leaf.mutable_tensor()) : taker.PassLeaf();
  }
  static absl::Status Unflatten(Unflattener& reader, Leaf* out) {
    LEAFSTORE_RETURN_IF_ERROR(reader.PeekLeaf().status());
    if (out == nullptr) {
      reader.SkipLeaf();
    } else {
      *out = reader.TakeLeaf();
    }
    return absl::OkStatus();
  }
};

template <HasLeafTraits T>
struct Binder<T> {
  static absl::Status Flatten(Flattener& visitor, const T& value) {
    LEAFSTORE_ASSIGN_OR_RETURN(Leaf leaf, LeafTraits<T>::ToLeaf(value));
    return visitor.AddLeaf(std::move(leaf));
  }
  static absl::Status Flatten(TensorTaker& taker, const T&) { return taker.PassLeaf(); }
  static absl::Status Unflatten(Unflattener& reader, T* out) {
    LEAFSTORE_ASSIGN_OR_RETURN(const Leaf* leaf, reader.PeekLeaf());
    if (out == nullptr) {
      T scratch{};
      if (absl::Status status = LeafTraits<T>::FromLeaf(*leaf, &scratch); !status.ok()) {
        return reader.Expected(status.message());
      }
    } else {
      LEAFSTORE_RETURN_IF_ERROR(LeafTraits<T>::FromLeaf(*leaf, out));
    }
    reader.SkipLeaf();
    return absl::OkStatus();
  }
};

// error InvalidArgument: the struct at `node` has other attributes; names those that are missing or
// not known.
absl::Status CheckFieldNames(const TreeDef& def, NodeId node,
                             absl::Span<const absl::string_view> sorted_names);

template <HasFields T>
struct Binder<T> {
  using Table = FieldTable<T>;

  template <typename Visitor, typename Self>
  static absl::Status Flatten(Visitor& visitor, Self& self) {
    LEAFSTORE_RETURN_IF_ERROR(visitor.EnterStruct());
    constexpr std::string_view kType = TypeNameOf<T>();
    LEAFSTORE_RETURN_IF_ERROR(
        visitor.Open(NodeKind::kStruct, absl::string_view(kType.data(), kType.size())));
    auto fields = self.LeafstoreFields();
    absl::Status status;
    ForEachSorted([&]<size_t kIndex>() {
      constexpr std::string_view kName = Table::kNames[kIndex];
      visitor.SetKey(KeyRef::Attribute(absl::string_view(kName.data(), kName.size())));
      auto& field = std::get<kIndex>(fields);
      for (std::string_view tag : field.tags) {
        visitor.Tag(absl::string_view(tag.data(), tag.size()));
      }
      status = FlattenNode(visitor, field.value);
      return status.ok();
    });
    LEAFSTORE_RETURN_IF_ERROR(status);
    visitor.LeaveStruct();
    return visitor.Close();
  }

  static absl::Status Unflatten(Unflattener& reader, T* out) {
    LEAFSTORE_RETURN_IF_ERROR(reader.EnterStruct());
    const NodeId self = reader.node();
    LEAFSTORE_RETURN_IF_ERROR(reader.Enter(NodeKind::kStruct));
    if (!reader.writing()) LEAFSTORE_RETURN_IF_ERROR(CheckNames(reader.def(), self));
    absl::Status status;
    using Fields = decltype(std::declval<T&>().LeafstoreFields());
    std::optional<Fields> fields;
    if (out != nullptr) fields.emplace(out->LeafstoreFields());
    ForEachSorted([&]<size_t kIndex>() {
      using FieldType =
          std::remove_reference_t<decltype(std::get<kIndex>(std::declval<Fields&>()).value)>;
      FieldType* field = fields ? &std::get<kIndex>(*fields).value : nullptr;
      status = UnflattenNode(reader, field);
      return status.ok();
    });
    LEAFSTORE_RETURN_IF_ERROR(status);
    reader.LeaveStruct();
    return absl::OkStatus();
  }

 private:
  template <typename Fn>
  static void ForEachSorted(Fn fn) {
    [&fn]<size_t... kPlaces>(std::index_sequence<kPlaces...>) {
      (void)(fn.template operator()<Table::kOrder[kPlaces]>() && ...);
    }
    (std::make_index_sequence<Table::kCount>());
  }

  static absl::Status CheckNames(const TreeDef& def, NodeId node) {
    std::array<absl::string_view, Table::kCount> names;
    for (size_t i = 0; i < Table::kCount; ++i) {
      const std::string_view name = Table::kNames[Table::kOrder[i]];
      names[i] = absl::string_view(name.data(), name.size());
    }
    return CheckFieldNames(def, node, names);
  }
};

template <typename T>
struct Binder<std::vector<T>> {
  static_assert(!std::is_same_v<T, bool>, "std::vector<bool> has no elements to bind");

  template <typename Visitor, typename Self>
  static absl::Status Flatten(Visitor& visitor, Self& items) {
    LEAFSTORE_RETURN_IF_ERROR(visitor.Open(NodeKind::kList));
    for (auto& item : items) LEAFSTORE_RETURN_IF_ERROR(FlattenNode(visitor, item));
    return visitor.Close();
  }
  static absl::Status Unflatten(Unflattener& reader, std::vector<T>* out) {
    const uint32_t count = reader.def().child_count(reader.node());
    LEAFSTORE_RETURN_IF_ERROR(reader.Enter(NodeKind::kList));
    if (out != nullptr) out->resize(count);
    for (uint32_t i = 0; i < count; ++i) {
      LEAFSTORE_RETURN_IF_ERROR(UnflattenNode(reader, out ? &(*out)[i] : nullptr));
    }
    return absl::OkStatus();
  }
};

template <typename T, size_t kCount>
struct Binder<std::array<T, kCount>> {
  template <typename Visitor, typename Self>
  static absl::Status Flatten(Visitor& visitor, Self& items) {
    LEAFSTORE_RETURN_IF_ERROR(visitor.Open(NodeKind::kList));
    for (auto& item : items) LEAFSTORE_RETURN_IF_ERROR(FlattenNode(visitor, item));
    return visitor.Close();
  }
  static absl::Status Unflatten(Unflattener& reader, std::array<T, kCount>* out) {
    if (reader.kind() != NodeKind::kList || reader.def().child_count(reader.node()) != kCount) {
      return reader.Expected("list of " + std::to_string(kCount));
    }
    LEAFSTORE_RETURN_IF_ERROR(reader.Enter(NodeKind::kList));
    for (size_t i = 0; i < kCount; ++i) {
      LEAFSTORE_RETURN_IF_ERROR(UnflattenNode(reader, out ? &(*out)[i] : nullptr));
    }
    return absl::OkStatus();
  }
};

// std::pair and std::tuple.
template <typename T, typename... Items>
struct TupleBinder {
  template <typename Visitor, typename Self>
  static absl::Status Flatten(Visitor& visitor, Self& items) {
    LEAFSTORE_RETURN_IF_ERROR(visitor.Open(NodeKind::kTuple));
    absl::Status status;
    std::apply([&](auto&... item) { (void)((status = FlattenNode(visitor, item)).ok() && ...); },
               items);
    LEAFSTORE_RETURN_IF_ERROR(status);
    return visitor.Close();
  }
  static absl::Status Unflatten(Unflattener& reader, T* out) {
    if (reader.kind() != NodeKind::kTuple ||
        reader.def().child_count(reader.node()) != sizeof...(Items)) {
      return reader.Expected("tuple of " + std::to_string(sizeof...(Items)));
    }
    LEAFSTORE_RETURN_IF_ERROR(reader.Enter(NodeKind::kTuple));
    absl::Status status;
    [&]<size_t... kIndex>(std::index_sequence<kIndex...>) {
      (void)((status = UnflattenNode<std::tuple_element_t<kIndex, T>>(
                  reader, out ? &std::get<kIndex>(*out) : nullptr))
                 .ok() &&
             ...);
    }
    (std::index_sequence_for<Items...>());
    return status;
  }
};
template <typename A, typename B>
struct Binder<std::pair<A, B>> : TupleBinder<std::pair<A, B>, A, B> {};
template <typename... Items>
struct Binder<std::tuple<Items...>> : TupleBinder<std::tuple<Items...>, Items...> {};

template <typename K>
KeyRef DictKeyRef(const K& key) {
  static_assert(std::is_same_v<K, std::string> || std::signed_integral<K>,
                "dict keys are std::string or a signed integer");
  if constexpr (std::is_same_v<K, std::string>) {
    return KeyRef::Item(key);
  } else {
    return KeyRef::Index(key);
  }
}

// Maps of any kind; those that are not sorted are visited in order of their keys all the same.
template <typename Map, bool kSorted>
struct MapBinder {
  using K = typename Map::key_type;
  using V = typename Map::mapped_type;

  template <typename Visitor, typename Self>
  static absl::Status Flatten(Visitor& visitor, Self& map) {
    LEAFSTORE_RETURN_IF_ERROR(visitor.Open(NodeKind::kDict));
    const auto add = [&visitor](auto& entry) {
      visitor.SetKey(DictKeyRef(entry.first));
      return FlattenNode(visitor, entry.second);
    };
    if constexpr (kSorted) {
      for (auto& entry : map) LEAFSTORE_RETURN_IF_ERROR(add(entry));
    } else {
      std::vector<decltype(&*map.begin())> entries;
      for (auto& entry : map) entries.push_back(&entry);
      std::sort(entries.begin(), entries.end(),
                [](auto* a, auto* b) { return a->first < b->first; });
      for (auto* entry : entries) LEAFSTORE_RETURN_IF_ERROR(add(*entry));
    }
    return visitor.Close();
  }

  // Entries that the dict does not have go away, the others are written in place.
  static absl::Status Unflatten(Unflattener& reader, Map* out) {
    const NodeId self = reader.node();
    LEAFSTORE_RETURN_IF_ERROR(reader.Enter(NodeKind::kDict));
    const uint32_t count = reader.def().child_count(self);
    Map fresh;
    for (uint32_t i = 0; i < count; ++i) {
      const KeyRef key = reader.def().key(reader.node());
      if (!CanHold(key)) return reader.Expected("a key of the map's type");
      V* value = nullptr;
      if (out != nullptr) value = &Emplace(&fresh, out, ToKey(key));
      LEAFSTORE_RETURN_IF_ERROR(UnflattenNode(reader, value));
    }
    if (out != nullptr) *out = std::move(fresh);
    return absl::OkStatus();
  }

 private:
  static bool CanHold(const KeyRef& key) {
    if constexpr (std::is_same_v<K, std::string>) {
      return key.kind == KeyKind::kItem;
    } else {
      return key.kind == KeyKind::kIndex && key.index >= std::numeric_limits<K>::min() &&
             key.index <= std::numeric_limits<K>::max();
    }
  }
  static K ToKey(const KeyRef& key) {
    if constexpr (std::is_same_v<K, std::string>) {
      return std::string(key.name);
    } else {
      return static_cast<K>(key.index);
    }
  }
  static V& Emplace(Map* fresh, Map* old, K key) {
    const auto it = old->find(key);
    V& value = (*fresh)[std::move(key)];
    if (it != old->end()) value = std::move(it->second);
    return value;
  }
};
template <typename K, typename V>
struct Binder<std::map<K, V>> : MapBinder<std::map<K, V>, true> {};
template <typename K, typename V>
struct Binder<absl::btree_map<K, V>> : MapBinder<absl::btree_map<K, V>, true> {};
template <typename K, typename V>
struct Binder<std::unordered_map<K, V>> : MapBinder<std::unordered_map<K, V>, false> {};
template <typename K, typename V>
struct Binder<absl::flat_hash_map<K, V>> : MapBinder<absl::flat_hash_map<K, V>, false> {};

// std::optional and std::unique_ptr: content or none.
template <typename Holder, typename T>
struct HolderBinder {
  template <typename Visitor, typename Self>
  static absl::Status Flatten(Visitor& visitor, Self& holder) {
    if (!holder) return visitor.None();
    // The content of a const holder is const, even behind a unique_ptr.
    using Content = std::conditional_t<std::is_const_v<Self>, const T, T>;
    return FlattenNode(visitor, static_cast<Content&>(*holder));
  }
  static absl::Status Unflatten(Unflattener& reader, Holder* out) {
    if (reader.kind() == NodeKind::kNone) {
      if (out != nullptr) out->reset();
      return reader.None();
    }
    if (out != nullptr && !*out) Fill(out);
    return UnflattenNode<T>(reader, out ? &**out : nullptr);
  }

 private:
  static void Fill(std::optional<T>* out) { out->emplace(); }
  static void Fill(std::unique_ptr<T>* out) { *out = std::make_unique<T>(); }
};
template <typename T>
struct Binder<std::optional<T>> : HolderBinder<std::optional<T>, T> {};
template <typename T>
struct Binder<std::unique_ptr<T>> : HolderBinder<std::unique_ptr<T>, T> {};

template <typename T>
struct Binder<std::shared_ptr<T>> {
  template <typename Visitor>
  static absl::Status Flatten(Visitor& visitor, const std::shared_ptr<T>& pointer) {
    if (pointer == nullptr) return visitor.None();
    LEAFSTORE_ASSIGN_OR_RETURN(const bool is_new,
                               visitor.BeginShared(pointer.get(), &kTypeIdentity<T>));
    if (!is_new) return absl::OkStatus();
    LEAFSTORE_RETURN_IF_ERROR(FlattenNode(visitor, *pointer));
    visitor.EndShared(pointer.get(), &kTypeIdentity<T>);
    return absl::OkStatus();
  }
  static absl::Status Unflatten(Unflattener& reader, std::shared_ptr<T>* out) {
    if (reader.kind() == NodeKind::kNone) {
      if (out != nullptr) out->reset();
      return reader.None();
    }
    if (reader.kind() == NodeKind::kAlias) {
      LEAFSTORE_ASSIGN_OR_RETURN(std::shared_ptr<void> object, reader.TakeAlias(&kTypeIdentity<T>));
      if (out != nullptr) *out = std::static_pointer_cast<T>(std::move(object));
      return absl::OkStatus();
    }
    const NodeId self = reader.node();
    auto object = out != nullptr ? std::make_shared<T>() : nullptr;
    LEAFSTORE_RETURN_IF_ERROR(UnflattenNode<T>(reader, object.get()));
    if (reader.def().has_aliases()) reader.Remember(self, object, &kTypeIdentity<T>);
    if (out != nullptr) *out = std::move(object);
    return absl::OkStatus();
  }
};

}  // namespace internal

// Values and numbers.

template <>
struct LeafTraits<Value> {
  static absl::StatusOr<Leaf> ToLeaf(const Value& value) { return Leaf(value); }
  static absl::Status FromLeaf(const Leaf& leaf, Value* out);
};
template <>
struct LeafTraits<bool> {
  static absl::StatusOr<Leaf> ToLeaf(bool value) { return Leaf(Value(value)); }
  static absl::Status FromLeaf(const Leaf& leaf, bool* out);
};
template <>
struct LeafTraits<std::string> {
  static absl::StatusOr<Leaf> ToLeaf(const std::string& value) { return Leaf(Value(value)); }
  static absl::Status FromLeaf(const Leaf& leaf, std::string* out);
};
template <>
struct LeafTraits<Bytes> {
  static absl::StatusOr<Leaf> ToLeaf(const Bytes& value) { return Leaf(Value(value)); }
  static absl::Status FromLeaf(const Leaf& leaf, Bytes* out);
};

namespace internal {
absl::Status IntFromLeaf(const Leaf& leaf, int64_t min, uint64_t max, int64_t* out);
absl::Status FloatFromLeaf(const Leaf& leaf, double* out);
absl::Status WouldRound(double value);
absl::StatusOr<Leaf> IntToLeaf(uint64_t value);
}  // namespace internal

template <std::integral T>
requires(!std::is_same_v<T, bool>) struct LeafTraits<T> {
  static absl::StatusOr<Leaf> ToLeaf(T value) {
    if constexpr (std::is_unsigned_v<T> && sizeof(T) == 8) return internal::IntToLeaf(value);
    return Leaf(Value(static_cast<int64_t>(value)));
  }
  static absl::Status FromLeaf(const Leaf& leaf, T* out) {
    int64_t value = 0;
    LEAFSTORE_RETURN_IF_ERROR(
        internal::IntFromLeaf(leaf, static_cast<int64_t>(std::numeric_limits<T>::min()),
                              static_cast<uint64_t>(std::numeric_limits<T>::max()), &value));
    *out = static_cast<T>(value);
    return absl::OkStatus();
  }
};

template <std::floating_point T>
struct LeafTraits<T> {
  static_assert(sizeof(T) <= sizeof(double), "a wider number would be rounded");

  static absl::StatusOr<Leaf> ToLeaf(T value) { return Leaf(Value(static_cast<double>(value))); }
  static absl::Status FromLeaf(const Leaf& leaf, T* out) {
    double value = 0;
    LEAFSTORE_RETURN_IF_ERROR(internal::FloatFromLeaf(leaf, &value));
    const T narrow = static_cast<T>(value);
    if (value == value && static_cast<double>(narrow) != value) return internal::WouldRound(value);
    *out = narrow;
    return absl::OkStatus();
  }
};

}  // namespace leafstore

#endif  // LEAFSTORE_TREEDEF_BINDING_H_
