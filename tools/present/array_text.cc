#include "leafstore/tools/present/array_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>

#include "absl/strings/str_format.h"

#include "leafstore/core/dtype.h"
#include "leafstore/numeric/elements.h"

namespace leafstore::tools {
namespace {

template <typename T>
T RawAt(const Tensor& tensor, int64_t index) {
  T value;
  std::memcpy(&value, tensor.raw_data() + static_cast<size_t>(index) * sizeof(T), sizeof(T));
  return value;
}

double NumberAt(const Tensor& tensor, int64_t index) {
  double number = 0;
  ReadElements(tensor, index, absl::MakeSpan(&number, 1));
  return number;
}

// Returns the bits of the significand, including the hidden one, of floating types narrower than
// f32.
int PrecisionOf(DType dtype) {
  constexpr std::pair<DType, int> kBits[] = {
      {DType::kF16, 11},   {DType::kF8E4M3, 4},     {DType::kF8E4M3FNUZ, 4}, {DType::kF6E2M3, 4},
      {DType::kF8E5M2, 3}, {DType::kF8E5M2FNUZ, 3}, {DType::kF6E3M2, 3},     {DType::kF4, 2}};
  for (const auto& [narrow, bits] : kBits) {
    if (narrow == dtype) return bits;
  }
  return 8;  // bf16; f8_e8m0 has powers of two, for which one or two digits are too few
}

// Returns a finite number as `d.ddde+xx`, with the fewest digits that identify it in its dtype.
std::string Shortest(double number, DType dtype) {
  const auto exact = [](auto value) {
    char text[64];
    const auto end = std::to_chars(text, text + sizeof(text), value, std::chars_format::scientific);
    return std::string(text, end.ptr);
  };
  if (dtype == DType::kF64) return exact(number);
  if (dtype == DType::kF32 || dtype == DType::kC64) return exact(static_cast<float>(number));
  // A text that is nearer than a quarter of the gap to the next number identifies this one.
  int exponent = 0;
  std::frexp(number, &exponent);
  const double near = std::ldexp(0.25, exponent - PrecisionOf(dtype));
  for (int digits = 0;; ++digits) {
    const std::string candidate = absl::StrFormat("%.*e", digits, number);
    if (std::abs(std::strtod(candidate.c_str(), nullptr) - number) < near || digits == 16) {
      return candidate;
    }
  }
}

struct Scientific {
  int digits = 0;  // after the point
  int exponent = 0;
};

// Describes a text that Shortest returned.
Scientific ScientificOf(const std::string& text) {
  const size_t e = text.find('e');
  const size_t point = text.find('.');
  Scientific found;
  if (point != std::string::npos) found.digits = static_cast<int>(e - point - 1);
  found.exponent = std::atoi(text.c_str() + e + 1);
  return found;
}

std::string NotFinite(double number) {
  return std::isnan(number) ? "nan" : number < 0 ? "-inf" : "inf";
}

// Returns a part of a complex number.
std::string PartText(float number) {
  if (!std::isfinite(number)) return NotFinite(number);
  if (number == 0) return std::signbit(number) ? "-0." : "0.";
  const Scientific shape = ScientificOf(Shortest(number, DType::kF32));
  if (shape.exponent >= 16 || shape.exponent < -4) {
    return absl::StrFormat("%.*e", shape.digits, number);
  }
  const int digits = std::max(0, shape.digits - shape.exponent);
  return absl::StrCat(absl::StrFormat("%.*f", digits, number), digits == 0 ? "." : "");
}

// Returns an element that is not floating with as many digits as it needs.
std::string ElementText(const Tensor& tensor, int64_t index) {
  const DType dtype = tensor.dtype();
  if (dtype == DType::kI64) return absl::StrCat(RawAt<int64_t>(tensor, index));
  if (dtype == DType::kU64) return absl::StrCat(RawAt<uint64_t>(tensor, index));
  if (dtype == DType::kC64) {
    const auto [real, imaginary] = RawAt<std::array<float, 2>>(tensor, index);
    const bool has_sign = std::signbit(imaginary) && !std::isnan(imaginary);
    return absl::StrCat(PartText(real), has_sign ? "" : "+", PartText(imaginary), "j");
  }
  const double number = NumberAt(tensor, index);
  if (dtype == DType::kBool) return number != 0 ? "True" : "False";
  return absl::StrCat(static_cast<int64_t>(number));
}

// Prints all numbers with the width of the widest. The elements that are shown are visited three
// times: to choose the form, to measure, and to print.
class ArrayPrinter {
 public:
  ArrayPrinter(const TensorView& view, const ArrayTextOptions& options, Output* out)
      : view_(view),
        options_(options),
        out_(out),
        is_cut_(view.size() > options.threshold),
        is_float_(IsFloating(view.tensor.dtype())) {}

