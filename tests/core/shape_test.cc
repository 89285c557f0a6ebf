#include "leafstore/core/shape.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

namespace leafstore {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
constexpr int64_t kTwo32 = int64_t{1} << 32;

void ExpectError(const absl::Status& status, absl::StatusCode code, const std::string& words) {
  EXPECT_EQ(status.code(), code) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(words));
}

TEST(ShapeTest, ToString_ListsTheExtents) {
  EXPECT_EQ(ShapeToString(Shape{}), "[]");
  EXPECT_EQ(ShapeToString(Shape{2}), "[2]");
  EXPECT_EQ(ShapeToString(Shape{128, 0, 64}), "[128, 0, 64]");
}

TEST(ShapeTest, ElementCount_IsTheProduct) {
  EXPECT_EQ(ElementCount(Shape{}).value(), 1) << "a scalar";
  EXPECT_EQ(ElementCount(Shape{128, 64}).value(), 8192);
  EXPECT_EQ(ElementCount(Shape{3, 0, 2}).value(), 0);
  EXPECT_EQ(ElementCount(Shape{kMax}).value(), kMax);
  EXPECT_EQ(ElementCount(Shape(kMaxRank, 1)).value(), 1);
  EXPECT_EQ(ElementCount(Shape(kMaxRank, 2)).value(), kTwo32);
}

TEST(ShapeTest, NegativeExtents_AreAnError) {
  ExpectError(ElementCount(Shape{2, -1}).status(), absl::StatusCode::kInvalidArgument,
              "shape [2, -1]: extent 1 is negative");
  ExpectError(ElementCount(Shape{std::numeric_limits<int64_t>::min()}).status(),
              absl::StatusCode::kInvalidArgument, "extent 0 is negative");
  ExpectError(ElementCount(Shape{-1, -1}).status(), absl::StatusCode::kInvalidArgument,
              "extent 0 is negative");
}

TEST(ShapeTest, RanksOverTheLimit_AreAnError) {
  ExpectError(ElementCount(Shape(kMaxRank + 1, 1)).status(), absl::StatusCode::kInvalidArgument,
              "a shape of rank 33; the highest rank is 32");
  ExpectError(ByteSize(DType::kF32, Shape(100000, 1)).status(), absl::StatusCode::kInvalidArgument,
              "a shape of rank 100000");
}

TEST(ShapeTest, OverflowingProducts_AreAnError) {
  ExpectError(ElementCount(Shape{kTwo32, kTwo32}).status(), absl::StatusCode::kResourceExhausted,
              "shape [4294967296, 4294967296]: more than 2^63 - 1 elements");
  ExpectError(ElementCount(Shape{kTwo32, kTwo32 / 2}).status(),
              absl::StatusCode::kResourceExhausted, "more than 2^63 - 1 elements");
  EXPECT_TRUE(ElementCount(Shape{kTwo32, kTwo32 / 4}).ok());
}

TEST(ShapeTest, Error_DoesNotDependOnTheOrderOfExtents) {
  struct Case {
    std::vector<int64_t> extents;
    absl::StatusCode code;
  };
  for (Case c : {Case{{0, kTwo32, kTwo32}, absl::StatusCode::kResourceExhausted},
                 Case{{-1, 0, kTwo32, kTwo32}, absl::StatusCode::kInvalidArgument},
                 Case{{0, 3, kMax / 3}, absl::StatusCode::kOk}}) {
    std::sort(c.extents.begin(), c.extents.end());
    do {
      EXPECT_EQ(ElementCount(c.extents).status().code(), c.code) << ShapeToString(c.extents);
      EXPECT_EQ(ByteSize(DType::kU8, c.extents).status().code(), c.code)
          << ShapeToString(c.extents);
    } while (std::next_permutation(c.extents.begin(), c.extents.end()));
  }
}

TEST(ShapeTest, ByteSize_IsCountTimesWidth) {
  EXPECT_EQ(ByteSize(DType::kF32, Shape{128, 64}).value(), 32768);
  EXPECT_EQ(ByteSize(DType::kBool, Shape{3}).value(), 3);
  EXPECT_EQ(ByteSize(DType::kC64, Shape{}).value(), 8);
  EXPECT_EQ(ByteSize(DType::kF64, Shape{0, 7}).value(), 0);
  EXPECT_EQ(ByteSize(DType::kU8, Shape{kMax}).value(), kMax);
}

TEST(ShapeTest, SubByteElements_ArePacked) {
  EXPECT_EQ(ByteSize(DType::kF4, Shape{2, 3}).value(), 3);
  EXPECT_EQ(ByteSize(DType::kF6E2M3, Shape{4}).value(), 3);
  EXPECT_EQ(ByteSize(DType::kF6E3M2, Shape{2, 2, 2}).value(), 6);
  EXPECT_EQ(ByteSize(DType::kF4, Shape{3, 0}).value(), 0);
  EXPECT_EQ(ByteSize(DType::kF4, Shape{kMax - 1}).value(), (kMax - 1) / 2)
      << "the bits exceed 64 bits, the bytes do not";
  EXPECT_EQ(ByteSize(DType::kF6E2M3, Shape{kTwo32, kTwo32 / 4}).value(),
            kTwo32 / 4 * (kTwo32 / 4) * 3);
}

TEST(ShapeTest, PartialBytes_AreAnError) {
  ExpectError(ByteSize(DType::kF4, Shape{3}).status(), absl::StatusCode::kInvalidArgument,
              "shape [3] of f4: 3 elements of 4 bits do not fill whole bytes");
  ExpectError(ByteSize(DType::kF6E2M3, Shape{2, 3}).status(), absl::StatusCode::kInvalidArgument,
              "shape [2, 3] of f6_e2m3: 6 elements of 6 bits do not fill whole bytes");
  ExpectError(ByteSize(DType::kF4, Shape{}).status(), absl::StatusCode::kInvalidArgument,
              "do not fill whole bytes");
}

TEST(ShapeTest, ByteSizeOverflow_IsAnErrorEvenWithAZeroExtent) {
  ExpectError(ByteSize(DType::kF32, Shape{kTwo32, kTwo32 / 8}).status(),
              absl::StatusCode::kResourceExhausted,
              "shape [4294967296, 536870912] of f32: more than 2^63 - 1 bytes");
  ExpectError(ByteSize(DType::kU16, Shape{0, kMax}).status(), absl::StatusCode::kResourceExhausted,
              "more than 2^63 - 1 bytes");
  EXPECT_EQ(ByteSize(DType::kF32, Shape{kTwo32, kTwo32 / 16}).value(), kTwo32 * (kTwo32 / 4));
}

TEST(ShapeTest, InvalidDType_HasNoSize) {
  ExpectError(ByteSize(static_cast<DType>(0), Shape{2}).status(),
              absl::StatusCode::kInvalidArgument, "expected a dtype, found the value 0");
  ExpectError(ByteSize(static_cast<DType>(200), Shape{2}).status(),
              absl::StatusCode::kInvalidArgument, "expected a dtype, found the value 200");
}

}  // namespace
}  // namespace leafstore
