// Eigen over tensors: views of a tensor's elements, and copies between tensors and Eigen objects.
//
//   Tensor w = Tensor::Zeros(DType::kF32, {128, 64}).value();
//   auto matrix = EigenMatrix<float>(w).value();          // in place; matrix(i, j) is w[i, j]
//   float norm = matrix.norm();
//   {
//     MutableTensor m = w.Mutate().value();
//     EigenArray<float>(m).value() -= 0.1f * EigenArray<float>(gradient).value();
//   }
//   Tensor product = ToTensor(matrix * x).value();        // evaluates into a new tensor
//   Eigen::MatrixXf mine;
//   absl::Status status = FromTensor(product, &mine);     // copies out
//
//   | function               | rank      | of a Tensor                | of a MutableTensor     |
//   |------------------------|-----------|----------------------------|------------------------|
//   | `EigenArray<T>(t)`     | any, flat | `ConstEigenArrayMap<T>`    | `EigenArrayMap<T>`     |
//   | `EigenVector<T>(t)`    | 1         | `ConstEigenVectorMap<T>`   | `EigenVectorMap<T>`    |
//   | `EigenMatrix<T>(t)`    | 2         | `ConstEigenMatrixMap<T>`   | `EigenMatrixMap<T>`    |
//   | `EigenTensor<T, R>(t)` | R         | `ConstEigenTensorMap<T,R>` | `EigenTensorMap<T, R>` |
//
// Indices. Views are row-major, like tensors. Copies keep logical indices whatever the layout of
// the Eigen object: row i, column j is always [i, j].
//
// Lifetime. A view is a pointer. A view of a Tensor is valid until that tensor is assigned to,
// written or destroyed; a view of a MutableTensor until the borrow closes. Views of temporaries do
// not compile. Assigning to a view writes elements, so declare a new `auto` for each view.
//
// Alignment. Tensors made here begin at a multiple of 64 bytes, but views of a buffer or of a
// mapped file are only aligned to one element, so no view is declared as aligned to Eigen.
//
// Errors. InvalidArgument with what was expected and what was found: the dtype is not T's, or the
// rank differs. FailedPrecondition: the tensor is null, or the borrow is closed. After an error
// nothing has changed.
//
// This is the only public header that includes Eigen. Everything in it is inline: the layout of
// Eigen's types depends on the instruction set a file is compiled for, so none of them is in the
// interface of the compiled library.
#ifndef LEAFSTORE_CORE_TENSOR_EIGEN_H_
#define LEAFSTORE_CORE_TENSOR_EIGEN_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include <Eigen/Core>
#include <unsupported/Eigen/CXX11/Tensor>

#include "leafstore/core/dtype.h"
#include "leafstore/core/shape.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/core/tensor.h"

