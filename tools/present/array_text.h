// Prints the elements of a tensor as NumPy prints an array, and as JSON.
//
//   PrintArray(TensorView::Of(tensor), {}, &out);
//   // [[ 1.  -2.   3. ]
//   //  [-4.   5.  -6.5]]
//
// Each number has the fewest digits that read back as the same number of its dtype, at most
// `digits` of them after the point. All columns have the width of the widest number. Numbers have
// exponents if the largest is more than 1000 times the smallest, over 1e8, or the smallest is below
// 1e-4. Integers are exact. With more than `threshold` elements the middle of each axis is omitted.
#ifndef LEAFSTORE_TOOLS_PRESENT_ARRAY_TEXT_H_
#define LEAFSTORE_TOOLS_PRESENT_ARRAY_TEXT_H_

#include <cstddef>
#include <cstdint>

#include "leafstore/tools/present/output.h"
#include "leafstore/tools/present/slice.h"

namespace leafstore::tools {

struct ArrayTextOptions {
  // Tensors with more elements are abbreviated.
  int64_t threshold = 1000;
  // The maximum length of a line.
  size_t width = 75;
  // The maximum count of digits after the point. If it is large enough, all numbers read back.
  int digits = 8;
};

// Prints the elements, including the end of the last line. O(elements shown).
void PrintArray(const TensorView& view, const ArrayTextOptions& options, Output* out);

// Writes the elements as nested lists, a complex one as [real, imaginary]; writes `[]` without
// elements, whatever the shape. Numbers have the fewest digits that read back: as f64, those of f32
// and c64 as f32; as Python writes them (`1.0`, `1e-05`). O(elements).
void PrintArrayAsJson(const TensorView& view, Output* out);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_PRESENT_ARRAY_TEXT_H_
