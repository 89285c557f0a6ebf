// Leaf: the object at a path, a Tensor or a Value.
//
//   Leaf weight = Tensor::Zeros(DType::kF32, {2, 3}).value();
//   Leaf activation = Value("gelu");
//   if (weight.is_tensor()) weight.tensor().shape();
//   activation.value().As<std::string>();
//
// A Leaf has the size of one pointer, so a dictionary of 100,000 leaves moves in well under a
// millisecond. Copying is O(1) and shares the bytes (see tensor.h). Leaf() is null; only
// null(), assignment and destruction may be used on it.
//
// Threads: see Tensor.
#ifndef LEAFSTORE_CORE_LEAF_H_
#define LEAFSTORE_CORE_LEAF_H_

#include <cstdint>
#include <string>
#include <utility>

#include "leafstore/core/leaf_spec.h"
#include "leafstore/core/tensor.h"
#include "leafstore/core/value.h"

namespace leafstore {

namespace internal {

// A static leaf: the reference-counted header that tensors also have, then the value.
struct ValueLeaf : LeafHeader {
  explicit ValueLeaf(Value v)
      : LeafHeader{{}, DType{}, 0, kIsValue, NextGeneration(), nullptr, nullptr},
        value(std::move(v)) {}
  Value value;
};

}  // namespace internal

class Leaf {
 public:
  Leaf() = default;
  Leaf(Tensor tensor) : handle_(std::move(tensor)) {}  // NOLINT: a tensor is a leaf
  Leaf(Value value)                                    // NOLINT: a value is a leaf
      : handle_(new internal::ValueLeaf(std::move(value))) {}

  bool null() const { return handle_.null(); }
  bool is_tensor() const { return !null() && !header()->Has(internal::LeafHeader::kIsValue); }
  bool is_value() const { return !null() && header()->Has(internal::LeafHeader::kIsValue); }

  // is_tensor() must be true. Valid while this leaf is neither assigned to nor destroyed.
  const Tensor& tensor() const& { return handle_; }
  Tensor tensor() && { return std::move(handle_); }
  Tensor& mutable_tensor() { return handle_; }

  // is_value() must be true. Valid while this leaf is neither assigned to nor destroyed.
  const Value& value() const& { return static_cast<const internal::ValueLeaf*>(header())->value; }
  Value value() && { return static_cast<const internal::ValueLeaf*>(header())->value; }

  // Returns the generation of the tensor's bytes, or of the value; see tensor.h.
  uint64_t generation() const { return header()->generation; }

  // Returns the size of the tensor or the value in bytes.
  int64_t byte_size() const { return is_tensor() ? tensor().byte_size() : value().byte_size(); }

  // Returns the spec of the leaf (leaf_spec.h). Valid while this leaf is neither assigned to nor
  // destroyed. O(1).
  LeafSpec spec() const& {
    return is_tensor() ? LeafSpec(tensor().dtype(), tensor().shape()) : LeafSpec(value().kind());
  }
  LeafSpec spec() && = delete;  // would dangle
  // Returns whether spec() == other.spec(), but faster, for loops over many leaves.
  bool HasSameSpec(const Leaf& other) const {
    if (!is_tensor() || !other.is_tensor()) return spec() == other.spec();
    return tensor().dtype() == other.tensor().dtype() && tensor().shape() == other.tensor().shape();
  }

  // Prefetches what the accessors read, for loops over many leaves.
  void Prefetch() const { __builtin_prefetch(header()); }

  // Returns "f32[2, 3]", or the value as text.
  std::string ToString() const {
    if (null()) return "null";
    return is_value() ? value().ToString() : spec().ToString();
  }

  // Compares as Tensor or as Value. A tensor never equals a value. Null equals null.
  friend bool operator==(const Leaf& a, const Leaf& b) {
    if (a.is_value() && b.is_value()) return a.value() == b.value();
    return a.is_value() == b.is_value() && a.handle_ == b.handle_;
  }

 private:
  const internal::LeafHeader* header() const { return handle_.header_; }

  Tensor handle_;
};

static_assert(sizeof(Leaf) == sizeof(void*));

}  // namespace leafstore

#endif  // LEAFSTORE_CORE_LEAF_H_
