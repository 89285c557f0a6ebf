#include "leafstore/proto/leaf_columns.h"

#include <algorithm>
#include <limits>
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

void LeafColumns::AddTensor(DType dtype, ShapeRef shape, int64_t byte_size) {
  dtypes_.push_back(static_cast<uint8_t>(dtype));
  numbers_.push_back(static_cast<uint32_t>(ranks_.size()));
  ranks_.push_back(static_cast<uint8_t>(shape.size()));
  dims_begins_.push_back(dims_.size());
  dims_.insert(dims_.end(), shape.begin(), shape.end());
  byte_sizes_.push_back(byte_size);
  total_bytes_ += std::min(byte_size, std::numeric_limits<int64_t>::max() - total_bytes_);
}

void LeafColumns::Reserve(size_t leaves, size_t tensors, size_t dims) {
  dtypes_.reserve(leaves);
  numbers_.reserve(leaves);
  ranks_.reserve(tensors);
  dims_begins_.reserve(tensors);
  byte_sizes_.reserve(tensors);
  dims_.reserve(dims);
}

bool AreBools(absl::Span<const std::byte> bytes) {
  std::byte bits{0};
  for (const std::byte byte : bytes) bits |= byte;
  return bits <= std::byte{1};
}

}  // namespace leafstore
