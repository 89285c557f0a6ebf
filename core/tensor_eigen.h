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
// Views are Eigen::Map or Eigen::TensorMap: of const elements for a Tensor, of writable elements
// for a MutableTensor.
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

namespace internal {

// A tensor that a view can refer to: not a temporary, and a borrow only if it can be written.
template <typename Source>
concept Viewable = std::is_same_v<Source, Tensor&> || std::is_same_v<Source, const Tensor&> ||
    std::is_same_v<Source, MutableTensor&>;

template <typename Source>
inline constexpr bool kIsWritable = std::is_same_v<Source, MutableTensor&>;

template <typename Source, typename Plain>
using MapOf = Eigen::Map<std::conditional_t<kIsWritable<Source>, Plain, const Plain>>;

inline const Tensor& TensorOf(const Tensor& tensor) { return tensor; }
inline const Tensor& TensorOf(const MutableTensor& tensor) { return tensor.tensor(); }

constexpr int kAnyRank = -1;

// Returns the elements of a Tensor or a MutableTensor.
template <typename T, typename Source>
auto Elements(Source& source, int rank) -> absl::StatusOr<decltype(source.template span<T>())> {
  LEAFSTORE_RETURN_IF_ERROR(TensorAccess::CheckDType(TensorOf(source), kDTypeOf<T>));
  const ShapeRef shape = source.shape();
  if (rank == kAnyRank || static_cast<int>(shape.size()) == rank) return source.template span<T>();
  return absl::InvalidArgumentError(absl::StrCat("shape ", ShapeToString(shape), ": expected rank ",
                                                 rank, ", found rank ", shape.size()));
}

// Returns what `make` makes of the elements and the shape.
template <typename T, typename Source, typename Make>
auto View(Source& source, int rank, const Make& make)
    -> absl::StatusOr<decltype(make(source.template span<T>(), ShapeRef()))> {
  LEAFSTORE_ASSIGN_OR_RETURN(const auto elements, Elements<T>(source, rank));
  return make(elements, source.shape());
}

}  // namespace internal

// ---- views ----

// Returns all elements in row-major order as one column (a StatusOr of an Eigen::Map of an array),
// whatever the rank. error InvalidArgument: T is not the dtype's type.
// error FailedPrecondition, for every view: the tensor is null, or the borrow is closed. O(1), as
// the other views.
template <typename T, internal::Viewable Source>
auto EigenArray(Source&& tensor) {
  return internal::View<T>(tensor, internal::kAnyRank, [](auto elements, ShapeRef) {
    return internal::MapOf<Source, Eigen::Array<T, Eigen::Dynamic, 1>>(
        elements.data(), static_cast<Eigen::Index>(elements.size()));
  });
}

// Returns a column vector. error InvalidArgument: T is not the dtype's type, or the rank is not 1.
template <typename T, internal::Viewable Source>
auto EigenVector(Source&& tensor) {
  return internal::View<T>(tensor, 1, [](auto elements, ShapeRef shape) {
    return internal::MapOf<Source, Eigen::Matrix<T, Eigen::Dynamic, 1>>(elements.data(), shape[0]);
  });
}

// Returns a row-major matrix. error InvalidArgument: T is not the dtype's type, or the rank is not
// 2.
template <typename T, internal::Viewable Source>
auto EigenMatrix(Source&& tensor) {
  using Matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  return internal::View<T>(tensor, 2, [](auto elements, ShapeRef shape) {
    return internal::MapOf<Source, Matrix>(elements.data(), shape[0], shape[1]);
  });
}

// Returns a row-major tensor, an Eigen::TensorMap. error InvalidArgument: T is not the dtype's
// type, or the rank is not Rank.
template <typename T, int Rank, internal::Viewable Source>
auto EigenTensor(Source&& tensor) {
  using Element = std::conditional_t<internal::kIsWritable<Source>, T, const T>;
  return internal::View<T>(tensor, Rank, [](auto elements, ShapeRef shape) {
    Eigen::DSizes<Eigen::Index, Rank> extents;
    std::copy_n(shape.begin(), Rank, extents.begin());
    return Eigen::TensorMap<Eigen::Tensor<Element, Rank, Eigen::RowMajor>>(elements.data(),
                                                                           extents);
  });
}

// ---- copies ----

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
  bool Accepts(int64_t found) const {
    if (fixed != Eigen::Dynamic) return found == fixed;
    return max == Eigen::Dynamic || found <= max;
  }
  std::string ToString() const {
    if (fixed != Eigen::Dynamic) return absl::StrCat(fixed);
    return max == Eigen::Dynamic ? "?" : absl::StrCat("<=", max);
  }
};

// True if elements of this layout and rank are stored in the order of a tensor.
template <int Options, int Rank>
inline constexpr bool kIsRowMajor = (Options & Eigen::RowMajor) != 0 || Rank < 2;

// Returns the same logical elements in the other layout. Has at least one element, since Eigen
// divides by the extents.
template <typename Expression>
auto OtherLayout(const Expression& tensor) {
  std::array<int, Expression::NumDimensions> axes;
  for (size_t i = 0; i < axes.size(); ++i) axes[i] = static_cast<int>(axes.size() - 1 - i);
  return tensor.swap_layout().shuffle(axes);
}

}  // namespace internal

