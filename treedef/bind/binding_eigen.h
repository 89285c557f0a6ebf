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
#include "absl/strings/str_cat.h"

#include "leafstore/core/leaf.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/core/tensor_eigen.h"
#include "leafstore/treedef/bind/internal/binder.h"

namespace leafstore {
namespace internal {

// LeafTraits of T, by ToTensor and FromTensor.
template <typename T>
struct EigenLeafTraits {
  static absl::StatusOr<Leaf> ToLeaf(const T& value) { return ToTensor(value); }
  static absl::Status FromLeaf(const Leaf& leaf, T* out) {
    if (!leaf.is_tensor()) {
      return absl::InvalidArgumentError(
          absl::StrCat("expected a tensor, found ", LeafForMessage(leaf)));
    }
    return FromTensor(leaf.tensor(), out);
  }
};

}  // namespace internal

template <typename T, int kRows, int kCols, int kOptions, int kMaxRows, int kMaxCols>
struct LeafTraits<Eigen::Matrix<T, kRows, kCols, kOptions, kMaxRows, kMaxCols>>
    : internal::EigenLeafTraits<Eigen::Matrix<T, kRows, kCols, kOptions, kMaxRows, kMaxCols>> {};

template <typename T, int kRows, int kCols, int kOptions, int kMaxRows, int kMaxCols>
struct LeafTraits<Eigen::Array<T, kRows, kCols, kOptions, kMaxRows, kMaxCols>>
    : internal::EigenLeafTraits<Eigen::Array<T, kRows, kCols, kOptions, kMaxRows, kMaxCols>> {};

template <typename T, int kRank, int kOptions, typename Index>
struct LeafTraits<Eigen::Tensor<T, kRank, kOptions, Index>>
    : internal::EigenLeafTraits<Eigen::Tensor<T, kRank, kOptions, Index>> {};

}  // namespace leafstore

#endif  // LEAFSTORE_TREEDEF_BIND_BINDING_EIGEN_H_
