// LeafTraits of the built-in types: Values, scalars and strings become static leaves (binding.h).
#ifndef LEAFSTORE_TREEDEF_BIND_INTERNAL_LEAF_TRAITS_H_
#define LEAFSTORE_TREEDEF_BIND_INTERNAL_LEAF_TRAITS_H_

#include <concepts>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

#include "leafstore/core/leaf.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/treedef/bind/internal/binder.h"

namespace leafstore {

namespace internal {

// Returns the error "expected <what>, found <leaf>".
absl::Status ExpectedLeaf(absl::string_view what, const Leaf& leaf);
absl::StatusOr<Leaf> IntToLeaf(uint64_t value);
absl::Status IntFromLeaf(const Leaf& leaf, int64_t min, uint64_t max, int64_t* out);
absl::Status WouldRound(double value);

template <typename T>
absl::Status FromValue(const Leaf& leaf, T* out) {
  const T* value = leaf.is_value() ? leaf.value().As<T>() : nullptr;
  if (value == nullptr) {
    return ExpectedLeaf(absl::StrCat("a static ", ValueKindName(Value(T()).kind())), leaf);
  }
  *out = *value;
  return absl::OkStatus();
}

}  // namespace internal

template <>
struct LeafTraits<Value> {
  static absl::StatusOr<Leaf> ToLeaf(const Value& value) { return Leaf(value); }
  // Needed because a Value has no default constructor, so FromLeaf cannot be tried on a temporary.
  static absl::Status Check(const Leaf& leaf) {
    return leaf.is_value() ? absl::OkStatus() : internal::ExpectedLeaf("a static leaf", leaf);
  }
  static absl::Status FromLeaf(const Leaf& leaf, Value* out) {
    LEAFSTORE_RETURN_IF_ERROR(Check(leaf));
    *out = leaf.value();
    return absl::OkStatus();
  }
};

template <internal::OneOf<bool, std::string, Bytes> T>
struct LeafTraits<T> {
  static absl::StatusOr<Leaf> ToLeaf(const T& value) { return Leaf(Value(value)); }
  static absl::Status FromLeaf(const Leaf& leaf, T* out) { return internal::FromValue(leaf, out); }
};

template <std::integral T>
requires(!std::is_same_v<T, bool>) struct LeafTraits<T> {
  static absl::StatusOr<Leaf> ToLeaf(T value) {
    if constexpr (std::is_unsigned_v<T>) {
      return internal::IntToLeaf(static_cast<uint64_t>(value));
    } else {
      return Leaf(Value(static_cast<int64_t>(value)));
    }
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
    LEAFSTORE_RETURN_IF_ERROR(internal::FromValue(leaf, &value));
    const T narrow = static_cast<T>(value);
    const bool is_nan = value != value;
    if (!is_nan && static_cast<double>(narrow) != value) return internal::WouldRound(value);
    *out = narrow;
    return absl::OkStatus();
  }
};

}  // namespace leafstore

#endif  // LEAFSTORE_TREEDEF_BIND_INTERNAL_LEAF_TRAITS_H_
