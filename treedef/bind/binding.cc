#include "leafstore/treedef/bind/binding.h"

#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "leafstore/treedef/bind/flatten.h"
#include "leafstore/treedef/internal/path_cursor.h"

namespace leafstore {
namespace {

absl::Status Expected(absl::string_view what, const Leaf& found) {
  return absl::InvalidArgumentError(
      absl::StrCat("expected ", what, ", found ", internal::LeafForMessage(found)));
}

template <typename T>
absl::Status FromValue(const Leaf& leaf, ValueKind kind, T* out) {
  const T* value = leaf.is_value() ? leaf.value().As<T>() : nullptr;
  if (value == nullptr) return Expected(absl::StrCat("a static ", ValueKindName(kind)), leaf);
  *out = *value;
  return absl::OkStatus();
}

}  // namespace

absl::Status LeafTraits<Value>::Check(const Leaf& leaf) {
  return leaf.is_value() ? absl::OkStatus() : Expected("a static leaf", leaf);
}

absl::Status LeafTraits<Value>::FromLeaf(const Leaf& leaf, Value* out) {
  LEAFSTORE_RETURN_IF_ERROR(Check(leaf));
  *out = leaf.value();
  return absl::OkStatus();
}

absl::Status LeafTraits<bool>::FromLeaf(const Leaf& leaf, bool* out) {
  return FromValue(leaf, ValueKind::kBool, out);
}

absl::Status LeafTraits<std::string>::FromLeaf(const Leaf& leaf, std::string* out) {
  return FromValue(leaf, ValueKind::kString, out);
}

absl::Status LeafTraits<Bytes>::FromLeaf(const Leaf& leaf, Bytes* out) {
  return FromValue(leaf, ValueKind::kBytes, out);
}

namespace internal {

absl::Status IntFromLeaf(const Leaf& leaf, int64_t min, uint64_t max, int64_t* out) {
  int64_t value = 0;
  LEAFSTORE_RETURN_IF_ERROR(FromValue(leaf, ValueKind::kInt, &value));
  if (value < min || (value > 0 && static_cast<uint64_t>(value) > max)) {
    return Expected(absl::StrCat("a static int from ", min, " to ", max), leaf);
  }
  *out = value;
  return absl::OkStatus();
}

absl::StatusOr<Leaf> IntToLeaf(uint64_t value) {
  if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
    return absl::InvalidArgumentError(
        absl::StrCat("expected an integer below 2^63, found ", value));
  }
  return Leaf(Value(static_cast<int64_t>(value)));
}

absl::Status FloatFromLeaf(const Leaf& leaf, double* out) {
  return FromValue(leaf, ValueKind::kFloat, out);
}

absl::Status WouldRound(double value) {
  return absl::InvalidArgumentError(
      absl::StrCat("expected a static float that a narrower type can hold, found ",
                   Value(value).ToString(), ", which it would round"));
}

}  // namespace internal
}  // namespace leafstore
