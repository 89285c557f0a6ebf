#include "leafstore/tools/present/slice.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "leafstore/core/status_macros.h"

namespace leafstore::tools {
namespace {

absl::Status Wrong(absl::string_view text, size_t column) {
  return absl::InvalidArgumentError(absl::StrCat(
      "slice, column ", column, ": expected a number, begin:end:step or ..., found '", text, "'"));
}

// Copies the elements of a view from an axis on, of `bytes` bytes each. Returns the end of the
// copy.
std::byte* CopyElements(const TensorView& view, size_t axis, int64_t index, size_t bytes,
                        std::byte* to) {
  if (axis == view.shape.size()) {
    std::memcpy(to, view.tensor.raw_data() + static_cast<size_t>(index) * bytes, bytes);
    return to + bytes;
  }
  for (int64_t i = 0; i < view.shape[axis]; ++i) {
    to = CopyElements(view, axis + 1, index + i * view.strides[axis], bytes, to);
  }
  return to;
}

// Returns a view of all elements of a tensor of this shape, without the tensor.
TensorView ViewOfShape(ShapeRef shape) {
  TensorView view;
  view.shape.assign(shape.begin(), shape.end());
  view.strides.assign(view.shape.size(), 1);
  for (size_t axis = view.shape.size(); axis-- > 1;) {
    view.strides[axis - 1] = view.strides[axis] * std::max<int64_t>(view.shape[axis], 1);
  }
  return view;
}

// Returns the elements of a row of a shape, at least 1.
int64_t RowSize(ShapeRef shape) {
  return std::max<int64_t>(ElementCount(shape.subspan(1)).value_or(1), 1);
}

}  // namespace

TensorView TensorView::Of(const Tensor& tensor) {
  TensorView view = ViewOfShape(tensor.shape());
  view.tensor = tensor;
  return view;
}

int64_t TensorView::size() const { return ElementCount(shape).value_or(0); }

absl::StatusOr<Tensor> TensorView::ToTensor() const {
  if (begin == 0 && strides == Of(tensor).strides && size() == tensor.element_count()) {
    return tensor;
  }
  const size_t bits = DTypeBits(tensor.dtype());
  if (bits % 8 != 0) {
    return absl::InvalidArgumentError(absl::StrCat("a tensor of ", DTypeName(tensor.dtype()),
                                                   " cannot be sliced: its elements share bytes"));
  }
  LEAFSTORE_ASSIGN_OR_RETURN(Tensor part, Tensor::Uninitialized(tensor.dtype(), shape));
  if (size() == 0) return part;
  CopyElements(*this, 0, begin, bits / 8, TensorAccess::bytes(&part).data());
  return part;
}

absl::StatusOr<Slice::Term> Slice::ParseTerm(absl::string_view text, size_t column) {
  const absl::string_view trimmed = absl::StripAsciiWhitespace(text);
  Term term;
  if (trimmed == "...") {
    term.kind = Term::kRest;
    return term;
  }
  std::vector<absl::string_view> parts = absl::StrSplit(trimmed, ':');
  if (parts.size() > 3) return Wrong(trimmed, column);
  std::optional<int64_t>* const numbers[] = {&term.begin, &term.end, &term.step};
  for (size_t i = 0; i < parts.size(); ++i) {
    const absl::string_view part = absl::StripAsciiWhitespace(parts[i]);
    int64_t number = 0;
    if (part.empty() && parts.size() > 1) continue;
    if (!absl::SimpleAtoi(part, &number)) return Wrong(trimmed, column);
    *numbers[i] = number;
  }
  if (parts.size() == 1) term.kind = Term::kPosition;
  if (term.step == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("slice, column ", column, ": expected a step other than 0"));
  }
  return term;
}

absl::StatusOr<Slice> Slice::Parse(absl::string_view text) {
  Slice slice;
  size_t column = 1;
  bool rest = false;
  for (const absl::string_view part : absl::StrSplit(text, ',')) {
    LEAFSTORE_ASSIGN_OR_RETURN(const Term term, ParseTerm(part, column));
    if (term.kind == Term::kRest && std::exchange(rest, true)) {
      return absl::InvalidArgumentError(
          absl::StrCat("slice, column ", column, ": expected one `...` at most, found another"));
    }
    slice.terms_.push_back(term);
    column += part.size() + 1;
  }
  if (!rest) slice.terms_.push_back({Term::kRest, {}, {}, {}});
  return slice;
}