namespace leafstore {

// Eigen's 16-bit floats can be elements: `Tensor::Scalar(Eigen::bfloat16(1.5f))`.
template <>
struct DTypeTraits<Eigen::half> {
  static constexpr DType kDType = DType::kF16;
};
template <>
struct DTypeTraits<Eigen::bfloat16> {
  static constexpr DType kDType = DType::kBF16;
};

// The types of the views.
template <typename T>
using EigenArrayMap = Eigen::Map<Eigen::Array<T, Eigen::Dynamic, 1>>;
template <typename T>
using ConstEigenArrayMap = Eigen::Map<const Eigen::Array<T, Eigen::Dynamic, 1>>;
template <typename T>
using EigenVectorMap = Eigen::Map<Eigen::Matrix<T, Eigen::Dynamic, 1>>;
template <typename T>
using ConstEigenVectorMap = Eigen::Map<const Eigen::Matrix<T, Eigen::Dynamic, 1>>;
template <typename T>
using EigenMatrixMap =
    Eigen::Map<Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>;
template <typename T>
using ConstEigenMatrixMap =
    Eigen::Map<const Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>;
template <typename T, int Rank>
using EigenTensorMap = Eigen::TensorMap<Eigen::Tensor<T, Rank, Eigen::RowMajor>>;
template <typename T, int Rank>
using ConstEigenTensorMap = Eigen::TensorMap<Eigen::Tensor<const T, Rank, Eigen::RowMajor>>;

namespace internal {

inline absl::Status CheckRank(ShapeRef shape, int rank) {
  if (static_cast<int>(shape.size()) == rank) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("shape ", ShapeToString(shape), ": expected rank ",
                                                 rank, ", found rank ", shape.size()));
}

// Returns the tensor that is read or written, so that its dtype can be checked.
inline const Tensor& TensorOf(const Tensor& tensor) { return tensor; }
inline const Tensor& TensorOf(const MutableTensor& tensor) { return tensor.tensor(); }

// Returns the elements of a Tensor or a MutableTensor.
template <typename T, typename Source>
auto Elements(Source& source) -> absl::StatusOr<decltype(source.template span<T>())> {
  LEAFSTORE_RETURN_IF_ERROR(TensorAccess::CheckDType(TensorOf(source), kDTypeOf<T>));
  return source.template span<T>();
}

// Like Elements, but error InvalidArgument also: the rank is not `rank`.
template <typename T, typename Source>
auto ElementsOfRank(Source& source, int rank) -> decltype(Elements<T>(source)) {
  LEAFSTORE_RETURN_IF_ERROR(TensorAccess::CheckDType(TensorOf(source), kDTypeOf<T>));
  LEAFSTORE_RETURN_IF_ERROR(CheckRank(source.shape(), rank));
  return source.template span<T>();
}

template <typename Map, typename T, typename Source>
absl::StatusOr<Map> ArrayView(Source& source) {
  LEAFSTORE_ASSIGN_OR_RETURN(const auto elements, Elements<T>(source));
  return Map(elements.data(), static_cast<Eigen::Index>(elements.size()));
}

template <typename Map, typename T, typename Source>
absl::StatusOr<Map> VectorView(Source& source) {
  LEAFSTORE_ASSIGN_OR_RETURN(const auto elements, ElementsOfRank<T>(source, 1));
  return Map(elements.data(), static_cast<Eigen::Index>(elements.size()));
}

template <typename Map, typename T, typename Source>
absl::StatusOr<Map> MatrixView(Source& source) {
  LEAFSTORE_ASSIGN_OR_RETURN(const auto elements, ElementsOfRank<T>(source, 2));
  return Map(elements.data(), source.shape()[0], source.shape()[1]);
}

template <typename Map, typename T, int Rank, typename Source>
absl::StatusOr<Map> TensorView(Source& source) {
  LEAFSTORE_ASSIGN_OR_RETURN(const auto elements, ElementsOfRank<T>(source, Rank));
  Eigen::DSizes<Eigen::Index, Rank> extents;
  for (int i = 0; i < Rank; ++i) extents[i] = source.shape()[static_cast<size_t>(i)];
  return Map(elements.data(), extents);
}

}  // namespace internal

// ---- views ----

// Returns all elements in row-major order as one column, whatever the rank. O(1).
// error InvalidArgument: T is not the dtype's type.
template <typename T>
absl::StatusOr<ConstEigenArrayMap<T>> EigenArray(const Tensor& tensor) {
  return internal::ArrayView<ConstEigenArrayMap<T>, T>(tensor);
}
template <typename T>
absl::StatusOr<EigenArrayMap<T>> EigenArray(MutableTensor& tensor) {
  return internal::ArrayView<EigenArrayMap<T>, T>(tensor);
}

// Returns a column vector. O(1). error InvalidArgument: T is not the dtype's type, or the rank is
// not 1.
template <typename T>
absl::StatusOr<ConstEigenVectorMap<T>> EigenVector(const Tensor& tensor) {
  return internal::VectorView<ConstEigenVectorMap<T>, T>(tensor);
}
template <typename T>
absl::StatusOr<EigenVectorMap<T>> EigenVector(MutableTensor& tensor) {
  return internal::VectorView<EigenVectorMap<T>, T>(tensor);
}

// Returns a row-major matrix. O(1). error InvalidArgument: T is not the dtype's type, or the rank
// is not 2.
template <typename T>
absl::StatusOr<ConstEigenMatrixMap<T>> EigenMatrix(const Tensor& tensor) {
  return internal::MatrixView<ConstEigenMatrixMap<T>, T>(tensor);
}
template <typename T>
absl::StatusOr<EigenMatrixMap<T>> EigenMatrix(MutableTensor& tensor) {
  return internal::MatrixView<EigenMatrixMap<T>, T>(tensor);
}

// Returns a row-major tensor. O(1). error InvalidArgument: T is not the dtype's type, or the rank
// differs.
template <typename T, int Rank>
absl::StatusOr<ConstEigenTensorMap<T, Rank>> EigenTensor(const Tensor& tensor) {
  return internal::TensorView<ConstEigenTensorMap<T, Rank>, T, Rank>(tensor);
}
template <typename T, int Rank>
absl::StatusOr<EigenTensorMap<T, Rank>> EigenTensor(MutableTensor& tensor) {
  return internal::TensorView<EigenTensorMap<T, Rank>, T, Rank>(tensor);
}