// Evaluates a matrix or array expression into a new tensor. A row or a column at compile time (an
// Eigen::RowVector3f, `m.row(0)`, `m.rowwise().sum()`) has rank 1, all others rank 2.
// error ResourceExhausted: out of memory. O(bytes) plus the cost of the expression.
template <typename Derived>
absl::StatusOr<Tensor> ToTensor(const Eigen::DenseBase<Derived>& expression) {
  using T = typename Derived::Scalar;
  constexpr bool kVector = Derived::IsVectorAtCompileTime;
  const Shape shape =
      kVector ? Shape{expression.size()} : Shape{expression.rows(), expression.cols()};
  LEAFSTORE_ASSIGN_OR_RETURN(Tensor tensor, Tensor::Uninitialized(kDTypeOf<T>, shape));
  const absl::Span<T> elements = TensorAccess::span<T>(&tensor);
  Eigen::Map<internal::RowMajorLike<Derived>>(elements.data(), expression.rows(),
                                              expression.cols()) = expression.derived();
  return tensor;
}

// Copies a tensor into a matrix or an array and resizes it. The tensor must have rank 1 if the
// object is a row or a column at compile time, otherwise rank 2.
// error InvalidArgument: the scalar is not the dtype's type; the rank differs; or the object has a
// fixed (or maximum) size that does not fit. O(bytes).
template <typename Derived>
absl::Status FromTensor(const Tensor& tensor, Eigen::PlainObjectBase<Derived>* out) {
  using T = typename Derived::Scalar;
  constexpr bool kVector = Derived::IsVectorAtCompileTime;
  constexpr bool kRow =
      kVector && Derived::RowsAtCompileTime == 1 && Derived::ColsAtCompileTime != 1;
  LEAFSTORE_ASSIGN_OR_RETURN(const absl::Span<const T> elements,
                             internal::Elements<T>(tensor, kVector ? 1 : 2));
  const ShapeRef shape = tensor.shape();
  const int64_t rows = kRow ? 1 : shape[0];
  const int64_t cols = kRow ? shape[0] : (kVector ? 1 : shape[1]);
  constexpr internal::Extent kRows = {Derived::RowsAtCompileTime, Derived::MaxRowsAtCompileTime};
  constexpr internal::Extent kCols = {Derived::ColsAtCompileTime, Derived::MaxColsAtCompileTime};
  if (!kRows.Accepts(rows) || !kCols.Accepts(cols)) {
    return absl::InvalidArgumentError(
        absl::StrCat("shape: expected [", kRow ? "" : kRows.ToString(), kVector ? "" : ", ",
                     kVector && !kRow ? "" : kCols.ToString(), "], found ", ShapeToString(shape)));
  }
  out->resize(rows, cols);
  out->derived() = Eigen::Map<const internal::RowMajorLike<Derived>>(elements.data(), rows, cols);
  return absl::OkStatus();
}

// Copies an Eigen tensor of either layout into a new tensor of the same rank.
// error ResourceExhausted: out of memory. O(bytes).
template <typename T, int Rank, int Options, typename Index>
absl::StatusOr<Tensor> ToTensor(const Eigen::Tensor<T, Rank, Options, Index>& tensor) {
  const Shape shape(tensor.dimensions().begin(), tensor.dimensions().end());
  LEAFSTORE_ASSIGN_OR_RETURN(Tensor copy, Tensor::Uninitialized(kDTypeOf<T>, shape));
  const absl::Span<T> elements = TensorAccess::span<T>(&copy);
  if constexpr (internal::kIsRowMajor<Options, Rank>) {
    std::copy_n(tensor.data(), elements.size(), elements.data());
  } else if (!elements.empty()) {
    using Target = Eigen::TensorMap<Eigen::Tensor<T, Rank, Eigen::RowMajor, Index>>;
    Target(elements.data(), tensor.dimensions()) = internal::OtherLayout(tensor);
  }
  return copy;
}

// Copies a tensor into an Eigen tensor of either layout and resizes it. error InvalidArgument: T is
// not the dtype's type; the rank differs; or Index is too narrow. O(bytes).
template <typename T, int Rank, int Options, typename Index>
absl::Status FromTensor(const Tensor& tensor, Eigen::Tensor<T, Rank, Options, Index>* out) {
  LEAFSTORE_ASSIGN_OR_RETURN(const absl::Span<const T> elements,
                             internal::Elements<T>(tensor, Rank));
  const ShapeRef shape = tensor.shape();
  constexpr auto kMaxIndex = static_cast<int64_t>(std::numeric_limits<Index>::max());
  if (static_cast<int64_t>(elements.size()) > kMaxIndex ||
      std::any_of(shape.begin(), shape.end(), [](int64_t extent) { return extent > kMaxIndex; })) {
    return absl::InvalidArgumentError(
        absl::StrCat("shape ", ShapeToString(shape), ": expected extents and a size of at most ",
                     kMaxIndex, ", the limit of the Eigen index type"));
  }
  Eigen::DSizes<Index, Rank> extents;
  std::transform(shape.begin(), shape.end(), extents.begin(),
                 [](int64_t extent) { return static_cast<Index>(extent); });
  out->resize(extents);
  if constexpr (internal::kIsRowMajor<Options, Rank>) {
    std::copy_n(elements.data(), elements.size(), out->data());
  } else if (!elements.empty()) {
    using Source = Eigen::TensorMap<Eigen::Tensor<const T, Rank, Eigen::RowMajor, Index>>;
    *out = internal::OtherLayout(Source(elements.data(), extents));
  }
  return absl::OkStatus();
}

}  // namespace leafstore

#endif  // LEAFSTORE_CORE_TENSOR_EIGEN_H_
