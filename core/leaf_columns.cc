#include "leafstore/core/leaf_columns.h"

#include <utility>

namespace leafstore {

LeafColumns LeafColumns::Of(absl::Span<const Leaf> leaves) {
  LeafColumns columns;
  columns.Reserve(leaves.size(), 0, 0);
  for (const Leaf& leaf : leaves) columns.Add(leaf);
  return columns;
}

void LeafColumns::Add(const Leaf& leaf) {
  if (leaf.is_value()) {
    AddValue(leaf.value());
  } else {
    const Tensor& tensor = leaf.tensor();
    AddTensor(tensor.dtype(), tensor.shape(), tensor.byte_size());
  }
}

void LeafColumns::AddValue(Value value) {
  dtypes_.push_back(0);
  numbers_.push_back(static_cast<uint32_t>(values_.size()));
  values_.push_back(std::move(value));
}

void LeafColumns::Reserve(size_t leaves, size_t tensors, size_t dims) {
  dtypes_.reserve(leaves);
  numbers_.reserve(leaves);
  ranks_.reserve(tensors);
  dims_begins_.reserve(tensors);
  byte_sizes_.reserve(tensors);
  dims_.reserve(dims);
}

}  // namespace leafstore
