#include "leafstore/tools/present/array_text.h"

#include <cmath>
#include <complex>
#include <cstdio>
#include <limits>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include <nlohmann/json.hpp>

#include "leafstore/numeric/elements.h"

namespace leafstore::tools {
namespace {

// Returns the printed text.
template <typename Print>
std::string Printed(Print print) {
  std::FILE* file = std::tmpfile();
  EXPECT_NE(file, nullptr);
  {
    Output out(file, ColorMode::kNever);
    print(&out);
    EXPECT_TRUE(out.Finish().ok());
  }
  std::string text(static_cast<size_t>(std::ftell(file)), '\0');
  std::rewind(file);
  EXPECT_EQ(std::fread(text.data(), 1, text.size(), file), text.size());
  std::fclose(file);
  return text;
}

std::string Text(const Tensor& tensor, const ArrayTextOptions& options = {}) {
  return Printed([&](Output* out) { PrintArray(TensorView::Of(tensor), options, out); });
}

std::string JsonOf(const Tensor& tensor) {
  return Printed([&](Output* out) { PrintArrayAsJson(TensorView::Of(tensor), out); });
}

template <typename T>
Tensor Of(const Shape& shape, std::initializer_list<T> values) {
  return Tensor::From<T>(shape, values).value();
}

Tensor Counted(int64_t n) {
  std::vector<int32_t> values(static_cast<size_t>(n));
  std::iota(values.begin(), values.end(), 0);
  return Tensor::From<int32_t>({n}, absl::MakeConstSpan(values)).value();
}

// The expected texts are those of numpy.array2string for the same arrays.
TEST(ArrayTextTest, Columns_AreAsWideAsTheWidestNumber) {
  EXPECT_EQ(Text(Of<float>({2, 3}, {1, -2, 3, -4, 5.5, -6})),
            "[[ 1.  -2.   3. ]\n"
            " [-4.   5.5 -6. ]]\n");
  EXPECT_EQ(Text(Of<int32_t>({3}, {1, -20, 300})), "[  1 -20 300]\n");
  EXPECT_EQ(Text(Of<bool>({2}, {true, false})), "[ True False]\n");
}

TEST(ArrayTextTest, Scalar_PrintsANumber) {
  EXPECT_EQ(Text(Tensor::Scalar(0.1f)), "0.1\n");
  EXPECT_EQ(Text(Tensor::Scalar(int64_t{-7})), "-7\n");
}

TEST(ArrayTextTest, Numbers_HaveTheDigitsThatTheirDTypeNeeds) {
  EXPECT_EQ(Text(Of<float>({2}, {0.1f, 0.3f})), "[0.1 0.3]\n");
  EXPECT_EQ(Text(Of<double>({2}, {0.1, 1.0 / 3})), "[0.1        0.33333333]\n");
  Tensor half = Tensor::Zeros(DType::kBF16, {1}).value();
  half.Mutate().value().raw_data()[1] = std::byte{0x3e};  // 0.125
  EXPECT_EQ(Text(half), "[0.125]\n");
}

TEST(ArrayTextTest, NumbersOfDifferentMagnitude_HaveExponents) {
  EXPECT_EQ(Text(Of<float>({2}, {1e-5f, 2500})), "[1.0e-05 2.5e+03]\n");
  EXPECT_EQ(Text(Of<double>({2}, {1e10, 1.5e9})), "[1.0e+10 1.5e+09]\n");
}

TEST(ArrayTextTest, NanAndInfinities_ArePrintedAsWords) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  EXPECT_EQ(Text(Of<float>({4}, {1.5, std::numeric_limits<float>::quiet_NaN(), kInf, -kInf})),
            "[ 1.5  nan  inf -inf]\n");
}

TEST(ArrayTextTest, IntegersOf64Bits_AreExact) {
  EXPECT_EQ(Text(Of<int64_t>({2}, {std::numeric_limits<int64_t>::max(), -9007199254740993})),
            "[9223372036854775807   -9007199254740993]\n");
  EXPECT_EQ(Text(Of<uint64_t>({1}, {std::numeric_limits<uint64_t>::max()})),
            "[18446744073709551615]\n");
}

TEST(ArrayTextTest, ComplexNumbers_HaveBothParts) {
  EXPECT_EQ(Text(Of<std::complex<float>>({2}, {{1, 2.5}, {0, -1}})), "[1.+2.5j  0.-1.j]\n");
}

TEST(ArrayTextTest, LongArrays_OmitTheMiddle) {
  EXPECT_EQ(Text(Counted(1001)), "[   0    1    2 ...  998  999 1000]\n");
  ArrayTextOptions all;
  all.threshold = std::numeric_limits<int64_t>::max();
  const std::string whole = Text(Counted(1001), all);
  EXPECT_EQ(whole.find("..."), std::string::npos);
  EXPECT_NE(whole.find(" 500 "), std::string::npos);
  const Tensor wide = Counted(10'000).Reshape({100, 100}).value();
  EXPECT_EQ(Text(wide),
            "[[   0    1    2 ...   97   98   99]\n"
            " [ 100  101  102 ...  197  198  199]\n"
            " [ 200  201  202 ...  297  298  299]\n"
            " ...\n"
            " [9700 9701 9702 ... 9797 9798 9799]\n"
            " [9800 9801 9802 ... 9897 9898 9899]\n"
            " [9900 9901 9902 ... 9997 9998 9999]]\n");
}

TEST(ArrayTextTest, LongLines_AreWrapped) {
  const std::string text = Text(Counted(40));
  EXPECT_EQ(text,
            "[ 0  1  2  3  4  5  6  7  8  9 10 11 12 13 14 15 16 17 18 19 20 21 22 23\n"
            " 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39]\n");
}

TEST(ArrayTextTest, Axes_AreNestedBrackets) {
  EXPECT_EQ(Text(Counted(8).Reshape({2, 2, 2}).value()),
            "[[[0 1]\n  [2 3]]\n\n [[4 5]\n  [6 7]]]\n");
  EXPECT_EQ(Text(Tensor::Zeros(DType::kF32, {0, 3}).value()), "[]\n");
}

TEST(ArrayTextTest, EveryDType_IsPrinted) {
  for (const DType dtype : AllDTypes()) {
    const std::string text = Text(Tensor::Zeros(dtype, {8}).value());
    EXPECT_EQ(text.front(), '[') << DTypeName(dtype);
    EXPECT_EQ(text.find("nan"), std::string::npos) << DTypeName(dtype);
  }
}

// Narrow tensors of every bit pattern: the JSON reads back to the same number.
TEST(ArrayTextTest, JsonNumbers_ReadBackInEveryDType) {
  for (const DType dtype : AllDTypes()) {
    if (!IsFloating(dtype) || dtype == DType::kC64) continue;
    Tensor tensor = Tensor::Zeros(dtype, {4096}).value();
    {
      MutableTensor open = tensor.Mutate().value();
      std::mt19937 random(static_cast<uint32_t>(dtype));
      for (int64_t i = 0; i < tensor.byte_size(); ++i) {
        open.raw_data()[i] = static_cast<std::byte>(random());
      }
    }
    std::vector<double> expected(4096);
    ReadElements(tensor, 0, absl::MakeSpan(expected));
    const auto json = nlohmann::json::parse(JsonOf(tensor));
    for (size_t i = 0; i < expected.size(); ++i) {
      if (!std::isfinite(expected[i])) {
        ASSERT_TRUE(json[i].is_null()) << DTypeName(dtype);
      } else if (dtype == DType::kF32) {
        ASSERT_EQ(static_cast<float>(json[i].get<double>()), expected[i]);
      } else {
        ASSERT_EQ(json[i].get<double>(), expected[i]) << DTypeName(dtype);
      }
    }
  }
}

TEST(ArrayTextTest, EmptyTensor_IsAnEmptyListForAnyShape) {
  EXPECT_EQ(JsonOf(Tensor::Zeros(DType::kF32, {int64_t{1} << 40, 0}).value()), "[]");
  EXPECT_EQ(JsonOf(Tensor::Zeros(DType::kF32, {0}).value()), "[]");
}

TEST(ArrayTextTest, AllDigits_ReadBack) {
  ArrayTextOptions all;
  all.digits = std::numeric_limits<int>::max();
  EXPECT_EQ(Text(Of<double>({2}, {0.1234567890123456, 0.5}), all),
            "[0.1234567890123456 0.5               ]\n");
  EXPECT_EQ(Text(Of<double>({2}, {1.2345678901234567e-30, 1}), all),
            "[1.2345678901234567e-30 1.0000000000000000e+00]\n");
}

TEST(ArrayTextTest, Json_HasNestedLists) {
  EXPECT_EQ(JsonOf(Of<float>({2, 2}, {1, 0.1f, -3, 0})), "[[1.0,0.1],[-3.0,0.0]]");
  EXPECT_EQ(JsonOf(Of<bool>({2}, {true, false})), "[true,false]");
  EXPECT_EQ(JsonOf(Of<float>({1}, {std::numeric_limits<float>::infinity()})), "[null]");
  EXPECT_EQ(JsonOf(Of<std::complex<float>>({1}, {{1, 2}})), "[[1.0,2.0]]");
  EXPECT_EQ(JsonOf(Tensor::Scalar(uint64_t{1} << 63)), "9223372036854775808");
}

TEST(ArrayTextTest, JsonNumbers_HaveTheFormOfPython) {
  const std::pair<double, const char*> cases[] = {{1, "1.0"},
                                                  {-0.0, "-0.0"},
                                                  {0.1, "0.1"},
                                                  {-12.5, "-12.5"},
                                                  {1e-4, "0.0001"},
                                                  {0.00012345, "0.00012345"},
                                                  {1e-5, "1e-05"},
                                                  {100, "100.0"},
                                                  {123456.75, "123456.75"},
                                                  {1e15, "1000000000000000.0"},
                                                  {1e16, "1e+16"},
                                                  {123456789012345680.0, "1.2345678901234568e+17"},
                                                  {9007199254740993.0, "9007199254740992.0"},
                                                  {1e22, "1e+22"},
                                                  {1e100, "1e+100"},
                                                  {5e-324, "5e-324"}};
  for (const auto& [number, text] : cases) EXPECT_EQ(JsonOf(Tensor::Scalar(number)), text);
  EXPECT_EQ(JsonOf(Tensor::Scalar(0.1f)), "0.1");
  EXPECT_EQ(JsonOf(Tensor::Scalar(16777216.0f)), "16777216.0");
}

}  // namespace
}  // namespace leafstore::tools
