// LeafTraits of Eigen's own types: matrices, vectors, arrays and tensors are leaves.
//
//   #include "leafstore/treedef/bind/binding_eigen.h"
//   struct Linear {
//     Eigen::MatrixXf weight;                              // f32[rows, cols]
//     Eigen::VectorXf bias;                                // f32[n]
//     LEAFSTORE_FIELDS(weight, bias)
//   };
//
// Fields are copied, with their logical indices kept whatever the layout: weight(i, j) is [i, j] of
// the tensor. A type that is a row or a column at compile time has rank 1, other matrices and
// arrays have rank 2, an Eigen::Tensor<T, R> has rank R. An empty matrix is a tensor without
// elements, never null.
//
// Unflattening resizes types without a fixed size. error InvalidArgument: the leaf is static, or
// its dtype, rank or a fixed extent differs.
//
// O(bytes) per field and direction. A model of Tensors is not copied.
#ifndef LEAFSTORE_TREEDEF_BIND_BINDING_EIGEN_H_
#define LEAFSTORE_TREEDEF_BIND_BINDING_EIGEN_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "leafstore/core/leaf.h"
#include "leafstore/core/tensor_eigen.h"
#include "leafstore/treedef/bind/internal/leaf_traits.h"

namespace leafstore {
template <typename T>
requires requires(const T& value, T* out) {
  ToTensor(value);
  FromTensor(Tensor(), out);
}
struct LeafTraits<T> {
  static absl::StatusOr<Leaf> ToLeaf(const T& value) { return ToTensor(value); }
  static absl::Status FromLeaf(const Leaf& leaf, T* out) {
    if (!leaf.is_tensor()) return internal::ExpectedLeaf("a tensor", leaf);
    return FromTensor(leaf.tensor(), out);
  }
};

}  // namespace leafstore

#endif  // LEAFSTORE_TREEDEF_BIND_BINDING_EIGEN_H_
