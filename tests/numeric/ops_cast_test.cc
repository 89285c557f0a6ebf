#include <bit>
#include <cmath>
#include <complex>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/core/buffer.h"
#include "leafstore/core/tensor_eigen.h"
#include "leafstore/numeric/ops.h"

#include "tests/core/status_matchers.h"
#include "tests/status_codes.h"
#include "tests/store/sample_stores.h"

namespace leafstore {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsNan;

template <typename To, typename From>
std::vector<To> CastAll(const std::vector<From>& values) {
  return ElementsOf<To>(CastTensor(VectorOf(values), kDTypeOf<To>).value());
}

TEST(CastTest, FloatingTensors_ChangePrecision) {
  const ParamStore store = StoreOf({{"a", Floats({1.5f, -2})}, {"b", VectorOf<double>({0.25})}});
  const ParamStore cast = Cast(store, DType::kBF16).value();
  EXPECT_EQ(cast.layout(), store.layout());
  EXPECT_THAT(ElementsOf<Eigen::bfloat16>(cast.leaf(0)),
              ElementsAre(Eigen::bfloat16(1.5f), Eigen::bfloat16(-2.f)));
  EXPECT_THAT(ElementsOf<Eigen::bfloat16>(cast.leaf(1)), ElementsAre(Eigen::bfloat16(0.25f)));
  EXPECT_THAT(FloatsAt(store, ".a"), ElementsAre(1.5f, -2));
}

TEST(CastTest, OtherFamiliesAndStaticLeaves_AreShared) {
  const ParamStore store = StoreOf({{"a", Floats({1})},
                                    {"b", Ints({7})},
                                    {"c", VectorOf<std::complex<float>>({{1, 2}})},
                                    {"d", Value(1.5)},
                                    {"e", Tensor::Zeros(DType::kBool, {2}).value()}});
  const ParamStore cast = Cast(store, DType::kF16).value();
  EXPECT_EQ(cast.leaf(0).tensor().dtype(), DType::kF16);
  for (const uint32_t place : {1u, 2u, 3u, 4u}) {
    EXPECT_EQ(cast.leaf(place).generation(), store.leaf(place).generation());
  }
  const ParamStore wide = Cast(store, DType::kI64).value();
  EXPECT_EQ(wide.leaf(0).tensor().dtype(), DType::kF32);
  EXPECT_THAT(ElementsOf<int64_t>(wide.leaf(1)), ElementsAre(7));
}

TEST(CastTest, TensorOfTheTargetType_IsShared) {
  const ParamStore store = StoreOf({{"a", Floats({1})}});
  EXPECT_EQ(Cast(store, DType::kF32)->leaf(0).tensor().raw_data(),
            store.leaf(0).tensor().raw_data());
}

TEST(CastTest, MapOfCastTensor_ConvertsEveryFamily) {
  const ParamStore store =
      StoreOf({{"a", Floats({1.75f})}, {"b", Ints({7})}, {"c", VectorOf<uint8_t>({3})}});
  const auto to_i32 = [](const Tensor& tensor) { return CastTensor(tensor, DType::kI32); };
  const ParamStore cast = Map(store, to_i32).value();
  EXPECT_THAT(ElementsOf<int32_t>(cast.leaf(0)), ElementsAre(1));
  EXPECT_THAT(ElementsOf<int32_t>(cast.leaf(2)), ElementsAre(3));
}

TEST(CastTest, UnsupportedCast_NamesThePath) {
  const ParamStore store =
      StoreOf({{"a", Floats({1})}, {"c", VectorOf<std::complex<float>>({{1, 2}})}});
  EXPECT_THAT(Cast(store, DType::kF8E4M3),
              StatusIs(kInvalid, AllOf(HasSubstr("expected f64, f32, f16, bf16 or an integer type"),
                                       HasSubstr("found f8_e4m3"))));
  EXPECT_THAT(Cast(store, DType::kC64), StatusIs(kInvalid, HasSubstr("found c64")));
  EXPECT_THAT(Cast(store, DType::kBool), StatusIs(kInvalid, HasSubstr("found bool")));
  EXPECT_THAT(Map(store, [](const Tensor& tensor) { return CastTensor(tensor, DType::kF64); }),
              StatusIs(kInvalid, AllOf(HasSubstr("at .c: cast to f64"), HasSubstr("found c64"))));
}

TEST(CastTest, NoMemory_NamesThePath) {
  EXPECT_THAT(Cast(StoreOf({{"a", HugeTensor()}}), DType::kF64),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("at .a: ")));
}