absl::Status Slice::ApplyTerm(const Term& term, size_t axis, TensorView* from,
                              std::vector<int64_t>* shape, std::vector<int64_t>* strides) {
  const int64_t extent = from->shape[axis];
  const int64_t stride = from->strides[axis];
  if (term.kind == Term::kPosition) {
    const int64_t position = *term.begin < 0 ? *term.begin + extent : *term.begin;
    if (position < 0 || position >= extent) {
      return absl::InvalidArgumentError(absl::StrCat("slice: index ", *term.begin,
                                                     " is out of bounds for axis ", axis,
                                                     " with size ", extent));
    }
    from->begin += position * stride;
    return absl::OkStatus();
  }
  // Clamps as Python does: `low` and `high` are the smallest and largest possible ends.
  const int64_t step = std::clamp<int64_t>(term.step.value_or(1), -extent - 1, extent + 1);
  const int64_t low = step > 0 ? 0 : -1;
  const int64_t high = step > 0 ? extent : extent - 1;
  const auto cut = [extent, low, high](int64_t position) {
    if (position < 0) position = position < -extent ? low : position + extent;
    return std::clamp(position, low, high);
  };
  const int64_t begin = term.begin ? cut(*term.begin) : (step > 0 ? low : high);
  const int64_t end = term.end ? cut(*term.end) : (step > 0 ? high : low);
  const int64_t span = step > 0 ? end - begin : begin - end;
  const int64_t width = step > 0 ? step : -step;
  shape->push_back(span > 0 ? (span + width - 1) / width : 0);
  strides->push_back(stride * step);
  if (span > 0) from->begin += begin * stride;
  return absl::OkStatus();
}

absl::StatusOr<TensorView> Slice::Apply(const Tensor& tensor) const {
  TensorView view = TensorView::Of(tensor);
  LEAFSTORE_RETURN_IF_ERROR(ApplyTo(&view));
  return view;
}

absl::StatusOr<RowRange> Slice::RowsOf(ShapeRef shape) const {
  TensorView view = ViewOfShape(shape);
  LEAFSTORE_RETURN_IF_ERROR(ApplyTo(&view));
  if (view.size() == 0) return RowRange{};
  int64_t first = view.begin;
  int64_t last = view.begin;
  for (size_t axis = 0; axis < view.shape.size(); ++axis) {
    const int64_t reach = (view.shape[axis] - 1) * view.strides[axis];
    (reach < 0 ? first : last) += reach;
  }
  return RowRange{first / RowSize(shape), last / RowSize(shape) + 1};
}

absl::StatusOr<TensorView> Slice::ApplyToRows(const Tensor& tensor, ShapeRef shape,
                                              int64_t first) const {
  TensorView view = ViewOfShape(shape);
  LEAFSTORE_RETURN_IF_ERROR(ApplyTo(&view));
  view.tensor = tensor;
  if (view.size() > 0) view.begin -= first * RowSize(shape);
  return view;
}

absl::Status Slice::Check(ShapeRef shape) const {
  TensorView view;
  view.shape.assign(shape.begin(), shape.end());
  view.strides.resize(shape.size());  // the positions of elements do not matter
  return ApplyTo(&view);
}

absl::Status Slice::ApplyTo(TensorView* view) const {
  const size_t rank = view->shape.size();
  const size_t named = terms_.size() - 1;
  if (named > rank) {
    return absl::InvalidArgumentError(absl::StrCat("slice: expected at most ", rank,
                                                   " indices or ranges for a shape of ",
                                                   ShapeToString(view->shape), ", found ", named));
  }
  std::vector<int64_t> shape;
  std::vector<int64_t> strides;
  size_t axis = 0;
  for (const Term& term : terms_) {
    const size_t count = term.kind == Term::kRest ? rank - named : 1;
    for (size_t i = 0; i < count; ++i, ++axis) {
      LEAFSTORE_RETURN_IF_ERROR(ApplyTerm(term, axis, view, &shape, &strides));
    }
  }
  view->shape = std::move(shape);
  view->strides = std::move(strides);
  return absl::OkStatus();
}

}  // namespace leafstore::tools
