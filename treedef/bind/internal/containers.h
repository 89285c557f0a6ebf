// Binders of the standard containers (vectors and arrays, pairs and tuples, maps) and of what holds
// an object or nothing (std::optional, std::unique_ptr, std::shared_ptr).
#ifndef LEAFSTORE_TREEDEF_BIND_INTERNAL_CONTAINERS_H_
#define LEAFSTORE_TREEDEF_BIND_INTERNAL_CONTAINERS_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
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
#include "absl/strings/str_cat.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/treedef/bind/internal/binder.h"
#include "leafstore/treedef/tree/tree.h"

namespace leafstore::internal {

// std::vector, and std::array of kCount items.
template <typename List, int64_t kCount = -1>
struct ListBinder {
  using T = typename List::value_type;
  static constexpr bool kFixed = kCount >= 0;
  static_assert(!std::is_same_v<T, bool> || kFixed, "std::vector<bool> has no elements to bind");

  template <typename Self>
  static absl::Status Flatten(Flattener& flattener, Self& items) {
    LEAFSTORE_RETURN_IF_ERROR(flattener.Open(NodeKind::kList));
    for (auto& item : items) LEAFSTORE_RETURN_IF_ERROR(FlattenNode(flattener, item));
    return flattener.Close();
  }
  static absl::Status Unflatten(Unflattener& reader, List* out) {
    const uint32_t count = reader.def().child_count(reader.node());
    if constexpr (kFixed) {
      LEAFSTORE_RETURN_IF_ERROR(reader.Enter(NodeKind::kList, kCount));
    } else {
      LEAFSTORE_RETURN_IF_ERROR(reader.Enter(NodeKind::kList));
      if (out != nullptr) out->resize(count);
    }
    for (uint32_t i = 0; i < count; ++i) {
      LEAFSTORE_RETURN_IF_ERROR(UnflattenNode<T>(reader, out ? &(*out)[i] : nullptr));
    }
    return absl::OkStatus();
  }
};
template <typename T, typename A>
struct Binder<std::vector<T, A>> : ListBinder<std::vector<T, A>> {};
template <typename T, size_t kCount>
struct Binder<std::array<T, kCount>> : ListBinder<std::array<T, kCount>, kCount> {};

// std::pair and std::tuple.
template <typename T, typename... Items>
struct TupleBinder {
  template <typename Self>
  static absl::Status Flatten(Flattener& flattener, Self& items) {
    LEAFSTORE_RETURN_IF_ERROR(flattener.Open(NodeKind::kTuple));
    absl::Status status;
    std::apply([&](auto&... item) { (void)((status = FlattenNode(flattener, item)).ok() && ...); },
               items);
    LEAFSTORE_RETURN_IF_ERROR(status);
    return flattener.Close();
  }
  static absl::Status Unflatten(Unflattener& reader, T* out) {
    LEAFSTORE_RETURN_IF_ERROR(reader.Enter(NodeKind::kTuple, sizeof...(Items)));
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

// The keys that maps may have, as keys of a dict.
template <typename K>
struct MapKey {
  static_assert(std::signed_integral<K>, "dict keys are std::string or a signed integer");
  static constexpr K kMin = std::numeric_limits<K>::min();
  static constexpr K kMax = std::numeric_limits<K>::max();

  static KeyRef ToRef(K key) { return KeyRef::Index(key); }
  static bool CanHold(const KeyRef& key) {
    return key.kind == KeyKind::kIndex && key.index >= kMin && key.index <= kMax;
  }
  static K FromRef(const KeyRef& key) { return static_cast<K>(key.index); }
  static std::string Expected() {
    return absl::StrCat("an integer key from ", int64_t{kMin}, " to ", int64_t{kMax});
  }
};
template <>
struct MapKey<std::string> {
  static KeyRef ToRef(const std::string& key) { return KeyRef::Item(key); }
  static bool CanHold(const KeyRef& key) { return key.kind == KeyKind::kItem; }
  static std::string FromRef(const KeyRef& key) { return std::string(key.name); }
  static std::string Expected() { return "a string key"; }
};

// Maps of any kind. Unordered maps are visited in the order of their keys too.
template <typename Map, bool kSorted>
struct MapBinder {
  using K = typename Map::key_type;
  using V = typename Map::mapped_type;

  template <typename Self>
  static absl::Status Flatten(Flattener& flattener, Self& map) {
    LEAFSTORE_RETURN_IF_ERROR(flattener.Open(NodeKind::kDict));
    const auto add = [&flattener](auto& entry) {
      flattener.SetKey(MapKey<K>::ToRef(entry.first));
      return FlattenNode(flattener, entry.second);
    };
    if constexpr (kSorted) {
      for (auto& entry : map) LEAFSTORE_RETURN_IF_ERROR(add(entry));
    } else {
      std::vector<decltype(&*map.begin())> entries;
      entries.reserve(map.size());
      for (auto& entry : map) entries.push_back(&entry);
      std::sort(entries.begin(), entries.end(),
                [](auto* a, auto* b) { return a->first < b->first; });
      for (auto* entry : entries) LEAFSTORE_RETURN_IF_ERROR(add(*entry));
    }
    return flattener.Close();
  }

  static absl::Status Unflatten(Unflattener& reader, Map* out) {
    const NodeId self = reader.node();
    LEAFSTORE_RETURN_IF_ERROR(reader.Enter(NodeKind::kDict));
    if (out != nullptr) EraseOthers(reader.def(), self, out);
    while (reader.node() != reader.def().end(self)) {
      const KeyRef key = reader.def().key(reader.node());
      if (!MapKey<K>::CanHold(key)) return reader.ExpectedKey(MapKey<K>::Expected());
      V* value = out == nullptr ? nullptr : &(*out)[MapKey<K>::FromRef(key)];
      LEAFSTORE_RETURN_IF_ERROR(UnflattenNode<V>(reader, value));
    }
    return absl::OkStatus();
  }

 private:
  // Erases the entries that the dict does not have; the others keep their place, to be written
  // in place.
  static void EraseOthers(const TreeDef& def, NodeId dict, Map* map) {
    if (map->empty()) return;
    size_t kept = 0;
    for (NodeId node = def.first_child(dict); node != def.end(dict); node = def.end(node)) {
      kept += map->count(MapKey<K>::FromRef(def.key(node)));
    }
    if (kept == map->size()) return;
    std::vector<K> others;
    for (const auto& entry : *map) {
      const NodeId node = def.FindChild(dict, MapKey<K>::ToRef(entry.first));
      if (node == kNoNode) others.push_back(entry.first);
    }
    for (const K& key : others) map->erase(key);
  }
};

// Returns whether entries are sorted by their keys' bytes or values.
template <typename K, typename Compare>
inline constexpr bool kIsKeyOrder =
    std::is_same_v<Compare, std::less<K>> || std::is_same_v<Compare, std::less<>>;

template <typename K, typename V, typename Compare, typename A>
struct Binder<std::map<K, V, Compare, A>>
    : MapBinder<std::map<K, V, Compare, A>, kIsKeyOrder<K, Compare>> {};
template <typename K, typename V, typename Compare, typename A>
struct Binder<absl::btree_map<K, V, Compare, A>>
    : MapBinder<absl::btree_map<K, V, Compare, A>, kIsKeyOrder<K, Compare>> {};
template <typename K, typename V, typename Hash, typename Equal, typename A>
struct Binder<std::unordered_map<K, V, Hash, Equal, A>>
    : MapBinder<std::unordered_map<K, V, Hash, Equal, A>, false> {};
template <typename K, typename V, typename Hash, typename Equal, typename A>
struct Binder<absl::flat_hash_map<K, V, Hash, Equal, A>>
    : MapBinder<absl::flat_hash_map<K, V, Hash, Equal, A>, false> {};

// std::optional and std::unique_ptr: content or none.
template <typename Holder, typename T>
struct HolderBinder {
  template <typename Self>
  static absl::Status Flatten(Flattener& flattener, Self& holder) {
    if (!holder) return flattener.None();
    // The content of a const holder is const, even behind a unique_ptr.
    using Content = std::conditional_t<std::is_const_v<Self>, const T, T>;
    return FlattenNode<Content>(flattener, *holder);
  }
  static absl::Status Unflatten(Unflattener& reader, Holder* out) {
    if (reader.kind() == NodeKind::kNone) {
      if (out != nullptr) out->reset();
      return reader.Enter(NodeKind::kNone);
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

// Types that may be an alias themselves when pointed to.
template <typename T>
inline constexpr bool kMayBeAlias = std::is_same_v<T, Tree>;
template <typename T>
inline constexpr bool kMayBeAlias<std::shared_ptr<T>> = true;

// T may be const: it is flattened, tensors in it are copied, and it ties with a pointer to
// non-const.
template <typename T>
struct Binder<std::shared_ptr<T>> {
  using Object = std::remove_const_t<T>;
  static constexpr const void* kType = &kTypeIdentity<Object>;

  static absl::Status Flatten(Flattener& flattener, const std::shared_ptr<T>& pointer) {
    if (pointer == nullptr) return flattener.None();
    LEAFSTORE_ASSIGN_OR_RETURN(const bool is_new, flattener.BeginShared(pointer.get(), kType));
    if (!is_new) return absl::OkStatus();
    LEAFSTORE_RETURN_IF_ERROR(FlattenNode<T>(flattener, *pointer));
    flattener.EndShared(pointer.get(), kType);
    return absl::OkStatus();
  }

  static absl::Status Unflatten(Unflattener& reader, std::shared_ptr<T>* out) {
    const NodeId self = reader.node();
    // A none that is shared was an object that holds nothing; otherwise it was a null pointer.
    if (reader.kind() == NodeKind::kNone && !reader.IsOwner(self)) {
      if (out != nullptr) out->reset();
      return reader.Enter(NodeKind::kNone);
    }
    if (reader.kind() == NodeKind::kAlias && (!kMayBeAlias<Object> || reader.Remembers(kType))) {
      LEAFSTORE_ASSIGN_OR_RETURN(std::shared_ptr<void> object, reader.TakeAlias(kType));
      if (out != nullptr) *out = std::static_pointer_cast<Object>(std::move(object));
      return absl::OkStatus();
    }
    return UnflattenNew(reader, out);
  }

 private:
  static absl::Status UnflattenNew(Unflattener& reader, std::shared_ptr<T>* out) {
    const NodeId self = reader.def().Resolve(reader.node());
    auto object = out != nullptr ? std::make_shared<Object>() : nullptr;
    LEAFSTORE_RETURN_IF_ERROR(UnflattenNode<Object>(reader, object.get()));
    if constexpr (std::is_same_v<Object, Tree>) {
      // A shared root is passed directly, without another pointer around it.
      if (object != nullptr && object->shared() != nullptr) object = object->shared();
    }
    reader.Remember(self, object, kType);
    if (out != nullptr) *out = std::move(object);
    return absl::OkStatus();
  }
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_TREEDEF_BIND_INTERNAL_CONTAINERS_H_
