#include "leafstore/core/leaf_columns.h"

#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace leafstore {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<Leaf> Leaves() {
  return {Value("gelu"), Tensor::Zeros(DType::kF32, {2, 3}).value(), Value(12),
          Tensor::Scalar(int64_t{7}), Tensor::Zeros(DType::kF64, {0, 4}).value()};
}

TEST(LeafColumnsTest, Columns_HaveTheSpecsAndValuesOfTheLeaves) {
  const std::vector<Leaf> leaves = Leaves();
  const LeafColumns columns = LeafColumns::Of(leaves);
  ASSERT_EQ(columns.size(), 5u);
  for (uint32_t place = 0; place < 5; ++place) {
    EXPECT_EQ(columns.spec(place), leaves[place].spec());
    EXPECT_EQ(columns.is_tensor(place), leaves[place].is_tensor());
  }
  EXPECT_EQ(columns.tensor_count(), 3u);
  EXPECT_EQ(columns.total_bytes(), 32);
  EXPECT_TRUE(columns.value(0) == Value("gelu"));
  EXPECT_EQ(columns.dtype(1), DType::kF32);
  EXPECT_EQ(columns.tensor(4), 2u);
  EXPECT_THAT(columns.shape(1), ElementsAre(2, 3));
  EXPECT_THAT(columns.shape(3), IsEmpty());
  EXPECT_THAT(columns.shape(4), ElementsAre(0, 4));
  EXPECT_EQ(columns.byte_size(1), 24);
  EXPECT_EQ(columns.byte_size(4), 0);
}

TEST(LeafColumnsTest, Equality_ComparesSpecsAndValues) {
  std::vector<Leaf> leaves = Leaves();
  const LeafColumns columns = LeafColumns::Of(leaves);
  EXPECT_EQ(columns, LeafColumns::Of(leaves));
  leaves[2] = Value(13);
  EXPECT_FALSE(columns == LeafColumns::Of(leaves));
  leaves = Leaves();
  leaves[1] = Tensor::Zeros(DType::kF32, {3, 2}).value();
  EXPECT_FALSE(columns == LeafColumns::Of(leaves));
  leaves = Leaves();
  std::swap(leaves[0], leaves[1]);
  EXPECT_FALSE(columns == LeafColumns::Of(leaves));
}

TEST(LeafColumnsTest, TotalBytes_SaturatesAtTheMaximum) {
  LeafColumns columns;
  const int64_t most = std::numeric_limits<int64_t>::max();
  columns.AddTensor(DType::kU8, {most}, most);
  columns.AddTensor(DType::kU8, {7}, 7);
  EXPECT_EQ(columns.total_bytes(), most);
}

}  // namespace
}  // namespace leafstore
