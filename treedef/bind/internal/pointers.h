// Binders of types that hold an object or nothing: std::optional, std::unique_ptr, std::shared_ptr.
#ifndef LEAFSTORE_TREEDEF_BIND_INTERNAL_POINTERS_H_
#define LEAFSTORE_TREEDEF_BIND_INTERNAL_POINTERS_H_

#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/treedef/bind/internal/binder.h"
#include "leafstore/treedef/tree/tree.h"

namespace leafstore::internal {

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
      return reader.None();
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

#endif  // LEAFSTORE_TREEDEF_BIND_INTERNAL_POINTERS_H_
