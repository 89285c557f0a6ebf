#include "leafstore/treedef/bind/binding_eigen.h"

#include <concepts>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/treedef/bind/flatten.h"

#include "tests/core/status_matchers.h"
#include "tests/treedef/model_testing.h"

namespace user {

// A type with conversions to and from tensors, and a partial specialization of LeafTraits.
struct Pair {
  float a = 0, b = 0;
};
inline leafstore::Tensor ToTensor(const Pair& pair) {
  return leafstore::ToTensor(Eigen::Vector2f(pair.a, pair.b)).value();
}
inline absl::Status FromTensor(const leafstore::Tensor& tensor, Pair* out) {
  out->a = tensor.span<float>()[0];
  out->b = tensor.span<float>()[1];
  return absl::OkStatus();
}

}  // namespace user

namespace leafstore {

template <std::same_as<user::Pair> T>
struct LeafTraits<T> {
  static absl::StatusOr<Leaf> ToLeaf(const T& pair) { return Leaf(ToTensor(pair)); }
  static absl::Status FromLeaf(const Leaf& leaf, T* out) { return FromTensor(leaf.tensor(), out); }
};

namespace binding_eigen_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

using RowMajorMatrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Cube = Eigen::Tensor<float, 3>;
using RowMajorCube = Eigen::Tensor<float, 3, Eigen::RowMajor>;

struct Model {
  Eigen::MatrixXf matrix;
  RowMajorMatrix row_major;
  Eigen::Matrix2i fixed = Eigen::Matrix2i::Zero();
  Eigen::VectorXf column;
  Eigen::RowVectorXf row;
  Eigen::Vector3d three = Eigen::Vector3d::Zero();
  Eigen::ArrayXXf array;
  Eigen::ArrayXd flat;
  Cube cube;
  RowMajorCube row_major_cube;
  LEAFSTORE_FIELDS(matrix, row_major, fixed, column, row, three, array, flat, cube, row_major_cube)
};

Model Sample() {
  Model model;
  model.matrix = Eigen::MatrixXf::Random(2, 3);
  model.row_major = RowMajorMatrix::Random(3, 2);
  model.fixed << 1, 2, 3, 4;
  model.column = Eigen::VectorXf::Random(4);
  model.row = Eigen::RowVectorXf::Random(5);
  model.three = Eigen::Vector3d::Random();
  model.array = Eigen::ArrayXXf::Random(2, 2);
  model.flat = Eigen::ArrayXd::Random(6);
  model.cube = Cube(2, 3, 4);
  model.cube.setRandom();
  model.row_major_cube = RowMajorCube(4, 3, 2);
  model.row_major_cube.setRandom();
  return model;
}

Leaf LeafAt(const FlatTree& flat, const char* path) {
  return flat.leaves[flat.def.leaf_begin(flat.def.Find(path).value())];
}

TEST(BindingEigenTest, Fields_AreTensorsOfTheirShape) {
  EXPECT_THAT(
      LinesOf(Sample()),
      ElementsAre(".array = f32[2, 2]", ".column = f32[4]", ".cube = f32[2, 3, 4]",
                  ".fixed = i32[2, 2]", ".flat = f64[6]", ".matrix = f32[2, 3]", ".row = f32[5]",
                  ".row_major = f64[3, 2]", ".row_major_cube = f32[4, 3, 2]", ".three = f64[3]"));
}

TEST(BindingEigenTest, LogicalIndices_AreKept) {
  const Model model = Sample();
  const FlatTree flat = FlattenTree(model).value();
  const Tensor fixed = LeafAt(flat, ".fixed").tensor();
  EXPECT_THAT(fixed.span<int>(), ElementsAre(1, 2, 3, 4));
  const Tensor matrix = LeafAt(flat, ".matrix").tensor();
  EXPECT_EQ(EigenMatrix<float>(matrix).value(), model.matrix);
  const Tensor cube = LeafAt(flat, ".cube").tensor();
  const auto view = EigenTensor<float, 3>(cube).value();
  for (int i = 0; i < 2; ++i) {
    for (int j = 0; j < 3; ++j) {
      for (int k = 0; k < 4; ++k) EXPECT_EQ(view(i, j, k), model.cube(i, j, k));
    }
  }
}

TEST(BindingEigenTest, Unflatten_IntoAnyMatrix_ReplacesIt) {
  const Model model = Sample();
  const FlatTree flat = FlattenTree(model).value();
  Model other_sizes = Sample();
  other_sizes.matrix.resize(7, 1);
  other_sizes.cube = Cube(1, 1, 1);
  Model empty;
  for (Model* back : {&other_sizes, &empty}) {
    ASSERT_THAT(UnflattenTree(flat.def, flat.leaves, back), IsOk());
    EXPECT_EQ(back->matrix, model.matrix);
    EXPECT_EQ(back->row_major, model.row_major);
    EXPECT_EQ(back->row, model.row);
    EXPECT_EQ(back->three, model.three);
    EXPECT_EQ(FlattenTree(*back).value().leaves, flat.leaves);
  }
}

TEST(BindingEigenTest, TraitsOfAUsersType_AreNotAmbiguous) {
  EXPECT_THAT(Lines(FlattenTree(std::vector<user::Pair>(1)).value()), ElementsAre("[0] = f32[2]"));
}

TEST(BindingEigenTest, EmptyMatrix_IsATensorWithoutElements) {
  std::vector<Eigen::MatrixXf> model(1);
  const FlatTree flat = FlattenTree(model).value();
  EXPECT_THAT(Lines(flat), ElementsAre("[0] = f32[0, 0]"));
  model[0].resize(2, 2);
  ASSERT_THAT(UnflattenTree(flat.def, flat.leaves, &model), IsOk());
  EXPECT_EQ(model[0].size(), 0);
}

// Gives the second of two fields a leaf that does not fit, and expects that nothing changes.
template <typename T>
absl::Status WriteSecond(T value, Leaf leaf) {
  std::pair<int, T> model = {1, std::move(value)};
  const FlatTree before = FlattenTree(model).value();
  const absl::Status status =
      UnflattenTree(before.def, std::vector<Leaf>{Value(2), std::move(leaf)}, &model);
  EXPECT_EQ(FlattenTree(model).value().leaves, before.leaves);
  return status;
}

TEST(BindingEigenTest, Unflatten_MismatchedTensor_ReportsThePath) {
  const Leaf vector = Tensor::Zeros(DType::kF32, {3}).value();
  const Leaf f64 = Tensor::Zeros(DType::kF64, {2, 2}).value();
  const Leaf three_by_two = Tensor::Zeros(DType::kI32, {3, 2}).value();
  const auto error = [](const char* words) {
    return StatusIs(absl::StatusCode::kInvalidArgument,
                    testing::AllOf(testing::StartsWith("at [1]: "), HasSubstr(words)));
  };
  const Eigen::MatrixXf matrix = Eigen::MatrixXf::Random(2, 2);
  EXPECT_THAT(WriteSecond(matrix, Value(1)), error("expected a tensor, found 1"));
  EXPECT_THAT(WriteSecond(matrix, vector), error("expected rank 2, found rank 1"));
  EXPECT_THAT(WriteSecond(matrix, f64), error("f64"));
  EXPECT_THAT(WriteSecond<Eigen::Matrix2i>(Eigen::Matrix2i::Ones(), three_by_two),
              error("expected [2, 2], found [3, 2]"));
  EXPECT_THAT(WriteSecond<Eigen::Vector2f>(Eigen::Vector2f::Ones(), vector),
              error("expected [2], found [3]"));
  Cube cube(1, 1, 1);
  cube.setZero();
  EXPECT_THAT(WriteSecond(cube, vector), error("expected rank 3, found rank 1"));
}

}  // namespace
}  // namespace binding_eigen_test
}  // namespace leafstore
