// LeafColumns: the specs of many leaves, and the values of the static ones, without the tensors'
// bytes.
//
//   LeafColumns columns = LeafColumns::Of(store.leaves());
//   columns.spec(0).ToString();               // "f32[128, 64]"
//   columns.value(1).ToString();              // "'gelu'"
//
// This is what a file records about its leaves, and what a Definition and an optimizer keep about
// theirs. Columns allow tight loops over a hundred thousand leaves, without an object for each leaf
// that is never loaded. They take 19 bytes per leaf and 8 per extent.
//
// `place` is the index of a leaf, as in ParamStore; `tensor` is its index among the tensors.
//
// Threads: const calls are thread-safe.
#ifndef LEAFSTORE_CORE_LEAF_COLUMNS_H_
#define LEAFSTORE_CORE_LEAF_COLUMNS_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "absl/types/span.h"

#include "leafstore/core/dtype.h"
#include "leafstore/core/leaf.h"
#include "leafstore/core/leaf_spec.h"
#include "leafstore/core/shape.h"
#include "leafstore/core/value.h"

namespace leafstore {

class LeafColumns {
 public:
  static LeafColumns Of(absl::Span<const Leaf> leaves);

  // Adds a leaf, which must not be null, at the end. O(rank), or O(size) of a value.
  void Add(const Leaf& leaf);
  void AddValue(Value value);
  // Adds a tensor; `byte_size` must be ByteSize(dtype, shape).
  void AddTensor(DType dtype, ShapeRef shape, int64_t byte_size);

  uint32_t size() const { return static_cast<uint32_t>(dtypes_.size()); }
  uint32_t tensor_count() const { return static_cast<uint32_t>(ranks_.size()); }
  // Returns the bytes of all tensors together; the largest int64 if they exceed it.
  int64_t total_bytes() const { return total_bytes_; }

  // Returns whether the leaf at `place` is a tensor. `place` must be below size(), here and below.
  bool is_tensor(uint32_t place) const { return dtypes_[place] != 0; }
  // Valid until this is added to, assigned to or destroyed.
  LeafSpec spec(uint32_t place) const {
    return is_tensor(place) ? LeafSpec(dtype(place), shape(place)) : LeafSpec(value(place).kind());
  }
  // is_tensor(place) must be true.
  DType dtype(uint32_t place) const { return static_cast<DType>(dtypes_[place]); }
  uint32_t tensor(uint32_t place) const { return numbers_[place]; }
  // Valid as spec().
  ShapeRef shape(uint32_t place) const { return tensor_shape(tensor(place)); }
  int64_t byte_size(uint32_t place) const { return byte_sizes_[tensor(place)]; }
  // is_tensor(place) must be false. Valid as spec().
  const Value& value(uint32_t place) const { return values_[numbers_[place]]; }

  // Returns the shape of a tensor by its index among the tensors.
  ShapeRef tensor_shape(uint32_t tensor) const {
    return ShapeRef(dims_.data() + dims_begins_[tensor], ranks_[tensor]);
  }
  // Return the columns of all tensors.
  absl::Span<const int64_t> byte_sizes() const { return byte_sizes_; }
  absl::Span<const uint8_t> ranks() const { return ranks_; }
  absl::Span<const int64_t> dims() const { return dims_; }
  // Returns the dtype's value for each leaf, or 0 for a static leaf.
  absl::Span<const uint8_t> dtypes() const { return dtypes_; }
  absl::Span<const Value> values() const { return values_; }

  // Returns whether the specs and the values are equal. O(leaves).
  friend bool operator==(const LeafColumns& a, const LeafColumns& b) {
    return a.dtypes_ == b.dtypes_ && a.ranks_ == b.ranks_ && a.dims_ == b.dims_ &&
           a.values_ == b.values_;
  }

  // Reserves memory for `leaves` leaves, of which `tensors` are tensors with `dims` extents in all.
  void Reserve(size_t leaves, size_t tensors, size_t dims);

 private:
  std::vector<uint8_t> dtypes_;
  std::vector<uint32_t> numbers_;  // for each leaf, its index among the tensors or the values
  std::vector<uint8_t> ranks_;
  std::vector<uint64_t> dims_begins_;
  std::vector<int64_t> dims_;
  std::vector<int64_t> byte_sizes_;
  std::vector<Value> values_;
  int64_t total_bytes_ = 0;
};

// Inline, because a file's leaves are added one by one in a loop.
inline void LeafColumns::AddTensor(DType dtype, ShapeRef shape, int64_t byte_size) {
  dtypes_.push_back(static_cast<uint8_t>(dtype));
  numbers_.push_back(static_cast<uint32_t>(ranks_.size()));
  ranks_.push_back(static_cast<uint8_t>(shape.size()));
  dims_begins_.push_back(dims_.size());
  for (const int64_t extent : shape) dims_.push_back(extent);
  byte_sizes_.push_back(byte_size);
  total_bytes_ += std::min(byte_size, std::numeric_limits<int64_t>::max() - total_bytes_);
}

}  // namespace leafstore

#endif  // LEAFSTORE_CORE_LEAF_COLUMNS_H_
