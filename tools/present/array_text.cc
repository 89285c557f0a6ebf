#include "leafstore/tools/present/array_text.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"
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
  switch (dtype) {
    case DType::kF16:
      return 11;
    case DType::kBF16:
      return 8;
    case DType::kF8E4M3:
    case DType::kF8E4M3FNUZ:
    case DType::kF6E2M3:
      return 4;
    case DType::kF8E5M2:
    case DType::kF8E5M2FNUZ:
    case DType::kF6E3M2:
      return 3;
    case DType::kF4:
      return 2;
    default:
      // f8_e8m0: powers of two, for which one or two digits are too few.
      return 8;
  }
}

// Returns a finite number as `d.ddde+xx`, with the fewest digits that identify it in its dtype.
std::string Shortest(double number, DType dtype) {
  char text[64];
  if (dtype == DType::kF64) {
    return std::string(
        text, std::to_chars(text, text + sizeof(text), number, std::chars_format::scientific).ptr);
  }
  if (dtype == DType::kF32 || dtype == DType::kC64) {
    const auto narrow = static_cast<float>(number);
    return std::string(
        text, std::to_chars(text, text + sizeof(text), narrow, std::chars_format::scientific).ptr);
  }
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

Scientific ScientificOf(double number, DType dtype) {
  const std::string text = Shortest(number, dtype);
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

std::string FloatText(double number, DType dtype) {
  if (!std::isfinite(number)) return NotFinite(number);
  if (number == 0) return std::signbit(number) ? "-0." : "0.";
  const Scientific shape = ScientificOf(number, dtype);
  if (shape.exponent >= 16 || shape.exponent < -4) {
    return absl::StrFormat("%.*e", shape.digits, number);
  }
  const int digits = std::max(0, shape.digits - shape.exponent);
  return absl::StrCat(absl::StrFormat("%.*f", digits, number), digits == 0 ? "." : "");
}

std::string ComplexText(const Tensor& tensor, int64_t index) {
  const float real = RawAt<float>(tensor, 2 * index);
  const float imaginary = RawAt<float>(tensor, 2 * index + 1);
  return absl::StrCat(FloatText(real, DType::kF32),
                      std::signbit(imaginary) && !std::isnan(imaginary) ? "" : "+",
                      FloatText(imaginary, DType::kF32), "j");
}

// Formats the elements of a tensor with one width.
class ElementColumn {
 public:
  ElementColumn(const Tensor& tensor, int most_digits)
      : tensor_(tensor), dtype_(tensor.dtype()), most_digits_(most_digits) {}

  // Look, then Measure, must be called for all elements that will be printed.
  void Look(int64_t index) {
    if (!IsFloating(dtype_)) return;
    const double number = std::abs(NumberAt(tensor_, index));
    if (!std::isfinite(number) || number == 0) return;
    min_ = std::min(min_, number);
    max_ = std::max(max_, number);
    exponents_ = max_ >= 1e8 || min_ < 1e-4 || max_ / min_ > 1000;
  }
  void Measure(int64_t index) {
    const std::string text = Plain(index);
    const size_t point = text.find('.');
    if (!IsFloating(dtype_) || point == std::string::npos) {
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

  size_t width() const { return std::max(width_, before_ + after_); }

  std::string Text(int64_t index) const {
    std::string text = Plain(index);
    const size_t point = text.find('.');
    if (IsFloating(dtype_) && point != std::string::npos) {
      if (exponents_) {
        const size_t e = text.find('e');
        text.insert(e, digits_ - (e - point - 1), '0');
      }
      text.append(after_ - std::min(after_, text.size() - point), ' ');
    }
    return std::string(width() - std::min(width(), text.size()), ' ') + text;
  }

 private:
  std::string Plain(int64_t index) const {
    if (!IsFloating(dtype_)) return ElementText(tensor_, index);
    const double number = NumberAt(tensor_, index);
    if (!std::isfinite(number)) return NotFinite(number);
    const Scientific shape = number == 0 ? Scientific() : ScientificOf(number, dtype_);
    if (exponents_) {
      std::string text = absl::StrFormat("%.*e", std::min(shape.digits, most_digits_), number);
      if (text.find('.') == std::string::npos) text.insert(text.find('e'), ".");
      return text;
    }
    const int digits = std::clamp(shape.digits - shape.exponent, 0, most_digits_);
    std::string text = absl::StrFormat("%.*f", digits, number);
    if (digits == 0) return text + ".";
    while (text.back() == '0') text.pop_back();
    return text;
  }

  const Tensor& tensor_;
  const DType dtype_;
  const int most_digits_;
  double min_ = std::numeric_limits<double>::infinity();
  double max_ = 0;
  bool exponents_ = false;
  size_t digits_ = 0;
  size_t before_ = 0;
  size_t after_ = 0;
  size_t width_ = 0;
};

class ArrayPrinter {
 public:
  ArrayPrinter(const TensorView& view, const ArrayTextOptions& options, Output* out)
      : view_(view),
        options_(options),
        out_(out),
        cut_(view.size() > options.threshold),
        column_(view.tensor, options.digits) {}

  void Print() {
    if (view_.size() == 0) {
      out_->Write("[]\n");
      return;
    }
    Visit(0, view_.begin, [this](int64_t index) { column_.Look(index); });
    Visit(0, view_.begin, [this](int64_t index) { column_.Measure(index); });
    PrintAxis(0, view_.begin);
    out_->Write("\n");
  }

 private:
  bool IsCut(size_t axis) const { return cut_ && view_.shape[axis] > 2 * options_.edge; }

  // Calls `body` with each position of an axis that is printed, and -1 for those that are omitted.
  template <typename Body>
  void ForEachShown(size_t axis, Body body) const {
    const int64_t extent = view_.shape[axis];
    for (int64_t i = 0; i < extent && out_->ok(); ++i) {
      if (IsCut(axis) && i == options_.edge) {
        body(-1);
        i = extent - options_.edge;
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

  void PrintAxis(size_t axis, int64_t index) {
    if (axis == view_.shape.size()) {
      out_->Write(column_.Text(index));
      return;
    }
    out_->Write("[");
    if (axis + 1 == view_.shape.size()) {
      PrintRow(axis, index);
    } else {
      const std::string between(view_.shape.size() - axis - 1, '\n');
      const std::string indent(axis + 1, ' ');
      bool first = true;
      ForEachShown(axis, [&](int64_t i) {
        if (!first) out_->Write(absl::StrCat(between, indent));
        first = false;
        if (i < 0) {
          out_->Write("...");
        } else {
          PrintAxis(axis + 1, index + i * view_.strides[axis]);
        }
      });
    }
    out_->Write("]");
  }

  void PrintRow(size_t axis, int64_t index) {
    const size_t indent = axis + 1;
    size_t used = indent;
    bool first = true;
    ForEachShown(axis, [&](int64_t i) {
      const std::string text = i < 0 ? "..." : column_.Text(index + i * view_.strides[axis]);
      if (!first && used + 1 + text.size() + (axis + 1) > options_.width) {
        out_->Write(absl::StrCat("\n", std::string(indent, ' ')));
        used = indent;
        first = true;
      }
      out_->Write(absl::StrCat(first ? "" : " ", text));
      used += text.size() + (first ? 0 : 1);
      first = false;
    });
  }

  const TensorView& view_;
  const ArrayTextOptions& options_;
  Output* out_;
  const bool cut_;
  ElementColumn column_;
};

std::string JsonNumber(double number, DType dtype) {
  if (!std::isfinite(number)) return "null";
  if (number == 0) return std::signbit(number) ? "-0.0" : "0.0";
  // A reader that does not know narrow dtypes must find the same number.
  const bool is_f32 = dtype == DType::kF32 || dtype == DType::kC64;
  return Shortest(number, is_f32 ? dtype : DType::kF64);
}

std::string ElementAsJson(const Tensor& tensor, int64_t index) {
  const DType dtype = tensor.dtype();
  if (dtype == DType::kBool) return NumberAt(tensor, index) != 0 ? "true" : "false";
  if (dtype == DType::kC64) {
    return absl::StrCat("[", JsonNumber(RawAt<float>(tensor, 2 * index), DType::kF32), ",",
                        JsonNumber(RawAt<float>(tensor, 2 * index + 1), DType::kF32), "]");
  }
  if (IsFloating(dtype)) return JsonNumber(NumberAt(tensor, index), dtype);
  return ElementText(tensor, index);
}

void PrintAxisAsJson(const TensorView& view, size_t axis, int64_t index, Output* out) {
  if (axis == view.shape.size()) {
    out->Write(ElementAsJson(view.tensor, index));
    return;
  }
  out->Write("[");
  for (int64_t i = 0; i < view.shape[axis] && out->ok(); ++i) {
    if (i > 0) out->Write(",");
    PrintAxisAsJson(view, axis + 1, index + i * view.strides[axis], out);
  }
  out->Write("]");
}

}  // namespace

std::string ElementText(const Tensor& tensor, int64_t index) {
  switch (tensor.dtype()) {
    case DType::kBool:
      return NumberAt(tensor, index) != 0 ? "True" : "False";
    case DType::kI64:
      return absl::StrCat(RawAt<int64_t>(tensor, index));
    case DType::kU64:
      return absl::StrCat(RawAt<uint64_t>(tensor, index));
    case DType::kC64:
      return ComplexText(tensor, index);
    default:
      break;
  }
  const double number = NumberAt(tensor, index);
  if (IsFloating(tensor.dtype())) return FloatText(number, tensor.dtype());
  return absl::StrCat(static_cast<int64_t>(number));
}

void PrintArray(const TensorView& view, const ArrayTextOptions& options, Output* out) {
  ArrayPrinter(view, options, out).Print();
}

void PrintArrayAsJson(const TensorView& view, Output* out) {
  // A shape without elements may have any number of nested lists.
  if (view.size() == 0) return out->Write("[]");
  PrintAxisAsJson(view, 0, view.begin, out);
}

}  // namespace leafstore::tools
