#include "leafstore/core/leaf_spec.h"

#include "absl/hash/hash_testing.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace leafstore {
namespace {

TEST(LeafSpecTest, Tensor_HasDTypeAndShape) {
  const Shape shape = {2, 3};
  const LeafSpec spec(DType::kF32, shape);
  EXPECT_TRUE(spec.is_tensor());
  EXPECT_EQ(spec.dtype(), DType::kF32);
  EXPECT_EQ(spec.shape(), shape);
  EXPECT_EQ(spec.rank(), 2);
  EXPECT_EQ(spec.byte_size(), 24);
  EXPECT_EQ(spec.ToString(), "f32[2, 3]");
}

TEST(LeafSpecTest, Value_HasAKind) {
  const LeafSpec spec(ValueKind::kString);
  EXPECT_FALSE(spec.is_tensor());
  EXPECT_EQ(spec.value_kind(), ValueKind::kString);
  EXPECT_EQ(spec.ToString(), "static str");
}

TEST(LeafSpecTest, ByteSize_OfNarrowElements_IsPacked) {
  EXPECT_EQ(LeafSpec(DType::kF4, {6}).byte_size(), 3);
  EXPECT_EQ(LeafSpec(DType::kF6E2M3, {8}).byte_size(), 6);
  EXPECT_EQ(LeafSpec(DType::kC64, {2, 0}).byte_size(), 0);
}

TEST(LeafSpecTest, EqualityAndHash_DependOnKindDTypeAndShape) {
  EXPECT_EQ(LeafSpec(DType::kF32, {2}), LeafSpec(DType::kF32, {2}));
  EXPECT_FALSE(LeafSpec(DType::kF32, {2}) == LeafSpec(DType::kI32, {2}));
  EXPECT_FALSE(LeafSpec(DType::kF32, {2}) == LeafSpec(DType::kF32, {2, 1}));
  EXPECT_FALSE(LeafSpec(DType::kF32, {}) == LeafSpec(ValueKind::kFloat));
  const Shape a = {2};
  const Shape b = {2, 1};
  const Shape c = {1, 1, 1, 1, 2};
  EXPECT_TRUE(absl::VerifyTypeImplementsAbslHashCorrectly(
      {LeafSpec(DType::kF32, {}), LeafSpec(DType::kF32, a), LeafSpec(DType::kF32, b),
       LeafSpec(DType::kF32, c), LeafSpec(DType::kI32, a), LeafSpec(ValueKind::kInt),
       LeafSpec(ValueKind::kBool)}));
}

}  // namespace
}  // namespace leafstore
