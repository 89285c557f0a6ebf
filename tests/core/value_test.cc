#include "leafstore/core/value.h"

#include <gtest/gtest.h>

#include <bit>
#include <charconv>
#include <cmath>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "absl/hash/hash_testing.h"

#include "tests/core/random_keys.h"

namespace leafstore {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

double NanWithBits(uint64_t payload) {
  return std::bit_cast<double>(uint64_t{0x7FF8000000000000} | payload);
}

TEST(ValueTest, ArgumentType_DecidesTheKind) {
  EXPECT_EQ(Value(true).kind(), ValueKind::kBool);
  EXPECT_EQ(Value(1).kind(), ValueKind::kInt);
  EXPECT_EQ(Value(1.0).kind(), ValueKind::kFloat);
  EXPECT_EQ(Value(1.0f).kind(), ValueKind::kFloat);
  EXPECT_EQ(Value("1").kind(), ValueKind::kString);
  EXPECT_EQ(Value(std::string("1")).kind(), ValueKind::kString);
  EXPECT_EQ(Value(std::string_view("1")).kind(), ValueKind::kString);
  EXPECT_EQ(Value(absl::string_view("1")).kind(), ValueKind::kString);
  EXPECT_EQ(Value(Bytes{"1"}).kind(), ValueKind::kBytes);
}

TEST(ValueTest, EveryIntegerTypeThatFits_IsAccepted) {
  EXPECT_EQ(Value(std::numeric_limits<int64_t>::min()).ToString(), "-9223372036854775808");
  EXPECT_EQ(Value(std::numeric_limits<uint32_t>::max()).ToString(), "4294967295");
  EXPECT_EQ(Value(int8_t{-1}).ToString(), "-1");
  EXPECT_EQ(Value(uint8_t{255}).ToString(), "255");
  EXPECT_EQ(Value(int16_t{-2}).ToString(), "-2");
  EXPECT_EQ(Value(5LL).ToString(), "5");
}

TEST(ValueTest, AmbiguousTypes_DoNotCompile) {
  static_assert(!std::is_constructible_v<Value, uint64_t>, "does not fit");
  static_assert(!std::is_constructible_v<Value, char>);
  static_assert(!std::is_constructible_v<Value, const void*>);
  static_assert(!std::is_constructible_v<Value, const int*>);
  static_assert(!std::is_constructible_v<Value, std::nullptr_t>);
  static_assert(!std::is_constructible_v<Value, long double>);
  static_assert(!std::is_constructible_v<Value, std::vector<bool>::reference>);
  static_assert(!std::is_convertible_v<bool, Value>, "explicit");
  static_assert(!std::is_convertible_v<const char*, Value>, "explicit");
}

TEST(ValueTest, As_ReturnsNullForAnotherKind) {
  const Value value(12);
  ASSERT_NE(value.As<int64_t>(), nullptr);
  EXPECT_EQ(*value.As<int64_t>(), 12);
  EXPECT_EQ(value.As<bool>(), nullptr);
  EXPECT_EQ(value.As<double>(), nullptr);
  EXPECT_EQ(value.As<std::string>(), nullptr);
  EXPECT_EQ(value.As<Bytes>(), nullptr);

  const Value text("gelu");
  ASSERT_NE(text.As<std::string>(), nullptr);
  EXPECT_EQ(*text.As<std::string>(), "gelu");
  EXPECT_EQ(text.As<Bytes>(), nullptr);
}

TEST(ValueTest, Strings_MayContainZeroBytes) {
  const Value value(absl::string_view("a\0b", 3));
  EXPECT_EQ(value.byte_size(), 3);
  EXPECT_EQ(value.ToString(), "'a\\x00b'");
}

TEST(ValueTest, IsValid_IsFalseOnlyForStrings) {
  EXPECT_TRUE(Value("été").IsValid());
  EXPECT_FALSE(Value("\xFF").IsValid());
  EXPECT_TRUE(Value(Bytes{"\xFF"}).IsValid());
  EXPECT_TRUE(Value(1).IsValid());
}

TEST(ValueTest, ByteSize_IsTheSizeOfTheContents) {
  EXPECT_EQ(Value(true).byte_size(), 1);
  EXPECT_EQ(Value(1).byte_size(), 8);
  EXPECT_EQ(Value(1.0).byte_size(), 8);
  EXPECT_EQ(Value("").byte_size(), 0);
  EXPECT_EQ(Value("été").byte_size(), 5);
  EXPECT_EQ(Value(Bytes{"abc"}).byte_size(), 3);
}

TEST(ValueTest, ToString_DistinguishesTheKinds) {
  EXPECT_EQ(Value(true).ToString(), "true");
  EXPECT_EQ(Value(false).ToString(), "false");
  EXPECT_EQ(Value(-7).ToString(), "-7");
  EXPECT_EQ(Value(-7.0).ToString(), "-7.0");
  EXPECT_EQ(Value("-7").ToString(), "'-7'");
  EXPECT_EQ(Value("it's\n").ToString(), "\"it's\\n\"");
}

TEST(ValueTest, ToString_PrintsTheFewestDigitsThatRoundTrip) {
  EXPECT_EQ(Value(0.1).ToString(), "0.1");
  EXPECT_EQ(Value(0.1f).ToString(), "0.10000000149011612");
  EXPECT_EQ(Value(0.0).ToString(), "0.0");
  EXPECT_EQ(Value(-0.0).ToString(), "-0.0");
  EXPECT_EQ(Value(1e-5).ToString(), "1e-05");
  EXPECT_EQ(Value(1e300).ToString(), "1e+300");
  EXPECT_EQ(Value(kInfinity).ToString(), "inf");
  EXPECT_EQ(Value(-kInfinity).ToString(), "-inf");
  EXPECT_EQ(Value(NanWithBits(0)).ToString(), "nan");
  EXPECT_EQ(Value(-std::numeric_limits<double>::denorm_min()).ToString(), "-5e-324");
  EXPECT_EQ(Value(-2.2250738585072014e-308).ToString(), "-2.2250738585072014e-308");
}

TEST(ValueTest, RandomDoubles_RoundTripThroughText) {
  for (uint64_t seed = 0; seed < 20000; ++seed) {
    Random random(seed);
    const auto number = std::bit_cast<double>(random());
    if (std::isnan(number)) continue;
    const std::string text = Value(number).ToString();
    double back = 0;
    std::from_chars(text.data(), text.data() + text.size(), back);
    ASSERT_EQ(std::bit_cast<uint64_t>(back), std::bit_cast<uint64_t>(number))
        << "seed " << seed << ": " << text;
  }
}

TEST(ValueTest, ToString_ShowsTheFirstBytesInHex) {
  EXPECT_EQ(Value(Bytes{}).ToString(), "0 bytes");
  EXPECT_EQ(Value(Bytes{"\n"}).ToString(), "1 byte 0a");
  EXPECT_EQ(Value(Bytes{"\x01\xff"}).ToString(), "2 bytes 01ff");
  EXPECT_EQ(Value(Bytes{std::string(16, 'a')}).ToString(),
            "16 bytes 61616161616161616161616161616161");
  EXPECT_EQ(Value(Bytes{std::string(100000, 'a')}).ToString(),
            "100000 bytes 61616161616161616161616161616161...");
}

TEST(ValueTest, Equality_ComparesTheSavedBytes) {
  EXPECT_EQ(Value(NanWithBits(0)), Value(NanWithBits(0)));
  EXPECT_NE(Value(NanWithBits(0)), Value(NanWithBits(1)));
  EXPECT_NE(Value(0.0), Value(-0.0));
  EXPECT_EQ(Value(0.5f), Value(0.5));
  EXPECT_EQ(Value("a"), Value(std::string("a")));
  EXPECT_EQ(Value(1), Value(int64_t{1}));
}

TEST(ValueTest, DifferentKinds_AreNotEqual) {
  EXPECT_NE(Value(1), Value(1.0));
  EXPECT_NE(Value(1), Value(true));
  EXPECT_NE(Value("a"), Value(Bytes{"a"}));
  EXPECT_NE(Value(""), Value(false));
}

TEST(ValueTest, Hash_AgreesWithEquality) {
  EXPECT_TRUE(absl::VerifyTypeImplementsAbslHashCorrectly(
      {Value(true), Value(false), Value(0), Value(1), Value(0.0), Value(-0.0), Value(1.0),
       Value(NanWithBits(0)), Value(NanWithBits(1)), Value(""), Value("a"), Value("ab"),
       Value(Bytes{}), Value(Bytes{"a"})}));
}

TEST(ValueTest, Kinds_HaveFixedValuesAndNames) {
  EXPECT_EQ(static_cast<int>(ValueKind::kBool), 1);
  EXPECT_EQ(static_cast<int>(ValueKind::kInt), 2);
  EXPECT_EQ(static_cast<int>(ValueKind::kFloat), 3);
  EXPECT_EQ(static_cast<int>(ValueKind::kString), 4);
  EXPECT_EQ(static_cast<int>(ValueKind::kBytes), 5);
  EXPECT_EQ(ValueKindName(ValueKind::kBool), "bool");
  EXPECT_EQ(ValueKindName(ValueKind::kInt), "int");
  EXPECT_EQ(ValueKindName(ValueKind::kFloat), "float");
  EXPECT_EQ(ValueKindName(ValueKind::kString), "str");
  EXPECT_EQ(ValueKindName(ValueKind::kBytes), "bytes");
  EXPECT_EQ(ValueKindName(static_cast<ValueKind>(0)), "invalid");
}

TEST(ValueTest, IsValueKind_RejectsOtherNumbers) {
  EXPECT_FALSE(IsValueKind(0));
  for (uint64_t number = 1; number <= 5; ++number) EXPECT_TRUE(IsValueKind(number));
  EXPECT_FALSE(IsValueKind(6));
  EXPECT_FALSE(IsValueKind(256 + 1));
}

}  // namespace
}  // namespace leafstore
