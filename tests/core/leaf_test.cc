#include "leafstore/core/leaf.h"

#include <type_traits>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/core/status_matchers.h"

namespace leafstore {
namespace {

static_assert(sizeof(Leaf) == 8);
static_assert(std::is_nothrow_move_constructible_v<Leaf>);
static_assert(std::is_nothrow_move_assignable_v<Leaf>);

Tensor ThreeNumbers() { return Tensor::From<float>({3}, {1, 2, 3}).value(); }

TEST(LeafTest, Default_IsNull) {
  const Leaf leaf;
  EXPECT_TRUE(leaf.null());
  EXPECT_FALSE(leaf.is_tensor());
  EXPECT_FALSE(leaf.is_value());
  EXPECT_EQ(leaf, Leaf());
  EXPECT_EQ(leaf.ToString(), "null");
}

TEST(LeafTest, NullTensor_IsANullLeaf) { EXPECT_TRUE(Leaf(Tensor()).null()); }

TEST(LeafTest, Leaf_HoldsATensor) {
  const Tensor tensor = ThreeNumbers();
  const Leaf leaf = tensor;
  EXPECT_TRUE(leaf.is_tensor());
  EXPECT_FALSE(leaf.is_value());
  EXPECT_EQ(leaf.tensor(), tensor);
  EXPECT_TRUE(leaf.tensor().SharesBytesWith(tensor));
  EXPECT_EQ(leaf.generation(), tensor.generation());
  EXPECT_EQ(leaf.byte_size(), 12);
  EXPECT_EQ(leaf.spec(), LeafSpec(DType::kF32, {3}));
  EXPECT_EQ(leaf.ToString(), "f32[3]");
}

TEST(LeafTest, Leaf_HoldsAValue) {
  const Leaf leaf = Value("gelu");
  EXPECT_TRUE(leaf.is_value());
  EXPECT_FALSE(leaf.is_tensor());
  EXPECT_EQ(*leaf.value().As<std::string>(), "gelu");
  EXPECT_EQ(leaf.byte_size(), 4);
  EXPECT_EQ(leaf.spec(), LeafSpec(ValueKind::kString));
  EXPECT_EQ(leaf.ToString(), "'gelu'");
}

TEST(LeafTest, EveryNewValue_HasAUniqueGeneration) {
  const Leaf first = Value(1);
  const Leaf second = Value(1);
  EXPECT_LT(first.generation(), second.generation());
  EXPECT_EQ(Leaf(first).generation(), first.generation());
}

TEST(LeafTest, Equality_ComparesTheContents) {
  EXPECT_EQ(Leaf(ThreeNumbers()), Leaf(ThreeNumbers()));
  EXPECT_NE(Leaf(ThreeNumbers()), Leaf(Tensor::Scalar(1.0f)));
  EXPECT_EQ(Leaf(Value(12)), Leaf(Value(12)));
  EXPECT_NE(Leaf(Value(12)), Leaf(Value(12.0)));
}

TEST(LeafTest, Tensor_NeverEqualsAValueOrNull) {
  const Leaf tensor = Tensor::Scalar<int64_t>(12);
  const Leaf value = Value(12);
  EXPECT_NE(tensor, value);
  EXPECT_NE(value, tensor);
  EXPECT_NE(tensor, Leaf());
  EXPECT_NE(Leaf(), value);
}

TEST(LeafTest, Copies_ShareTheBytes) {
  const Leaf tensor = ThreeNumbers();
  EXPECT_TRUE(Leaf(tensor).tensor().SharesBytesWith(tensor.tensor()));
  const Leaf value = Value("gelu");
  const Leaf copy = value;
  EXPECT_EQ(&copy.value(), &value.value());
}

TEST(LeafTest, Value_LivesUntilTheLastCopy) {
  Leaf last;
  {
    const Leaf first = Value(std::string(1000, 'x'));
    last = first;
  }
  EXPECT_EQ(last.byte_size(), 1000);
}

TEST(LeafTest, MovedFrom_IsNull) {
  Leaf from = Value(12);
  Leaf to = std::move(from);
  EXPECT_TRUE(from.null());  // NOLINT(bugprone-use-after-move): that is what is tested
  EXPECT_EQ(*to.value().As<int64_t>(), 12);
  to = Leaf(ThreeNumbers());
  EXPECT_TRUE(to.is_tensor());
}

TEST(LeafTest, WriteThroughALeaf_DoesNotChangeItsCopies) {
  Leaf leaf = ThreeNumbers();
  const Leaf copy = leaf;
  {
    MutableTensor writing = leaf.mutable_tensor().Mutate().value();
    writing.span<float>()[0] = 7;
  }
  EXPECT_EQ(leaf.tensor(), Tensor::From<float>({3}, {7, 2, 3}).value());
  EXPECT_EQ(copy.tensor(), ThreeNumbers());
}

TEST(LeafTest, RvalueAccessors_MoveTheContents) {
  Leaf tensor = ThreeNumbers();
  const std::byte* const data = tensor.tensor().raw_data();
  Tensor taken = std::move(tensor).tensor();
  EXPECT_EQ(taken.raw_data(), data);
  EXPECT_TRUE(tensor.null());  // NOLINT(bugprone-use-after-move): that is what is tested
  Leaf value = Value("gelu");
  EXPECT_EQ(std::move(value).value(), Value("gelu"));
}

TEST(LeafTest, Leaf_MayMoveDuringABorrow) {
  std::vector<Leaf> leaves;
  leaves.push_back(ThreeNumbers());
  MutableTensor writing = leaves[0].mutable_tensor().Mutate().value();
  for (int i = 0; i < 100; ++i) leaves.push_back(Value(i));
  writing.span<float>()[0] = 7;
  writing.Close();
  EXPECT_EQ(leaves[0].tensor(), Tensor::From<float>({3}, {7, 2, 3}).value());
}

}  // namespace
}  // namespace leafstore
