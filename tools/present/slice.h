// Slice: a part of a tensor, written as in Python.
//
//   Slice slice = Slice::Parse("0:3, ..., ::2").value();
//   TensorView view = slice.Apply(tensor).value();
//   view.shape;                          // {3, 5}
//   view.ToTensor().value();             // a tensor of its own
//
//   slice := term { "," term };  term := INT | [INT] ":" [INT] [":" [INT]] | "..."
//
// An INT takes one position and its axis away; begin:end:step takes some, and like Python is cut to
// what there is; negative positions count from the end, a negative step goes backwards. `...` is as
// many whole axes as are missing, and stands at the end where there is none.
//
// Threads: values.
#ifndef LEAFSTORE_TOOLS_PRESENT_SLICE_H_
#define LEAFSTORE_TOOLS_PRESENT_SLICE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "leafstore/core/shape.h"
#include "leafstore/core/tensor.h"

namespace leafstore::tools {

// Some elements of a tensor, which lie `strides` elements apart.
struct TensorView {
  // All of it. Shares the bytes.
  static TensorView Of(const Tensor& tensor);

  int64_t size() const;
  // Row-major, all of these elements. error InvalidArgument: they are narrower than a byte and not
  // all of the tensor's, or it has no memory for them. O(size).
  absl::StatusOr<Tensor> ToTensor() const;

  Tensor tensor;
  int64_t begin = 0;
  std::vector<int64_t> shape;
  std::vector<int64_t> strides;
};

class Slice {
 public:
  // error InvalidArgument: with the column (1-based) and what was expected there.
  static absl::StatusOr<Slice> Parse(absl::string_view text);

  // error InvalidArgument: more terms than axes, or a position that the axis does not have; names
  // the axis.
  absl::StatusOr<TensorView> Apply(const Tensor& tensor) const;
  // Whether Apply would be right of a tensor of this shape. error: as Apply.
  absl::Status Check(ShapeRef shape) const;

 private:
  struct Term {
    enum Kind : uint8_t { kPosition, kRange, kRest } kind = kRange;
    std::optional<int64_t> begin;  // or the position
    std::optional<int64_t> end;
    std::optional<int64_t> step;
  };

  static absl::StatusOr<Term> ParseTerm(absl::string_view text, size_t column);
  // Makes of `*view`, all of a tensor, this part.
  absl::Status ApplyTo(TensorView* view) const;
  static absl::Status ApplyTerm(const Term& term, size_t axis, TensorView* from,
                                std::vector<int64_t>* shape, std::vector<int64_t>* strides);

  std::vector<Term> terms_;
};

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_PRESENT_SLICE_H_