  void Print() {
    if (is_float_) Visit(0, view_.begin, [this](int64_t index) { ChooseForm(index); });
    Visit(0, view_.begin, [this](int64_t index) { Measure(index); });
    PrintAxis(0, view_.begin);
    out_->Write("\n");
  }

 private:
  // The count of elements shown at each end of an abbreviated axis.
  static constexpr int64_t kEdge = 3;

  // Calls `body` with each position of an axis that is printed, and -1 for those that are omitted.
  template <typename Body>
  void ForEachShown(size_t axis, Body body) const {
    const int64_t extent = view_.shape[axis];
    for (int64_t i = 0; i < extent && out_->ok(); ++i) {
      if (is_cut_ && extent > 2 * kEdge && i == kEdge) {
        body(-1);
        i = extent - kEdge;
      }
      body(i);
    }
  }

  template <typename Body>
  void Visit(size_t axis, int64_t index, const Body& body) const {
    if (axis == view_.shape.size()) return body(index);
    ForEachShown(axis, [&](int64_t i) {
      if (i >= 0) Visit(axis + 1, index + i * view_.strides[axis], body);
    });
  }

  void ChooseForm(int64_t index) {
    const double number = std::abs(NumberAt(view_.tensor, index));
    if (!std::isfinite(number) || number == 0) return;
    min_ = std::min(min_, number);
    max_ = std::max(max_, number);
    exponents_ = max_ >= 1e8 || min_ < 1e-4 || max_ / min_ > 1000;
  }

  void Measure(int64_t index) {
    const std::string text = Plain(index);
    const size_t point = text.find('.');
    if (!is_float_ || point == std::string::npos) {
      width_ = std::max(width_, text.size());
      return;
    }
    before_ = std::max(before_, point);
    if (exponents_) {
      digits_ = std::max(digits_, text.find('e') - point - 1);
      after_ = std::max(after_, text.size() - text.find('e') + digits_ + 1);
    } else {
      after_ = std::max(after_, text.size() - point);
    }
  }

  // Returns the element without padding.
  std::string Plain(int64_t index) const {
    if (!is_float_) return ElementText(view_.tensor, index);
    const double number = NumberAt(view_.tensor, index);
    if (!std::isfinite(number)) return NotFinite(number);
    const Scientific shape =
        number == 0 ? Scientific() : ScientificOf(Shortest(number, view_.tensor.dtype()));
    if (exponents_) {
      std::string text = absl::StrFormat("%.*e", std::min(shape.digits, options_.digits), number);
      if (text.find('.') == std::string::npos) text.insert(text.find('e'), ".");
      return text;
    }
    const int digits = std::clamp(shape.digits - shape.exponent, 0, options_.digits);
    std::string text = absl::StrFormat("%.*f", digits, number);
    if (digits == 0) return text + ".";
    while (text.back() == '0') text.pop_back();
    return text;
  }

  std::string Padded(int64_t index) const {
    std::string text = Plain(index);
    const size_t point = text.find('.');
    if (is_float_ && point != std::string::npos) {
      if (exponents_) {
        const size_t e = text.find('e');
        text.insert(e, digits_ - (e - point - 1), '0');
      }
      text.append(after_ - std::min(after_, text.size() - point), ' ');
    }
    const size_t width = std::max(width_, before_ + after_);
    return std::string(width - std::min(width, text.size()), ' ') + text;
  }

