#include "leafstore/core/tensor_eigen.h"

#include <complex>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/core/status_matchers.h"
#include "tests/core/tensor_testing.h"
#include "tests/status_codes.h"

namespace leafstore {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

using RowMajorMatrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

// 1 2 3
// 4 5 6
Tensor TwoByThree() { return Tensor::From<float>({2, 3}, {1, 2, 3, 4, 5, 6}).value(); }

// A view of a temporary does not compile.
template <typename T>
concept CanView = requires(T&& tensor) {
  EigenArray<float>(std::forward<T>(tensor));
};
static_assert(CanView<const Tensor&>);
static_assert(CanView<Tensor&>);
static_assert(CanView<MutableTensor&>);
static_assert(!CanView<Tensor>);
static_assert(!CanView<const Tensor>);
static_assert(!CanView<MutableTensor>);
static_assert(!CanView<const MutableTensor&>);

TEST(TensorEigenDTypeTest, SixteenBitFloats_AreElements) {
  const Tensor half = Tensor::Scalar(Eigen::half(1.5f));
  EXPECT_EQ(half.dtype(), DType::kF16);
  EXPECT_EQ(half.byte_size(), 2);
  const Tensor bfloat16 = Tensor::Scalar(Eigen::bfloat16(1.5f));
  EXPECT_EQ(bfloat16.dtype(), DType::kBF16);
  EXPECT_EQ(static_cast<float>(bfloat16.span<Eigen::bfloat16>()[0]), 1.5f);
  EXPECT_EQ(static_cast<float>(bfloat16.item<Eigen::bfloat16>()), 1.5f);
  EXPECT_THAT(EigenArray<Eigen::half>(bfloat16),
              StatusIs(kInvalid, HasSubstr("expected a tensor of f16, found bf16[]")));
}

// ---- views ----

TEST(TensorEigenViewTest, EigenArray_HasAllElementsInOrder) {
  const Tensor tensor = TwoByThree();
  const auto array = EigenArray<float>(tensor).value();
  EXPECT_EQ(array.data(), tensor.span<float>().data());
  EXPECT_THAT(std::vector<float>(array.begin(), array.end()), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_EQ(array.sum(), 21);
}

TEST(TensorEigenViewTest, EigenArray_AcceptsAnyRank) {
  for (size_t rank = 0; rank <= 8; ++rank) {
    const Tensor tensor = Tensor::Zeros(DType::kF32, Shape(rank, 2)).value();
    EXPECT_EQ(EigenArray<float>(tensor).value().size(), int64_t{1} << rank);
  }
}

TEST(TensorEigenViewTest, EigenMatrix_HasTheIndicesOfTheTensor) {
  const Tensor tensor = TwoByThree();
  const auto matrix = EigenMatrix<float>(tensor).value();
  EXPECT_EQ(matrix.rows(), 2);
  EXPECT_EQ(matrix.cols(), 3);
  EXPECT_EQ(matrix(0, 2), 3);
  EXPECT_EQ(matrix(1, 0), 4);
  EXPECT_EQ(matrix.data(), tensor.span<float>().data());
}

TEST(TensorEigenViewTest, EigenVector_RequiresRankOne) {
  const Tensor tensor = Tensor::From<double>({3}, {1, 2, 3}).value();
  const auto vector = EigenVector<double>(tensor).value();
  EXPECT_EQ(vector.dot(vector), 14);
}

TEST(TensorEigenViewTest, EigenTensor_HasTheIndicesOfTheTensor) {
  const Tensor tensor = Tensor::From<int64_t>({2, 2, 2}, {0, 1, 2, 3, 4, 5, 6, 7}).value();
  const auto view = EigenTensor<int64_t, 3>(tensor).value();
  for (int i = 0; i < 2; ++i) {
    for (int j = 0; j < 2; ++j) {
      for (int k = 0; k < 2; ++k) EXPECT_EQ(view(i, j, k), 4 * i + 2 * j + k);
    }
  }
}

TEST(TensorEigenViewTest, EigenTensorOfRankZero_IsTheElement) {
  const Tensor scalar = Tensor::Scalar(5.0f);
  EXPECT_EQ((EigenTensor<float, 0>(scalar).value()()), 5);
}

TEST(TensorEigenViewTest, MutableView_WritesTheTensor) {
  Tensor matrix = TwoByThree();
  {
    MutableTensor writing = matrix.Mutate().value();
    EigenMatrix<float>(writing).value()(1, 0) = 40;
    EigenArray<float>(writing).value() *= 2;
    EigenTensor<float, 2>(writing).value()(0, 2) = 7;
  }
  EXPECT_THAT(FloatsOf(matrix), ElementsAre(2, 4, 7, 80, 10, 12));

  Tensor vector = Tensor::Zeros(DType::kF32, {2}).value();
  {
    MutableTensor writing = vector.Mutate().value();
    EigenVector<float>(writing).value() = Eigen::Vector2f(1, 2);
  }
  EXPECT_THAT(FloatsOf(vector), ElementsAre(1, 2));
}

TEST(TensorEigenViewTest, WriteThroughAView_DoesNotChangeCopies) {
  Tensor tensor = TwoByThree();
  const Tensor copy = tensor;
  {
    MutableTensor writing = tensor.Mutate().value();
    EigenArray<float>(writing).value().setZero();
  }
  EXPECT_EQ(copy, TwoByThree());
}

TEST(TensorEigenViewTest, UnalignedElements_AreRead) {
  Buffer buffer = Buffer::Allocate(64).value();
  for (int64_t offset = 0; offset <= 32; offset += 4) {
    Tensor tensor = Tensor::FromBuffer(DType::kF32, {8}, buffer, offset).value();
    EXPECT_EQ(EigenArray<float>(tensor).value().sum(), 0);
    EXPECT_EQ((EigenTensor<float, 1>(tensor).value()(7)), 0);
  }
}

TEST(TensorEigenViewTest, EmptyTensor_HasAnEmptyView) {
  const Tensor tensor = Tensor::Zeros(DType::kF32, {0, 3}).value();
  EXPECT_EQ(EigenArray<float>(tensor).value().size(), 0);
  EXPECT_EQ(EigenMatrix<float>(tensor).value().cols(), 3);
  EXPECT_EQ((EigenTensor<float, 2>(tensor).value().dimension(1)), 3);
}

TEST(TensorEigenViewTest, AnotherDType_IsAnError) {
  Tensor tensor = TwoByThree();
  const auto words = HasSubstr("expected a tensor of i32, found f32[2, 3]");
  EXPECT_THAT(EigenArray<int32_t>(tensor), StatusIs(kInvalid, words));
  EXPECT_THAT(EigenVector<int32_t>(tensor), StatusIs(kInvalid, words));
  EXPECT_THAT(EigenMatrix<int32_t>(tensor), StatusIs(kInvalid, words));
  EXPECT_THAT((EigenTensor<int32_t, 2>(tensor)), StatusIs(kInvalid, words));
  MutableTensor writing = tensor.Mutate().value();
  EXPECT_THAT(EigenArray<int32_t>(writing), StatusIs(kInvalid, words));
  EXPECT_THAT(EigenMatrix<int32_t>(writing), StatusIs(kInvalid, words));
}

TEST(TensorEigenViewTest, AnotherRank_IsAnError) {
  Tensor tensor = TwoByThree();
  const auto expected = [](int rank) {
    return StatusIs(kInvalid, AllOf(HasSubstr("[2, 3]"), HasSubstr("found rank 2"),
                                    HasSubstr("expected rank " + std::to_string(rank))));
  };
  EXPECT_THAT(EigenVector<float>(tensor), expected(1));
  EXPECT_THAT((EigenTensor<float, 3>(tensor)), expected(3));
  EXPECT_THAT((EigenTensor<float, 0>(tensor)), expected(0));
  const Tensor scalar = Tensor::Scalar(1.0f);
  EXPECT_THAT(EigenMatrix<float>(scalar), StatusIs(kInvalid, HasSubstr("expected rank 2")));
  MutableTensor writing = tensor.Mutate().value();
  EXPECT_THAT(EigenVector<float>(writing), expected(1));
  EXPECT_THAT((EigenTensor<float, 3>(writing)), expected(3));
}

TEST(TensorEigenViewTest, NullTensorAndClosedBorrow_AreErrors) {
  const Tensor null;
  EXPECT_THAT(EigenArray<float>(null), StatusIs(kPrecondition, HasSubstr("null")));
  EXPECT_THAT(EigenMatrix<float>(null), StatusIs(kPrecondition, HasSubstr("null")));
  Tensor tensor = TwoByThree();
  MutableTensor writing = tensor.Mutate().value();
  writing.Close();
  EXPECT_THAT(EigenMatrix<float>(writing), StatusIs(kPrecondition, HasSubstr("null")));
}

// ---- from Eigen ----

TEST(TensorEigenToTensorTest, LogicalIndices_AreKeptFromEitherLayout) {
  Eigen::MatrixXf columns(2, 3);
  columns << 1, 2, 3, 4, 5, 6;
  const RowMajorMatrix rows = columns;
  EXPECT_EQ(ToTensor(columns).value(), TwoByThree());
  EXPECT_EQ(ToTensor(rows).value(), TwoByThree());
}

TEST(TensorEigenToTensorTest, Vectors_HaveRankOneAndMatricesRankTwo) {
  EXPECT_THAT(ToTensor(Eigen::Vector3f(1, 2, 3))->shape(), ElementsAre(3));
  EXPECT_THAT(ToTensor(Eigen::RowVector3f(1, 2, 3))->shape(), ElementsAre(3));
  EXPECT_THAT(ToTensor(Eigen::VectorXd::Zero(4))->shape(), ElementsAre(4));
  EXPECT_THAT(ToTensor(Eigen::ArrayXi::Zero(4))->shape(), ElementsAre(4));
  EXPECT_THAT(ToTensor(Eigen::MatrixXf::Zero(4, 1))->shape(), ElementsAre(4, 1));
  EXPECT_THAT(ToTensor(Eigen::ArrayXXf::Zero(2, 3))->shape(), ElementsAre(2, 3));
  EXPECT_THAT(ToTensor(Eigen::Matrix<float, 1, 1>(5.0f))->shape(), ElementsAre(1));
}

TEST(TensorEigenToTensorTest, Expressions_AreEvaluated) {
  Eigen::MatrixXf m(2, 3);
  m << 1, 2, 3, 4, 5, 6;
  EXPECT_THAT(FloatsOf(ToTensor(m.transpose()).value()), ElementsAre(1, 4, 2, 5, 3, 6));
  EXPECT_THAT(FloatsOf(ToTensor(m * m.transpose()).value()), ElementsAre(14, 32, 32, 77));
  EXPECT_THAT(FloatsOf(ToTensor(m.row(1)).value()), ElementsAre(4, 5, 6));
  EXPECT_THAT(FloatsOf(ToTensor(m.col(1)).value()), ElementsAre(2, 5));
  EXPECT_THAT(FloatsOf(ToTensor(m.array() + 1).value()), ElementsAre(2, 3, 4, 5, 6, 7));
  const Tensor above = ToTensor(m.array() > 3).value();
  EXPECT_THAT(above.span<bool>(), ElementsAre(false, false, false, true, true, true));
}

TEST(TensorEigenToTensorTest, DType_IsThatOfTheScalar) {
  EXPECT_EQ(ToTensor(Eigen::VectorXd::Zero(1)).value().dtype(), DType::kF64);
  EXPECT_EQ(ToTensor(Eigen::VectorXcf::Zero(1)).value().dtype(), DType::kC64);
  EXPECT_EQ((ToTensor(Eigen::Array<uint8_t, 2, 2>::Zero()).value().dtype()), DType::kU8);
  EXPECT_EQ((ToTensor(Eigen::Matrix<Eigen::half, 2, 2>::Zero()).value().dtype()), DType::kF16);
}

TEST(TensorEigenToTensorTest, EmptyObject_IsCopied) {
  EXPECT_THAT(ToTensor(Eigen::MatrixXf(0, 3))->shape(), ElementsAre(0, 3));
  EXPECT_THAT(ToTensor(Eigen::VectorXf())->shape(), ElementsAre(0));
  EXPECT_THAT(ToTensor(Eigen::Tensor<float, 2>(3, 0))->shape(), ElementsAre(3, 0));
}

template <int Options>
void ExpectTensorRoundTrip() {
  Eigen::Tensor<float, 3, Options> made(2, 3, 4);
  for (int i = 0; i < 2; ++i) {
    for (int j = 0; j < 3; ++j) {
      for (int k = 0; k < 4; ++k) made(i, j, k) = static_cast<float>(100 * i + 10 * j + k);
    }
  }
  const Tensor tensor = ToTensor(made).value();
  EXPECT_THAT(tensor.shape(), ElementsAre(2, 3, 4));
  const auto view = EigenTensor<float, 3>(tensor).value();
  Eigen::Tensor<float, 3, Options> back;
  ASSERT_THAT(FromTensor(tensor, &back), IsOk());
  for (int i = 0; i < 2; ++i) {
    for (int j = 0; j < 3; ++j) {
      for (int k = 0; k < 4; ++k) {
        EXPECT_EQ(view(i, j, k), made(i, j, k));
        EXPECT_EQ(back(i, j, k), made(i, j, k));
      }
    }
  }
}

TEST(TensorEigenToTensorTest, EigenTensors_KeepTheirIndicesBothWays) {
  ExpectTensorRoundTrip<Eigen::ColMajor>();
  ExpectTensorRoundTrip<Eigen::RowMajor>();
}

TEST(TensorEigenToTensorTest, EigenTensorsOfRankZeroAndOne_RoundTrip) {
  Eigen::Tensor<float, 0> scalar;
  scalar() = 5;
  EXPECT_EQ(ToTensor(scalar).value(), Tensor::Scalar(5.0f));
  Eigen::Tensor<float, 1> vector(2);
  vector.setValues({1, 2});
  EXPECT_EQ(ToTensor(vector).value(), Tensor::From<float>({2}, {1, 2}).value());
  Eigen::Tensor<float, 0> back;
  ASSERT_THAT(FromTensor(Tensor::Scalar(6.0f), &back), IsOk());
  EXPECT_EQ(back(), 6);
}

// ---- to Eigen ----

TEST(TensorEigenFromTensorTest, LogicalIndices_AreKeptInEitherLayout) {
  Eigen::MatrixXf columns;
  ASSERT_THAT(FromTensor(TwoByThree(), &columns), IsOk());
  EXPECT_EQ(columns(0, 2), 3);
  EXPECT_EQ(columns(1, 0), 4);
  RowMajorMatrix rows;
  ASSERT_THAT(FromTensor(TwoByThree(), &rows), IsOk());
  EXPECT_EQ(rows, columns);
  Eigen::Array<float, 2, 3> fixed;
  ASSERT_THAT(FromTensor(TwoByThree(), &fixed), IsOk());
  EXPECT_EQ(fixed(1, 0), 4);
}

TEST(TensorEigenFromTensorTest, Vector_RequiresRankOne) {
  const Tensor tensor = Tensor::From<float>({3}, {1, 2, 3}).value();
  Eigen::VectorXf column(7);
  ASSERT_THAT(FromTensor(tensor, &column), IsOk());
  EXPECT_EQ(column, Eigen::Vector3f(1, 2, 3));
  Eigen::RowVector3f row;
  ASSERT_THAT(FromTensor(tensor, &row), IsOk());
  EXPECT_EQ(row, Eigen::RowVector3f(1, 2, 3));
  Eigen::Matrix<float, 1, 1> single;
  ASSERT_THAT(FromTensor(Tensor::From<float>({1}, {5}).value(), &single), IsOk());
  EXPECT_EQ(single(0), 5);
}

TEST(TensorEigenFromTensorTest, EmptyTensor_IsCopied) {
  Eigen::MatrixXf matrix(2, 2);
  ASSERT_THAT(FromTensor(Tensor::Zeros(DType::kF32, {3, 0}).value(), &matrix), IsOk());
  EXPECT_EQ(matrix.rows(), 3);
  EXPECT_EQ(matrix.cols(), 0);
  Eigen::Tensor<float, 2> tensor(2, 2);
  ASSERT_THAT(FromTensor(Tensor::Zeros(DType::kF32, {3, 0}).value(), &tensor), IsOk());
  EXPECT_EQ(tensor.dimension(0), 3);
}

TEST(TensorEigenFromTensorTest, AnotherFixedSize_IsAnErrorAndChangesNothing) {
  Eigen::Matrix<float, 3, Eigen::Dynamic> matrix = Eigen::MatrixXf::Ones(3, 1);
  EXPECT_THAT(FromTensor(TwoByThree(), &matrix),
              StatusIs(kInvalid, AllOf(HasSubstr("expected [3, ?]"), HasSubstr("found [2, 3]"))));
  EXPECT_EQ(matrix, Eigen::Vector3f::Ones());

  const Tensor four = Tensor::Zeros(DType::kF32, {4}).value();
  Eigen::RowVector3f row = Eigen::RowVector3f::Ones();
  EXPECT_THAT(FromTensor(four, &row),
              StatusIs(kInvalid, AllOf(HasSubstr("expected [3]"), HasSubstr("found [4]"))));
  EXPECT_EQ(row, Eigen::RowVector3f::Ones());
}

TEST(TensorEigenFromTensorTest, AboveTheMaximumSize_IsAnError) {
  Eigen::Matrix<float, Eigen::Dynamic, 1, Eigen::ColMajor, 4, 1> bounded;
  EXPECT_THAT(FromTensor(Tensor::Zeros(DType::kF32, {4}).value(), &bounded), IsOk());
  EXPECT_THAT(FromTensor(Tensor::Zeros(DType::kF32, {5}).value(), &bounded),
              StatusIs(kInvalid, AllOf(HasSubstr("expected [<=4]"), HasSubstr("found [5]"))));
  EXPECT_EQ(bounded.size(), 4);
}

TEST(TensorEigenFromTensorTest, AnotherRankOrDType_IsAnErrorAndChangesNothing) {
  Eigen::VectorXf vector = Eigen::VectorXf::Ones(2);
  EXPECT_THAT(FromTensor(TwoByThree(), &vector),
              StatusIs(kInvalid, HasSubstr("expected rank 1, found rank 2")));
  EXPECT_THAT(FromTensor(Tensor::Zeros(DType::kF64, {2}).value(), &vector),
              StatusIs(kInvalid, AllOf(HasSubstr("f64"), HasSubstr("f32"))));
  EXPECT_THAT(FromTensor(Tensor(), &vector), StatusIs(kPrecondition, HasSubstr("null")));
  EXPECT_EQ(vector, Eigen::VectorXf::Ones(2));
  Eigen::Tensor<float, 3> tensor(1, 1, 1);
  EXPECT_THAT(FromTensor(TwoByThree(), &tensor),
              StatusIs(kInvalid, HasSubstr("expected rank 3, found rank 2")));
  EXPECT_EQ(tensor.size(), 1);
}

TEST(TensorEigenFromTensorTest, TooNarrowIndexType_IsAnError) {
  Eigen::Tensor<float, 1, Eigen::ColMajor, int8_t> narrow;
  EXPECT_THAT(FromTensor(Tensor::Zeros(DType::kF32, {127}).value(), &narrow), IsOk());
  EXPECT_THAT(FromTensor(Tensor::Zeros(DType::kF32, {128}).value(), &narrow),
              StatusIs(kInvalid, AllOf(HasSubstr("[128]"), HasSubstr("at most 127"))));
  EXPECT_EQ(narrow.size(), 127);
}

}  // namespace
}  // namespace leafstore
