#include "leafstore/proto/leaf_columns.h"

#include <cstddef>
#include <limits>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/checkpoint/models.h"

namespace leafstore {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(LeafColumnsTest, Columns_HaveTheSpecsOfTheLeaves) {
  const ParamStore store = EveryKindStore();
  const LeafColumns columns = LeafColumns::Of(store.leaves());
  ASSERT_EQ(columns.size(), 6u);
  EXPECT_EQ(columns.tensor_count(), 3u);
  EXPECT_EQ(columns.total_bytes(), 32);
  EXPECT_FALSE(columns.is_tensor(0));
  EXPECT_TRUE(columns.value(0) == Value("gelu"));
  EXPECT_TRUE(columns.is_tensor(2));
  EXPECT_EQ(columns.dtype(2), DType::kF32);
  EXPECT_EQ(columns.tensor(5), 2u);
  EXPECT_THAT(columns.shape(2), ElementsAre(2, 3));
  EXPECT_THAT(columns.shape(3), IsEmpty());
  EXPECT_THAT(columns.shape(5), ElementsAre(0, 4));
  EXPECT_EQ(columns.byte_size(5), 0);
}

TEST(LeafColumnsTest, TotalBytes_SaturatesAtTheMaximum) {
  LeafColumns columns;
  const int64_t most = std::numeric_limits<int64_t>::max();
  columns.AddTensor(DType::kU8, {most}, most);
  columns.AddTensor(DType::kU8, {7}, 7);
  EXPECT_EQ(columns.total_bytes(), most);
}

TEST(LeafColumnsTest, Bools_AreZeroOrOne) {
  const auto are_bools = [](std::vector<uint8_t> bytes) {
    return AreBools(
        absl::MakeConstSpan(reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()));
  };
  EXPECT_TRUE(are_bools({}));
  EXPECT_TRUE(are_bools({0, 1, 1}));
  EXPECT_FALSE(are_bools({0, 2}));
  EXPECT_FALSE(are_bools({255, 0}));
}

}  // namespace
}  // namespace leafstore