TEST(CastTest, FloatingToInteger_TruncatesAndSaturates) {
  EXPECT_THAT(CastAll<int8_t>(std::vector<float>{1.9f, -1.9f, 127.9f, 128, -128.9f, -1e30f, 1e30f}),
              ElementsAre(1, -1, 127, 127, -128, -128, 127));
  EXPECT_THAT(CastAll<uint8_t>(std::vector<double>{-0.5, -7, 255.5, 256, kInf, -kInf, kNaN}),
              ElementsAre(0, 0, 255, 255, 255, 0, 0));
  EXPECT_THAT(CastAll<int64_t>(std::vector<double>{9.3e18, -9.3e18, 9007199254740992.0}),
              ElementsAre(std::numeric_limits<int64_t>::max(), std::numeric_limits<int64_t>::min(),
                          9007199254740992));
  EXPECT_THAT(CastAll<uint64_t>(std::vector<double>{1.9e19, 9.3e18}),
              ElementsAre(std::numeric_limits<uint64_t>::max(), uint64_t{9300000000000000000u}));
}

TEST(CastTest, IntegerToInteger_SaturatesExactly) {
  constexpr int64_t kBig = (int64_t{1} << 53) + 1;  // not a double
  EXPECT_THAT(CastAll<uint64_t>(std::vector<int64_t>{kBig, -1}),
              ElementsAre(uint64_t{kBig}, uint64_t{0}));
  EXPECT_THAT(CastAll<int64_t>(std::vector<uint64_t>{~uint64_t{0}, uint64_t{kBig}}),
              ElementsAre(std::numeric_limits<int64_t>::max(), kBig));
  EXPECT_THAT(CastAll<int8_t>(std::vector<int32_t>{300, -300, 5}), ElementsAre(127, -128, 5));
  EXPECT_THAT(CastAll<uint16_t>(std::vector<int16_t>{-1, 32767}), ElementsAre(0, 32767));
}

TEST(CastTest, LargeValues_BecomeInfiniteAndNaNStays) {
  EXPECT_EQ(CastAll<float>(std::vector<double>{1e300})[0], kInf);
  EXPECT_EQ(static_cast<float>(CastAll<Eigen::half>(std::vector<float>{65520})[0]), kInf);
  EXPECT_EQ(static_cast<float>(CastAll<Eigen::half>(std::vector<float>{65519})[0]), 65504);
  EXPECT_THAT(static_cast<float>(CastAll<Eigen::half>(std::vector<double>{kNaN})[0]), IsNan());
  EXPECT_THAT(static_cast<float>(CastAll<Eigen::bfloat16>(std::vector<double>{kNaN})[0]), IsNan());
  EXPECT_EQ(static_cast<float>(CastAll<Eigen::bfloat16>(std::vector<double>{-1e300})[0]), -kInf);
}

TEST(CastTest, DoubleToHalf_RoundsOnce) {
  // Just above the middle of two halves: rounding to float first would lose the difference.
  const double above = 1 + std::ldexp(1.0, -11) + std::ldexp(1.0, -40);
  EXPECT_EQ(static_cast<float>(CastAll<Eigen::half>(std::vector<double>{above})[0]),
            1 + std::ldexp(1.0, -10));
  const double below = 1 + 3 * std::ldexp(1.0, -11) - std::ldexp(1.0, -40);
  EXPECT_EQ(static_cast<float>(CastAll<Eigen::half>(std::vector<double>{below})[0]),
            1 + std::ldexp(1.0, -10));
  // An integer that a double would round to the middle of two bf16.
  const int64_t integer = (int64_t{1} << 62) + (int64_t{1} << 54) + 1;
  EXPECT_EQ(static_cast<float>(CastAll<Eigen::bfloat16>(std::vector<int64_t>{integer})[0]),
            std::ldexp(1.0f, 62) + std::ldexp(1.0f, 55));
  EXPECT_EQ(static_cast<float>(CastAll<Eigen::bfloat16>(std::vector<int64_t>{-integer})[0]),
            -std::ldexp(1.0f, 62) - std::ldexp(1.0f, 55));
}

