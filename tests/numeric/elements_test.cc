#include "leafstore/numeric/elements.h"

#include <cmath>
#include <complex>
#include <limits>
#include <random>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/core/buffer.h"
#include "leafstore/core/tensor_eigen.h"

#include "tests/core/status_matchers.h"
#include "tests/store/sample_stores.h"

namespace leafstore {
namespace {

using ::testing::ElementsAre;
using ::testing::IsNan;

std::vector<double> AllElements(const Tensor& tensor) {
  std::vector<double> out(static_cast<size_t>(tensor.element_count()));
  ReadElements(tensor, 0, absl::MakeSpan(out));
  return out;
}

TEST(ElementsTest, ReadElements_ReadsEveryArithmeticType) {
  EXPECT_THAT(AllElements(VectorOf<uint8_t>({0, 255})), ElementsAre(0, 255));
  EXPECT_THAT(AllElements(VectorOf<int8_t>({-128, 127})), ElementsAre(-128, 127));
  EXPECT_THAT(AllElements(VectorOf<uint16_t>({65535})), ElementsAre(65535));
  EXPECT_THAT(AllElements(VectorOf<int16_t>({-32768})), ElementsAre(-32768));
  EXPECT_THAT(AllElements(VectorOf<uint32_t>({4294967295})), ElementsAre(4294967295.0));
  EXPECT_THAT(AllElements(VectorOf<int32_t>({-2147483647})), ElementsAre(-2147483647.0));
  EXPECT_THAT(AllElements(VectorOf<int64_t>({-5})), ElementsAre(-5));
  EXPECT_THAT(AllElements(VectorOf<uint64_t>({~uint64_t{0}})),
              ElementsAre(std::ldexp(1.0, 64)));  // rounded
  EXPECT_THAT(AllElements(VectorOf<double>({1e300, -0.5})), ElementsAre(1e300, -0.5));
  EXPECT_THAT(AllElements(VectorOf<float>({0.5f, -std::numeric_limits<float>::infinity()})),
              ElementsAre(0.5, -kInf));
  EXPECT_THAT(AllElements(VectorOf<Eigen::half>({Eigen::half(-1.5f)})), ElementsAre(-1.5));
  EXPECT_THAT(AllElements(VectorOf<Eigen::bfloat16>({Eigen::bfloat16(3e38f)})),
              ElementsAre(testing::DoubleNear(3e38, 1e36)));
}

TEST(ElementsTest, Ones_ReadAsOneInEveryDType) {
  for (const DType dtype : AllDTypes()) {
    const Tensor ones = Tensor::Ones(dtype, {3, 8}).value();
    EXPECT_THAT(AllElements(ones), testing::Each(1.0)) << DTypeName(dtype);
  }
}

TEST(ElementsTest, Bool_IsZeroOrOneForAnyByte) {
  EXPECT_THAT(AllElements(TensorOfBytes(DType::kBool, {0, 1, 2, 255})), ElementsAre(0, 1, 1, 1));
}

TEST(ElementsTest, ComplexElement_IsReadAsItsMagnitude) {
  const Tensor tensor = VectorOf<std::complex<float>>({{3, -4}, {0, 0}, {1e38f, 0}});
  EXPECT_THAT(AllElements(tensor), ElementsAre(5, 0, 1e38f));
}

TEST(ElementsTest, ReadElements_MayBeginInTheMiddle) {
  const Tensor tensor = Floats({1, 2, 3, 4});
  double out[2];
  ReadElements(tensor, 2, absl::MakeSpan(out));
  EXPECT_THAT(out, ElementsAre(3, 4));
}

TEST(ElementsTest, SubByteTypes_ArePackedLowBitsFirst) {
  // f4 codes 1, 2 | 3, 4.
  EXPECT_THAT(AllElements(TensorOfBytes(DType::kF4, {0x21, 0x43})), ElementsAre(0.5, 1, 1.5, 2));
  // f6 codes 1, 2, 3, 0x3f: 000001 | 000010 | 000011 | 111111, low bits first.
  const uint32_t bits = 1u | 2u << 6 | 3u << 12 | 0x3fu << 18;
  const std::vector<uint8_t> bytes = {static_cast<uint8_t>(bits), static_cast<uint8_t>(bits >> 8),
                                      static_cast<uint8_t>(bits >> 16)};
  EXPECT_THAT(AllElements(TensorOfBytes(DType::kF6E2M3, bytes)),
              ElementsAre(0.125, 0.25, 0.375, -7.5));
  EXPECT_THAT(AllElements(TensorOfBytes(DType::kF6E3M2, bytes)),
              ElementsAre(0.0625, 0.125, 0.1875, -28));
  double third;
  ReadElements(TensorOfBytes(DType::kF6E2M3, bytes), 2, absl::MakeSpan(&third, 1));
  EXPECT_EQ(third, 0.375);
}

double DecodeSmallFloat(DType dtype, uint8_t code) {
  const auto byte = static_cast<std::byte>(code);
  double value = 0;
  ReadElements(dtype, &byte, 0, absl::MakeSpan(&value, 1));
  return value;
}

// Compares with the values in the tables of the specifications.
TEST(ElementsTest, SmallFloats_AreDecodedBySpecification) {
  const auto e5m2 = [](uint8_t code) { return DecodeSmallFloat(DType::kF8E5M2, code); };
  EXPECT_EQ(e5m2(0x7b), 57344);
  EXPECT_EQ(e5m2(0x7c), kInf);
  EXPECT_EQ(e5m2(0xfc), -kInf);
  EXPECT_THAT(e5m2(0x7d), IsNan());
  EXPECT_EQ(e5m2(0x04), std::ldexp(1.0, -14));
  EXPECT_EQ(e5m2(0x01), std::ldexp(1.0, -16));
  EXPECT_EQ(e5m2(0x80), 0.0);
  EXPECT_TRUE(std::signbit(e5m2(0x80)));

  const auto e4m3 = [](uint8_t code) { return DecodeSmallFloat(DType::kF8E4M3, code); };
  EXPECT_EQ(e4m3(0x7e), 448);
  EXPECT_THAT(e4m3(0x7f), IsNan());
  EXPECT_THAT(e4m3(0xff), IsNan());
  EXPECT_EQ(e4m3(0x08), std::ldexp(1.0, -6));
  EXPECT_EQ(e4m3(0x01), std::ldexp(1.0, -9));

  const auto e8m0 = [](uint8_t code) { return DecodeSmallFloat(DType::kF8E8M0, code); };
  EXPECT_EQ(e8m0(0), std::ldexp(1.0, -127));
  EXPECT_EQ(e8m0(127), 1);
  EXPECT_EQ(e8m0(254), std::ldexp(1.0, 127));
  EXPECT_THAT(e8m0(255), IsNan());

  const auto e5m2fnuz = [](uint8_t code) { return DecodeSmallFloat(DType::kF8E5M2FNUZ, code); };
  EXPECT_EQ(e5m2fnuz(0x7f), 57344);
  EXPECT_THAT(e5m2fnuz(0x80), IsNan());
  EXPECT_EQ(e5m2fnuz(0x01), std::ldexp(1.0, -17));

  const auto e4m3fnuz = [](uint8_t code) { return DecodeSmallFloat(DType::kF8E4M3FNUZ, code); };
  EXPECT_EQ(e4m3fnuz(0x7f), 240);
  EXPECT_THAT(e4m3fnuz(0x80), IsNan());
  EXPECT_EQ(e4m3fnuz(0x01), std::ldexp(1.0, -10));

  EXPECT_EQ(DecodeSmallFloat(DType::kF6E2M3, 0x1f), 7.5);
  EXPECT_EQ(DecodeSmallFloat(DType::kF6E2M3, 0x01), 0.125);
  EXPECT_EQ(DecodeSmallFloat(DType::kF6E3M2, 0x1f), 28);
  EXPECT_EQ(DecodeSmallFloat(DType::kF6E3M2, 0x04), 0.25);
  std::vector<double> f4;
  for (uint8_t code = 0; code < 8; ++code) f4.push_back(DecodeSmallFloat(DType::kF4, code));
  EXPECT_THAT(f4, ElementsAre(0, 0.5, 1, 1.5, 2, 3, 4, 6));
  EXPECT_EQ(DecodeSmallFloat(DType::kF4, 0x0f), -6);
  EXPECT_EQ(DecodeSmallFloat(DType::kF4, 0xff), -6);  // bits above the type's are ignored
}

// Checks that reading in pieces has the same result as reading at once, for every type.
TEST(ElementsTest, AnyRange_MatchesTheFullTensor) {
  for (uint32_t seed = 0; seed < 100; ++seed) {
    std::mt19937 random(seed);
    const DType dtype = AllDTypes()[random() % AllDTypes().size()];
    SCOPED_TRACE(absl::StrCat("seed ", seed, ", ", DTypeName(dtype)));
    std::vector<uint8_t> bytes(24 * (1 + random() % 20));
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
    const Tensor tensor = TensorOfBytes(dtype, bytes);
    const std::vector<double> full = AllElements(tensor);
    const size_t begin = random() % full.size();
    std::vector<double> piece(random() % (full.size() - begin + 1));
    ReadElements(tensor, static_cast<int64_t>(begin), absl::MakeSpan(piece));
    for (size_t i = 0; i < piece.size(); ++i) {
      if (std::isnan(piece[i])) {
        EXPECT_TRUE(std::isnan(full[begin + i]));
      } else {
        EXPECT_EQ(piece[i], full[begin + i]);
      }
    }
  }
}

}  // namespace
}  // namespace leafstore