// Views of temporaries would dangle.
template <typename T>
void EigenArray(const Tensor&&) = delete;
template <typename T>
void EigenArray(const MutableTensor&&) = delete;
template <typename T>
void EigenVector(const Tensor&&) = delete;
template <typename T>
void EigenVector(const MutableTensor&&) = delete;
template <typename T>
void EigenMatrix(const Tensor&&) = delete;
template <typename T>
void EigenMatrix(const MutableTensor&&) = delete;
template <typename T, int Rank>
void EigenTensor(const Tensor&&) = delete;
template <typename T, int Rank>
void EigenTensor(const MutableTensor&&) = delete;

// ---- copies ----

// Evaluates a matrix or array expression into a new tensor. A row or a column at compile time (an
// Eigen::RowVector3f, `m.row(0)`, `m.rowwise().sum()`) has rank 1, all others rank 2.
// error ResourceExhausted: no memory. O(bytes) plus the cost of the expression.
template <typename Derived>
absl::StatusOr<Tensor> ToTensor(const Eigen::DenseBase<Derived>& expression);

// Copies a tensor into a matrix or an array and resizes it. The tensor must have rank 1 if the
// object is a row or a column at compile time, otherwise rank 2.
// error InvalidArgument: the scalar is not the dtype's type; the rank differs; or the object has a
// fixed (or maximum) size that does not fit. O(bytes).
template <typename Derived>
absl::Status FromTensor(const Tensor& tensor, Eigen::PlainObjectBase<Derived>* out);

// Copies an Eigen tensor of either layout into a new tensor of the same rank.
// error ResourceExhausted: no memory. O(bytes).
template <typename T, int Rank, int Options, typename Index>
absl::StatusOr<Tensor> ToTensor(const Eigen::Tensor<T, Rank, Options, Index>& tensor);

// Copies a tensor into an Eigen tensor of either layout and resizes it. error InvalidArgument: T is
// not the dtype's type; the rank differs; or Index is too narrow. O(bytes).
template <typename T, int Rank, int Options, typename Index>
absl::Status FromTensor(const Tensor& tensor, Eigen::Tensor<T, Rank, Options, Index>* out);

// ---- implementation ----

namespace internal {

// A row-major type of Derived's kind, since Eigen does not mix matrices with arrays.
template <typename Derived>
using RowMajorLike = std::conditional_t<
    std::is_same_v<typename Eigen::internal::traits<Derived>::XprKind, Eigen::ArrayXpr>,
    Eigen::Array<typename Derived::Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>,
    Eigen::Matrix<typename Derived::Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>;

// An extent of an Eigen object: fixed at compile time, bounded, or neither (Eigen::Dynamic).
struct Extent {
  int fixed;
  int max;
  bool Takes(int64_t found) const {
    if (fixed != Eigen::Dynamic) return found == fixed;
    return max == Eigen::Dynamic || found <= max;
  }
  std::string ToString() const {
    if (fixed != Eigen::Dynamic) return absl::StrCat(fixed);
    return max == Eigen::Dynamic ? "?" : absl::StrCat("<=", max);
  }
};

inline absl::Status WrongShape(ShapeRef found, absl::string_view expected) {
  return absl::InvalidArgumentError(
      absl::StrCat("shape: expected [", expected, "], found ", ShapeToString(found)));
}

// Copies row-major elements of these extents to `to`, row-major with all axes reversed.
// Column-major elements of some extents are row-major elements of the reversed extents, so this
// converts between the two layouts in both directions.
template <typename T, int Rank, typename Index>
void CopyReversed(const T* from, const Eigen::DSizes<Index, Rank>& extents, T* to) {
  if (extents.TotalSize() == 0) return;  // Eigen's shuffle divides by them
  Eigen::DSizes<Index, Rank> reversed;
  std::array<int, Rank> axes;
  for (int i = 0; i < Rank; ++i) {
    axes[static_cast<size_t>(i)] = Rank - 1 - i;
    reversed[i] = extents[Rank - 1 - i];
  }
  using Source = Eigen::TensorMap<Eigen::Tensor<const T, Rank, Eigen::RowMajor, Index>>;
  using Target = Eigen::TensorMap<Eigen::Tensor<T, Rank, Eigen::RowMajor, Index>>;
  Target(to, reversed) = Source(from, extents).shuffle(axes);
}

// True if elements of this layout and rank are stored in the order of a tensor.
template <int Options, int Rank>
inline constexpr bool kLiesRowMajor = (Options & Eigen::RowMajor) != 0 || Rank < 2;

}  // namespace internal

