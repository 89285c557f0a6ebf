// Slice: a part of a tensor, written as in Python.
//
//   Slice slice = Slice::Parse("0:3, ..., ::2").value();
//   TensorView view = slice.Apply(tensor).value();
//   view.shape;                          // {3, 5}
//   view.ToTensor().value();             // a tensor of its own
//
//   slice := term { "," term };  term := INT | [INT] ":" [INT] [":" [INT]] | "..."
//
// An INT selects one position and removes its axis; begin:end:step selects a range, clamped to the
// axis as in Python; negative positions count from the end, and a negative step goes backwards.
// `...` means as many full axes as are missing; without it they are at the end.
#ifndef LEAFSTORE_TOOLS_PRESENT_SLICE_H_
#define LEAFSTORE_TOOLS_PRESENT_SLICE_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "leafstore/checkpoint/load_options.h"
#include "leafstore/core/shape.h"
#include "leafstore/core/tensor.h"

namespace leafstore::tools {

// Some elements of a tensor, `strides` elements apart.
struct TensorView {
  // Returns a view of all elements. Shares the bytes.
  static TensorView Of(const Tensor& tensor);

  int64_t size() const;
  // Copies these elements into a row-major tensor. error InvalidArgument: they are narrower than a
  // byte and not all elements of the tensor, or not enough memory. O(size).
  absl::StatusOr<Tensor> ToTensor() const;

  Tensor tensor;
  int64_t begin = 0;
  std::vector<int64_t> shape;
  std::vector<int64_t> strides;
};

class Slice {
 public:
  // Parses a slice. error InvalidArgument, with the column (1-based) and what was expected there.
  static absl::StatusOr<Slice> Parse(absl::string_view text);

  // Returns the selected part. error InvalidArgument, with the axis: more terms than axes, or a
  // position outside of the axis.
  absl::StatusOr<TensorView> Apply(const Tensor& tensor) const;
  // Returns the rows of a tensor of this shape that contain the selected part; none if it is empty.
  // The rank must not be 0. error: as Apply.
  absl::StatusOr<RowRange> RowsOf(ShapeRef shape) const;
  // Returns the selected part of a tensor of this shape. `tensor` contains only the rows that
  // RowsOf returned, the first of which is `first`. error: as Apply.
  absl::StatusOr<TensorView> ApplyToRows(const Tensor& tensor, ShapeRef shape, int64_t first) const;
  // Checks that Apply would succeed for a tensor of this shape. error: as Apply.
  absl::Status Check(ShapeRef shape) const;

 private:
  struct Term {
    enum Kind : uint8_t { kPosition, kRange, kRest } kind = kRange;
    std::optional<int64_t> begin;  // or the position
    std::optional<int64_t> end;
    std::optional<int64_t> step;
  };

  static absl::StatusOr<Term> ParseTerm(absl::string_view text, size_t column);
  // Reduces `*view`, a view of all elements of a tensor, to this part.
  absl::Status ApplyTo(TensorView* view) const;
  static absl::Status ApplyTerm(const Term& term, size_t axis, TensorView* from,
                                std::vector<int64_t>* shape, std::vector<int64_t>* strides);

  std::vector<Term> terms_;  // one of them is kRest
};

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_PRESENT_SLICE_H_