  void PrintAxis(size_t axis, int64_t index) {
    const size_t rank = view_.shape.size();
    if (axis == rank) return out_->Write(Padded(index));
    const bool is_row = axis + 1 == rank;
    const std::string indent(axis + 1, ' ');
    const std::string between = std::string(rank - axis - 1, '\n') + indent;
    size_t used = axis + 1;  // columns of the line, in a row
    bool first = true;
    out_->Write("[");
    ForEachShown(axis, [&](int64_t i) {
      const int64_t element = index + i * view_.strides[axis];
      if (!is_row) {
        if (!first) out_->Write(between);
        first = false;
        return i < 0 ? out_->Write("...") : PrintAxis(axis + 1, element);
      }
      const std::string text = i < 0 ? "..." : Padded(element);
      if (!first && used + 1 + text.size() + (axis + 1) > options_.width) {
        out_->Write("\n", indent);
        used = axis + 1;
        first = true;
      }
      out_->Write(first ? "" : " ", text);
      used += text.size() + (first ? 0 : 1);
      first = false;
    });
    out_->Write("]");
  }

  const TensorView& view_;
  const ArrayTextOptions& options_;
  Output* out_;
  const bool is_cut_;
  const bool is_float_;
  double min_ = std::numeric_limits<double>::infinity();
  double max_ = 0;
  bool exponents_ = false;
  size_t digits_ = 0;  // after the point, with exponents
  size_t before_ = 0;  // columns before the point, and from it on
  size_t after_ = 0;
  size_t width_ = 0;  // of what has no point
};

// Returns the text of a finite number as Python prints it: `1.0`, `0.1`, `1e-05`, `1.5e+16`.
std::string JsonNumber(double number, DType dtype) {
  if (!std::isfinite(number)) return "null";
  if (number == 0) return std::signbit(number) ? "-0.0" : "0.0";
  // A reader that does not know narrow dtypes must find the same number.
  const bool is_f32 = dtype == DType::kF32 || dtype == DType::kC64;
  std::string text = Shortest(std::abs(number), is_f32 ? dtype : DType::kF64);
  const int exponent = ScientificOf(text).exponent;
  if (exponent >= -4 && exponent < 16) {
    std::string digits = text.substr(0, text.find('e'));
    if (digits.size() > 1) digits.erase(1, 1);  // the point
    const auto before = static_cast<size_t>(exponent + 1);
    if (exponent < 0) {
      text = absl::StrCat("0.", std::string(static_cast<size_t>(-exponent - 1), '0'), digits);
    } else {
      if (digits.size() <= before) digits.resize(before + 1, '0');
      text = absl::StrCat(digits.substr(0, before), ".", digits.substr(before));
    }
  }
  return number < 0 ? absl::StrCat("-", text) : text;
}

std::string ElementAsJson(const Tensor& tensor, int64_t index) {
  const DType dtype = tensor.dtype();
  if (dtype == DType::kBool) return NumberAt(tensor, index) != 0 ? "true" : "false";
  if (dtype == DType::kC64) {
    const auto [real, imaginary] = RawAt<std::array<float, 2>>(tensor, index);
    return absl::StrCat("[", JsonNumber(real, dtype), ",", JsonNumber(imaginary, dtype), "]");
  }
  if (IsFloating(dtype)) return JsonNumber(NumberAt(tensor, index), dtype);
  return ElementText(tensor, index);
}

void PrintAxisAsJson(const TensorView& view, size_t axis, int64_t index, Output* out) {
  if (axis == view.shape.size()) return out->Write(ElementAsJson(view.tensor, index));
  out->Write("[");
  for (int64_t i = 0; i < view.shape[axis] && out->ok(); ++i) {
    if (i > 0) out->Write(",");
    PrintAxisAsJson(view, axis + 1, index + i * view.strides[axis], out);
  }
  out->Write("]");
}

}  // namespace

void PrintArray(const TensorView& view, const ArrayTextOptions& options, Output* out) {
  if (view.size() == 0) return out->Write("[]\n");
  ArrayPrinter(view, options, out).Print();
}

void PrintArrayAsJson(const TensorView& view, Output* out) {
  // A shape without elements may have any number of nested lists.
  if (view.size() == 0) return out->Write("[]");
  PrintAxisAsJson(view, 0, view.begin, out);
}

}  // namespace leafstore::tools
