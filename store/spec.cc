#include "leafstore/store/spec.h"

#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"

namespace leafstore {

bool SameSpec(const Leaf& a, const Leaf& b) {
  if (a.is_tensor() != b.is_tensor()) return false;
  if (!a.is_tensor()) return a.value().kind() == b.value().kind();
  return a.tensor().dtype() == b.tensor().dtype() && a.tensor().shape() == b.tensor().shape();
}

std::string SpecToString(const Leaf& leaf) {
  if (leaf.null()) return "null";
  if (leaf.is_tensor()) return leaf.ToString();
  return absl::StrCat("static ", ValueKindName(leaf.value().kind()));
}

namespace internal {

uint64_t SpecHash(Slot slot, const Leaf& leaf) {
  if (!leaf.is_tensor()) return absl::HashOf(slot, leaf.value().kind());
  return absl::HashOf(slot, leaf.tensor().dtype(), leaf.tensor().shape());
}

}  // namespace internal
}  // namespace leafstore