template <typename Derived>
absl::StatusOr<Tensor> ToTensor(const Eigen::DenseBase<Derived>& expression) {
  using T = typename Derived::Scalar;
  constexpr bool kVector = Derived::IsVectorAtCompileTime;
  const Shape shape =
      kVector ? Shape{expression.size()} : Shape{expression.rows(), expression.cols()};
  LEAFSTORE_ASSIGN_OR_RETURN(Tensor tensor, Tensor::Uninitialized(kDTypeOf<T>, shape));
  LEAFSTORE_ASSIGN_OR_RETURN(MutableTensor writing, tensor.Mutate());
  const absl::Span<T> elements = writing.template span<T>();
  Eigen::Map<internal::RowMajorLike<Derived>>(elements.data(), expression.rows(),
                                              expression.cols()) = expression.derived();
  writing.Close();
  return tensor;
}

template <typename Derived>
absl::Status FromTensor(const Tensor& tensor, Eigen::PlainObjectBase<Derived>* out) {
  using T = typename Derived::Scalar;
  constexpr bool kVector = Derived::IsVectorAtCompileTime;
  constexpr bool kRow =
      kVector && Derived::RowsAtCompileTime == 1 && Derived::ColsAtCompileTime != 1;
  LEAFSTORE_ASSIGN_OR_RETURN(const absl::Span<const T> elements,
                             internal::ElementsOfRank<T>(tensor, kVector ? 1 : 2));
  const ShapeRef shape = tensor.shape();
  const int64_t rows = kRow ? 1 : shape[0];
  const int64_t cols = kRow ? shape[0] : (kVector ? 1 : shape[1]);
  constexpr internal::Extent kRows = {Derived::RowsAtCompileTime, Derived::MaxRowsAtCompileTime};
  constexpr internal::Extent kCols = {Derived::ColsAtCompileTime, Derived::MaxColsAtCompileTime};
  if (!kRows.Takes(rows) || !kCols.Takes(cols)) {
    return internal::WrongShape(shape,
                                kVector ? (kRow ? kCols : kRows).ToString()
                                        : absl::StrCat(kRows.ToString(), ", ", kCols.ToString()));
  }
  out->resize(rows, cols);
  out->derived() = Eigen::Map<const internal::RowMajorLike<Derived>>(elements.data(), rows, cols);
  return absl::OkStatus();
}

template <typename T, int Rank, int Options, typename Index>
absl::StatusOr<Tensor> ToTensor(const Eigen::Tensor<T, Rank, Options, Index>& tensor) {
  const Shape shape(tensor.dimensions().begin(), tensor.dimensions().end());
  LEAFSTORE_ASSIGN_OR_RETURN(Tensor copy, Tensor::Uninitialized(kDTypeOf<T>, shape));
  LEAFSTORE_ASSIGN_OR_RETURN(MutableTensor writing, copy.Mutate());
  const absl::Span<T> elements = writing.template span<T>();
  if constexpr (internal::kLiesRowMajor<Options, Rank>) {
    std::copy_n(tensor.data(), elements.size(), elements.data());
  } else {
    Eigen::DSizes<Index, Rank> reversed = tensor.dimensions();
    std::reverse(reversed.begin(), reversed.end());
    internal::CopyReversed<T, Rank, Index>(tensor.data(), reversed, elements.data());
  }
  writing.Close();
  return copy;
}

template <typename T, int Rank, int Options, typename Index>
absl::Status FromTensor(const Tensor& tensor, Eigen::Tensor<T, Rank, Options, Index>* out) {
  LEAFSTORE_ASSIGN_OR_RETURN(const absl::Span<const T> elements,
                             internal::ElementsOfRank<T>(tensor, Rank));
  const ShapeRef shape = tensor.shape();
  constexpr auto kMaxIndex = static_cast<int64_t>(std::numeric_limits<Index>::max());
  if (static_cast<int64_t>(elements.size()) > kMaxIndex ||
      std::any_of(shape.begin(), shape.end(), [](int64_t extent) { return extent > kMaxIndex; })) {
    return absl::InvalidArgumentError(absl::StrCat("shape ", ShapeToString(shape),
                                                   ": expected counts of at most ", kMaxIndex,
                                                   ", the Eigen tensor's index type's"));
  }
  Eigen::DSizes<Index, Rank> extents;
  std::transform(shape.begin(), shape.end(), extents.begin(),
                 [](int64_t extent) { return static_cast<Index>(extent); });
  out->resize(extents);
  if constexpr (internal::kLiesRowMajor<Options, Rank>) {
    std::copy_n(elements.data(), elements.size(), out->data());
  } else {
    internal::CopyReversed<T, Rank, Index>(elements.data(), extents, out->data());
  }
  return absl::OkStatus();
}

}  // namespace leafstore

#endif  // LEAFSTORE_CORE_TENSOR_EIGEN_H_