// Returns the nearest number with `fraction` bits after the leading one and no exponent below
// `least`, ties to even, computed exactly with doubles.
double RoundTo(double x, int fraction, int least) {
  if (x == 0 || !std::isfinite(x)) return x;
  const int exponent = std::max(std::ilogb(x), least);
  const double unit = std::ldexp(1.0, exponent - fraction);
  return std::nearbyint(x / unit) * unit;
}

TEST(CastTest, RandomDoubles_RoundToTheNearestHalfAndBfloat16) {
  std::mt19937 random(1);
  for (int i = 0; i < 100'000; ++i) {
    const double x = std::ldexp(std::uniform_real_distribution<double>(-1, 1)(random),
                                static_cast<int>(random() % 60) - 40);
    SCOPED_TRACE(absl::StrCat("seed 1, number ", i, ": ", x));
    const double half = RoundTo(x, 10, -14);
    const double bfloat = RoundTo(x, 7, -126);
    ASSERT_EQ(static_cast<float>(CastAll<Eigen::half>(std::vector<double>{x})[0]),
              std::fabs(half) > 65504 ? std::copysign(kInf, half) : half);
    ASSERT_EQ(static_cast<float>(CastAll<Eigen::bfloat16>(std::vector<double>{x})[0]), bfloat);
  }
}

TEST(CastTest, Subnormals_AreConverted) {
  const auto tiny = static_cast<float>(std::ldexp(3.0, -133));
  EXPECT_EQ(static_cast<float>(CastAll<Eigen::bfloat16>(std::vector<float>{tiny})[0]), tiny);
  EXPECT_EQ(static_cast<float>(CastAll<Eigen::half>(std::vector<double>{std::ldexp(3.0, -24)})[0]),
            std::ldexp(3.0f, -24));
  EXPECT_EQ(CastAll<float>(std::vector<Eigen::bfloat16>{Eigen::bfloat16(tiny)})[0], tiny);
}

TEST(CastTest, FloatingTypesOfAnyWidth_AreRead) {
  Buffer buffer = Buffer::Allocate(2).value();
  const uint8_t codes[] = {0x7e, 0x38};
  std::memcpy(buffer.mutable_data(), codes, 2);
  const Tensor f8 = Tensor::FromBuffer(DType::kF8E4M3, {2}, buffer).value();
  EXPECT_THAT(ElementsOf<float>(CastTensor(f8, DType::kF32).value()), ElementsAre(448, 1));
  EXPECT_THAT(ElementsOf<float>(Cast(StoreOf({{"a", f8}}), DType::kF32)->leaf(0)),
              ElementsAre(448, 1));
}

TEST(CastTest, Shapes_AreKept) {
  const Tensor matrix = Tensor::Zeros(DType::kF32, {2, 0, 3}).value();
  EXPECT_THAT(CastTensor(matrix, DType::kF64)->shape(), ElementsAre(2, 0, 3));
  EXPECT_EQ(CastTensor(Tensor::Scalar(2.5f), DType::kF64).value(), Tensor::Scalar(2.5));
}

TEST(CastTest, LargeTensors_AreConvertedAcrossBlocks) {
  std::vector<int32_t> values(5000);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<int32_t>(i);
  const std::vector<float> cast = CastAll<float>(values);
  for (size_t i = 0; i < values.size(); ++i) ASSERT_EQ(cast[i], static_cast<float>(i));
}

}  // namespace
}  // namespace leafstore
