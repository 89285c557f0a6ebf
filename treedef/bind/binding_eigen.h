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

#include <type_traits>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "leafstore/core/leaf.h"
#include "leafstore/core/tensor_eigen.h"
#include "leafstore/treedef/bind/internal/leaf_traits.h"

namespace leafstore {

namespace internal {

template <typename T>
inline constexpr bool kIsEigenTensor = false;
template <typename T, int Rank, int Options, typename Index>
inline constexpr bool kIsEigenTensor<Eigen::Tensor<T, Rank, Options, Index>> = true;

// A matrix, a vector, an array or a tensor of Eigen, and no user's type with the same functions.
template <typename T>
concept EigenObject = std::is_base_of_v<Eigen::PlainObjectBase<T>, T> || kIsEigenTensor<T>;

}  // namespace internal

template <internal::EigenObject T>
struct LeafTraits<T> {
  static absl::StatusOr<Leaf> ToLeaf(const T& value) { return ToTensor(value); }
  static absl::Status FromLeaf(const Leaf& leaf, T* out) {
    if (!leaf.is_tensor()) return internal::ExpectedLeaf("a tensor", leaf);
    return FromTensor(leaf.tensor(), out);
  }
};

}  // namespace leafstore

#endif  // LEAFSTORE_TREEDEF_BIND_BINDING_EIGEN_H_
