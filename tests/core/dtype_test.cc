#include "leafstore/core/dtype.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

namespace leafstore {
namespace {

using ::testing::HasSubstr;

struct Row {
  DType dtype;
  int number;  // on disk
  const char* name;
  size_t bits;
  bool floating;
  bool integer;
};

// The comment is the name in safetensors.
constexpr Row kTable[] = {
    {DType::kBool, 1, "bool", 8, false, false},               // BOOL
    {DType::kU8, 2, "u8", 8, false, true},                    // U8
    {DType::kI8, 3, "i8", 8, false, true},                    // I8
    {DType::kU16, 4, "u16", 16, false, true},                 // U16
    {DType::kI16, 5, "i16", 16, false, true},                 // I16
    {DType::kU32, 6, "u32", 32, false, true},                 // U32
    {DType::kI32, 7, "i32", 32, false, true},                 // I32
    {DType::kU64, 8, "u64", 64, false, true},                 // U64
    {DType::kI64, 9, "i64", 64, false, true},                 // I64
    {DType::kF16, 10, "f16", 16, true, false},                // F16
    {DType::kBF16, 11, "bf16", 16, true, false},              // BF16
    {DType::kF32, 12, "f32", 32, true, false},                // F32
    {DType::kF64, 13, "f64", 64, true, false},                // F64
    {DType::kC64, 14, "c64", 64, false, false},               // C64
    {DType::kF8E5M2, 15, "f8_e5m2", 8, true, false},          // F8_E5M2
    {DType::kF8E4M3, 16, "f8_e4m3", 8, true, false},          // F8_E4M3
    {DType::kF8E8M0, 17, "f8_e8m0", 8, true, false},          // F8_E8M0
    {DType::kF8E5M2FNUZ, 18, "f8_e5m2fnuz", 8, true, false},  // F8_E5M2FNUZ
    {DType::kF8E4M3FNUZ, 19, "f8_e4m3fnuz", 8, true, false},  // F8_E4M3FNUZ
    {DType::kF4, 20, "f4", 4, true, false},                   // F4
    {DType::kF6E2M3, 21, "f6_e2m3", 6, true, false},          // F6_E2M3
    {DType::kF6E3M2, 22, "f6_e3m2", 6, true, false},          // F6_E3M2
};

TEST(DTypeTest, Table_IsConsistent) {
  for (const Row& row : kTable) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(static_cast<int>(row.dtype), row.number);
    EXPECT_TRUE(IsDType(static_cast<uint64_t>(row.number)));
    EXPECT_EQ(DTypeName(row.dtype), row.name);
    EXPECT_EQ(DTypeBits(row.dtype), row.bits);
    EXPECT_EQ(IsFloating(row.dtype), row.floating);
    EXPECT_EQ(IsInteger(row.dtype), row.integer);
    const absl::StatusOr<DType> parsed = ParseDType(row.name);
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_EQ(*parsed, row.dtype);
  }
}

TEST(DTypeTest, AllDTypes_AreInAscendingOrder) {
  ASSERT_EQ(AllDTypes().size(), std::size(kTable));
  for (size_t i = 0; i < AllDTypes().size(); ++i) EXPECT_EQ(AllDTypes()[i], kTable[i].dtype);
}

TEST(DTypeTest, Names_AreDistinct) {
  std::set<std::string> names;
  for (DType dtype : AllDTypes()) names.insert(std::string(DTypeName(dtype)));
  EXPECT_EQ(names.size(), AllDTypes().size());
}

TEST(DTypeTest, IsDType_RejectsOtherNumbers) {
  EXPECT_FALSE(IsDType(0));
  EXPECT_FALSE(IsDType(23));
  EXPECT_FALSE(IsDType(255));
  EXPECT_FALSE(IsDType(256 + 12)) << "a number that f32 would be left of in a byte";
  EXPECT_FALSE(IsDType(~uint64_t{0}));
}

TEST(DTypeTest, InvalidDType_ReadsNothingOutOfBounds) {
  const auto wrong = static_cast<DType>(200);
  EXPECT_EQ(DTypeBits(wrong), 0u);
  EXPECT_EQ(DTypeName(wrong), "invalid");
  EXPECT_FALSE(IsFloating(wrong));
  EXPECT_FALSE(IsInteger(wrong));
}

TEST(DTypeTest, ParseOfAnUnknownName_ListsTheNames) {
  for (const char* name : {"", "F32", "float32", "f32 ", "f", "invalid"}) {
    const absl::Status status = ParseDType(name).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << name;
    EXPECT_THAT(std::string(status.message()),
                HasSubstr("expected a dtype, found \"" + std::string(name) +
                          "\"; the dtypes are bool, u8, "))
        << name;
    EXPECT_THAT(std::string(status.message()), HasSubstr(", f6_e3m2")) << name;
  }
}

TEST(DTypeTest, ParseOfAHostileName_EscapesAndShortensIt) {
  const absl::Status status = ParseDType("\xFF\n" + std::string(100000, 'x')).status();
  EXPECT_THAT(std::string(status.message()), HasSubstr("\"\\xff\\nxxx"));
  EXPECT_LT(status.message().size(), 400u);
}

TEST(DTypeTest, CppTypes_HaveTheSizeOfTheirDType) {
  const auto check = [](auto value) {
    EXPECT_EQ(DTypeBits(kDTypeOf<decltype(value)>), 8 * sizeof(value));
  };
  check(bool{});
  check(uint8_t{});
  check(int8_t{});
  check(uint16_t{});
  check(int16_t{});
  check(uint32_t{});
  check(int32_t{});
  check(uint64_t{});
  check(int64_t{});
  check(float{});
  check(double{});
  check(std::complex<float>{});
  EXPECT_EQ(kDTypeOf<float>, DType::kF32);
  EXPECT_EQ(kDTypeOf<std::complex<float>>, DType::kC64);
}

TEST(DTypeTest, Bools_AreZeroOrOne) {
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
