#include "leafstore/core/leaf.h"

namespace leafstore {

int64_t Leaf::byte_size() const {
  return is_tensor() ? tensor().byte_size() : static_cast<int64_t>(value().byte_size());
}

std::string Leaf::ToString() const {
  if (null()) return "null";
  return is_value() ? value().ToString() : spec().ToString();
}

bool Leaf::Equals(const Leaf& other) const {
  if (null() || other.null()) return null() == other.null();
  if (is_tensor() != other.is_tensor()) return false;
  return is_tensor() ? tensor() == other.tensor() : value() == other.value();
}

}  // namespace leafstore
