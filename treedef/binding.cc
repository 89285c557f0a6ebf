#include "leafstore/treedef/binding.h"

#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "leafstore/treedef/flatten.h"
#include "leafstore/treedef/path_text.h"

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

absl::Status CheckFieldNames(const TreeDef& def, NodeId node,
                             absl::Span<const absl::string_view> sorted_names) {
  NodeId child = def.first_child(node);
  size_t same = 0;
  for (; child != def.end(node) && same < sorted_names.size(); child = def.end(child), ++same) {
    if (def.key(child).name != sorted_names[same]) break;
  }
  if (child == def.end(node) && same == sorted_names.size()) return absl::OkStatus();

  constexpr size_t kMostShown = 40;
  std::vector<std::string> found;
  for (child = def.first_child(node); child != def.end(node); child = def.end(child)) {
    found.push_back(found.size() < kMostShown ? internal::NameForMessage(def.key(child).name)
                                              : "...");
    if (found.size() > kMostShown) break;
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "at ", def.PathForMessage(node), ": expected a struct with the fields [",
      absl::StrJoin(sorted_names, ", "), "], found one with [", absl::StrJoin(found, ", "), "]"));
}

}  // namespace internal
}  // namespace leafstore
