#include "leafstore/treedef/bind/internal/leaf_traits.h"

namespace leafstore::internal {

absl::Status ExpectedLeaf(absl::string_view what, const Leaf& leaf) {
  return absl::InvalidArgumentError(
      absl::StrCat("expected ", what, ", found ", LeafForMessage(leaf)));
}

absl::Status IntFromLeaf(const Leaf& leaf, int64_t min, uint64_t max, int64_t* out) {
  int64_t value = 0;
  LEAFSTORE_RETURN_IF_ERROR(FromValue(leaf, &value));
  if (value < min || (value > 0 && static_cast<uint64_t>(value) > max)) {
    return ExpectedLeaf(absl::StrCat("a static int from ", min, " to ", max), leaf);
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

absl::Status WouldRound(double value) {
  return absl::InvalidArgumentError(
      absl::StrCat("expected a static float that fits the field's type without rounding, found ",
                   Value(value).ToString()));
}

}  // namespace leafstore::internal
