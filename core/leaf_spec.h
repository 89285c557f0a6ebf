// LeafSpec: describes a leaf without its bytes: a tensor's dtype and shape, or the kind of a value.
//
//   leaf.spec().ToString();                                // "f32[2, 3]", or "static int"
//   leaf.spec() == LeafSpec(DType::kF32, {2, 3});
//   item.spec(place).byte_size();                          // of a leaf in a file: 24
//
// Merges, packs, optimizers and loads into an existing store compare leaves by their specs. A
// file's manifest or header has the spec of each leaf, so filters are evaluated, and dtypes and
// shapes are checked, before any tensor is read.
//
// A LeafSpec is small and borrows the shape, like ShapeRef: it is valid while what it describes
// exists unchanged. To keep the specs of many leaves, use LeafColumns (leaf_columns.h).
#ifndef LEAFSTORE_CORE_LEAF_SPEC_H_
#define LEAFSTORE_CORE_LEAF_SPEC_H_

#include <cstdint>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

#include "leafstore/core/dtype.h"
#include "leafstore/core/shape.h"
#include "leafstore/core/value.h"

namespace leafstore {

class LeafSpec {
 public:
  // Makes the spec of a tensor. `shape` must be one that ByteSize (shape.h) accepts for the dtype.
  LeafSpec(DType dtype, ShapeRef shape) : dtype_(dtype), shape_(shape) {}
  // Makes the spec of a value.
  explicit LeafSpec(ValueKind kind) : value_kind_(kind) {}

  bool is_tensor() const { return value_kind_ == ValueKind{}; }

  // Return the dtype and shape of a tensor; for a value DType{}, which is not a dtype, and [].
  DType dtype() const { return dtype_; }
  ShapeRef shape() const { return shape_; }
  int rank() const { return static_cast<int>(shape_.size()); }
  // Returns the size of the tensor in bytes; 0 for a value (see Value::byte_size). O(rank).
  int64_t byte_size() const {
    return is_tensor() ? internal::UncheckedByteSize(dtype_, shape_) : 0;
  }

  // is_tensor() must be false.
  ValueKind value_kind() const { return value_kind_; }

  // Returns "f32[2, 3]", or "static int".
  std::string ToString() const {
    return is_tensor() ? absl::StrCat(DTypeName(dtype_), ShapeToString(shape_))
                       : absl::StrCat("static ", ValueKindName(value_kind_));
  }

  // Returns whether both are tensors of the same dtype and shape, or values of the same kind.
  friend bool operator==(const LeafSpec& a, const LeafSpec& b) {
    return a.value_kind_ == b.value_kind_ && a.dtype_ == b.dtype_ && a.shape_ == b.shape_;
  }
  template <typename H>
  friend H AbslHashValue(H h, const LeafSpec& spec) {
    return H::combine(std::move(h), spec.value_kind_, spec.dtype_, spec.shape_);
  }

 private:
  ValueKind value_kind_{};  // 0, which is not a kind, for a tensor
  DType dtype_{};
  ShapeRef shape_;
};

}  // namespace leafstore

#endif  // LEAFSTORE_CORE_LEAF_SPEC_H_
