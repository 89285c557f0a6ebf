#include "leafstore/numeric/elements.h"

#include <array>
#include <cmath>
#include <complex>
#include <iterator>
#include <limits>

#include "leafstore/core/tensor_eigen.h"

namespace leafstore {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// The codes of infinity and NaN.
enum class Special : uint8_t {
  kNone,       // every code is finite
  kIeee,       // the largest exponent is infinity (no fraction) or NaN
  kNaNAtOnes,  // all ones below the sign are NaN
  kNaNAtSign,  // the sign alone is NaN
};

// The layout of a code: a sign bit, `exponent` bits, `fraction` bits.
struct SmallFloat {
  int exponent;
  int fraction;
  int bias;
  Special special;
};

// The layouts of the dtypes from kF8E5M2 on, by value. That of f8_e8m0 is not used.
constexpr SmallFloat kLayouts[] = {
    {5, 2, 15, Special::kIeee},      {4, 3, 7, Special::kNaNAtOnes}, {},
    {5, 2, 16, Special::kNaNAtSign}, {4, 3, 8, Special::kNaNAtSign}, {2, 1, 1, Special::kNone},
    {2, 3, 1, Special::kNone},       {3, 2, 3, Special::kNone},
};
constexpr size_t kFirstLayout = static_cast<size_t>(DType::kF8E5M2);
static_assert(kFirstLayout + std::size(kLayouts) == static_cast<size_t>(DType::kF6E3M2) + 1);

double Decode(const SmallFloat& layout, int code) {
  const int magnitude_bits = layout.exponent + layout.fraction;
  const int magnitude = code & ((1 << magnitude_bits) - 1);
  const bool negative = (code >> magnitude_bits & 1) != 0;
  const int exponent = magnitude >> layout.fraction;
  const int fraction = magnitude & ((1 << layout.fraction) - 1);
  if (layout.special == Special::kNaNAtSign && negative && magnitude == 0) return kNaN;
  if (layout.special == Special::kNaNAtOnes && magnitude == (1 << magnitude_bits) - 1) return kNaN;
  double value;
  if (layout.special == Special::kIeee && exponent == (1 << layout.exponent) - 1) {
    value = fraction == 0 ? kInf : kNaN;
  } else if (exponent == 0) {  // subnormal
    value = std::ldexp(fraction, 1 - layout.bias - layout.fraction);
  } else {
    value = std::ldexp(fraction + (1 << layout.fraction), exponent - layout.bias - layout.fraction);
  }
  return negative ? -value : value;
}

using Table = std::array<double, 256>;

const Table& TableOf(DType dtype) {
  static const auto* const tables = [] {
    auto* made = new std::array<Table, std::size(kLayouts)>;  // lives as long as the process
    for (size_t i = 0; i < made->size(); ++i) {
      const bool is_e8m0 = static_cast<DType>(kFirstLayout + i) == DType::kF8E8M0;
      for (int code = 0; code < 256; ++code) {
        double& value = (*made)[i][static_cast<size_t>(code)];
        if (is_e8m0) {
          value = code == 0xff ? kNaN : std::ldexp(1.0, code - 127);
        } else {
          value = Decode(kLayouts[i], code);
        }
      }
    }
    return made;
  }();
  return (*tables)[static_cast<size_t>(dtype) - kFirstLayout];
}

// Reads elements of a C++ arithmetic type.
template <typename T, typename Convert>
void ReadAs(const std::byte* data, int64_t begin, absl::Span<double> out, Convert convert) {
  const T* from = reinterpret_cast<const T*>(data) + begin;
  for (size_t i = 0; i < out.size(); ++i) out[i] = convert(from[i]);
}

// Reads elements that are codes of `bits` bits, packed, low bits first.
void ReadCodes(DType dtype, const std::byte* data, int64_t begin, absl::Span<double> out) {
  const Table& table = TableOf(dtype);
  const auto bits = static_cast<int64_t>(DTypeBits(dtype));
  const int mask = (1 << bits) - 1;
  for (size_t i = 0; i < out.size(); ++i) {
    const int64_t bit = (begin + static_cast<int64_t>(i)) * bits;
    const int64_t byte = bit / 8;
    const int shift = static_cast<int>(bit % 8);
    int code = std::to_integer<int>(data[byte]) >> shift;
    // The last code ends at the end of a byte, so a code that does not end here has a next byte.
    if (shift + bits > 8) code |= std::to_integer<int>(data[byte + 1]) << (8 - shift);
    out[i] = table[static_cast<size_t>(code & mask)];
  }
}

}  // namespace

void ReadElements(const Tensor& tensor, int64_t begin, absl::Span<double> out) {
  ReadElements(tensor.dtype(), tensor.raw_data(), begin, out);
}

void ReadElements(DType dtype, const std::byte* data, int64_t begin, absl::Span<double> out) {
  if (dtype == DType::kBool) {
    return ReadAs<uint8_t>(data, begin, out, [](uint8_t b) { return b != 0 ? 1.0 : 0.0; });
  }
  if (dtype == DType::kC64) {
    // Neither square can overflow in double; std::abs is slower because it guards against overflow.
    return ReadAs<std::complex<float>>(data, begin, out, [](std::complex<float> z) {
      const double re = z.real();
      const double im = z.imag();
      return std::sqrt(re * re + im * im);
    });
  }
  const auto read = [&](auto zero) {
    ReadAs<decltype(zero)>(data, begin, out, [](auto x) { return static_cast<double>(x); });
  };
  if (!internal::VisitType<float, double, Eigen::half, Eigen::bfloat16, uint8_t, int8_t, uint16_t,
                           int16_t, uint32_t, int32_t, uint64_t, int64_t>(dtype, read)) {
    ReadCodes(dtype, data, begin, out);
  }
}

}  // namespace leafstore
