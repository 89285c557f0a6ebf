#include "leafstore/pack/pack_layout.h"

#include <limits>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/core/buffer.h"

#include "tests/core/status_matchers.h"
#include "tests/store/sample_stores.h"

namespace leafstore {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

ParamStore SixLeaves() {
  return StoreOf({{"a", Floats(std::vector<float>(16, 1))},  // 64 bytes
                  {"b", Floats({1, 2, 3})},                  // 12
                  {"c", Ints({1, 2})},
                  {"d", Tensor::Zeros(DType::kF32, {0, 5}).value()},
                  {"e", Floats(std::vector<float>(17, 1))},  // 68
                  {"f", Value("gelu")}});
}

TEST(PackLayoutTest, Leaves_AreAtMultiplesOf64InOrderOfSlots) {
  const ParamStore store = SixLeaves();
  const PackLayout plan = PackLayout::Create(store, DType::kF32).value();
  ASSERT_EQ(plan.size(), 4u);
  EXPECT_EQ(plan.dtype(), DType::kF32);
  EXPECT_EQ(plan.byte_size(), 64 + 64 + 0 + 128);
  EXPECT_EQ(plan.slot(0), 0u);
  EXPECT_EQ(plan.slot(3), 4u);
  EXPECT_EQ(plan.offset(0), 0);
  EXPECT_EQ(plan.offset(1), 64);
  EXPECT_EQ(plan.offset(2), 128);
  EXPECT_EQ(plan.offset(3), 128);  // the empty leaf before it has no bytes
  EXPECT_EQ(plan.bytes(1), 12);
  EXPECT_EQ(plan.bytes(2), 0);
  EXPECT_THAT(plan.shape(1), ElementsAre(3));
  EXPECT_THAT(plan.shape(2), ElementsAre(0, 5));
}

TEST(PackLayoutTest, PlaceOf_FindsAPlaceBySlot) {
  const ParamStore store = SixLeaves();
  const PackLayout plan = PackLayout::Create(store, DType::kF32).value();
  EXPECT_EQ(plan.PlaceOf(4), 3u);
  EXPECT_EQ(plan.PlaceOf(2), kNoPlace);     // an integer
  EXPECT_EQ(plan.PlaceOf(5), kNoPlace);     // static
  EXPECT_EQ(plan.PlaceOf(4711), kNoPlace);  // not a slot
}

TEST(PackLayoutTest, Gaps_FillTheBytesBetweenLeaves) {
  const PackLayout plan = PackLayout::Create(SixLeaves(), DType::kF32).value();
  ASSERT_EQ(plan.gaps().size(), 2u);
  EXPECT_EQ(plan.gaps()[0].offset, 64 + 12);
  EXPECT_EQ(plan.gaps()[0].bytes, 52);
  EXPECT_EQ(plan.gaps()[1].offset, 128 + 68);
  EXPECT_EQ(plan.gaps()[1].bytes, 60);
}

TEST(PackLayoutTest, MissingDType_HasAnEmptyLayout) {
  const PackLayout plan = PackLayout::Create(SixLeaves(), DType::kBF16).value();
  EXPECT_EQ(plan.size(), 0u);
  EXPECT_EQ(plan.byte_size(), 0);
  EXPECT_TRUE(plan.gaps().empty());
}

TEST(PackLayoutTest, SubByteTypes_TakeCompleteBytes) {
  const ParamStore store = StoreOf({{"a", Tensor::Zeros(DType::kF6E2M3, {4}).value()},
                                    {"b", Tensor::Zeros(DType::kF6E2M3, {2, 88}).value()}});
  const PackLayout plan = PackLayout::Create(store, DType::kF6E2M3).value();
  EXPECT_EQ(plan.bytes(0), 3);
  EXPECT_EQ(plan.bytes(1), 132);
  EXPECT_EQ(plan.offset(1), 64);
  EXPECT_EQ(plan.byte_size(), 64 + 192);
}

TEST(PackLayoutTest, Spec_HasDTypeAndShape) {
  const PackLayout plan = PackLayout::Create(SixLeaves(), DType::kF32).value();
  EXPECT_EQ(plan.spec(1), LeafSpec(DType::kF32, {3}));
}

TEST(PackLayoutTest, Equality_ComparesDTypeLayoutSlotsAndShapes) {
  const ParamStore store = SixLeaves();
  const PackLayout plan = PackLayout::Create(store, DType::kF32).value();
  const PackLayout copy = plan;
  EXPECT_EQ(plan, copy);
  EXPECT_EQ(plan, PackLayout::Create(store, DType::kF32).value());
  EXPECT_FALSE(plan == PackLayout::Create(store, DType::kI32).value());
  EXPECT_FALSE(plan == PackLayout::Create(SixLeaves(), DType::kF32).value());  // another Layout
  EXPECT_FALSE(plan == PackLayout::Create(GroupOf(store, {0, 1, 3}), DType::kF32).value());
}

TEST(PackLayoutTest, ByteSizeOverflow_NamesThePath) {
  // A tensor without memory behind it; its bytes are not read.
  constexpr int64_t kHalf = int64_t{1} << 62;
  const Buffer nothing = Buffer::External(nullptr, kHalf, nullptr).value();
  const Tensor huge = Tensor::FromBuffer(DType::kU8, {kHalf}, nothing).value();
  const ParamStore store = StoreOf({{"a", huge}, {"b", huge}});
  EXPECT_THAT(PackLayout::Create(store, DType::kU8),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       AllOf(HasSubstr("at .b: expected a pack of at most 9223372036854775807"),
                             HasSubstr("found more"))));
}

}  // namespace
}  // namespace leafstore
