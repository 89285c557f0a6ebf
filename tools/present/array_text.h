// The numbers of a tensor as text, as NumPy prints an array.
//
//   PrintArray(TensorView::Of(tensor), {}, &out);
//   // [[ 1.  -2.   3. ]
//   //  [-4.   5.  -6.5]]
//
// Each number has the fewest digits that read back as the same number of its dtype, of them at most
// `digits` behind the point; columns are as wide as the widest, and have
// exponents where numbers differ by more than 1000 times, or are over 1e8 or below 1e-4. Integers
// are exact. Beyond `threshold` elements the middle of each axis is left out.
//
// Threads: functions of values, but for the output.
#ifndef LEAFSTORE_TOOLS_PRESENT_ARRAY_TEXT_H_
#define LEAFSTORE_TOOLS_PRESENT_ARRAY_TEXT_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>

#include "leafstore/tools/present/output.h"
#include "leafstore/tools/present/slice.h"

namespace leafstore::tools {

struct ArrayTextOptions {
  // More elements than this are cut; all of them is the largest int64.
  int64_t threshold = 1000;
  // So many at both ends of an axis that is cut.
  int64_t edge = 3;
  // Longest line.
  size_t width = 75;
  // Most digits behind a point. With more than any number needs, all read back.
  int digits = 8;
};

// With the end of the last line. O(elements shown).
void PrintArray(const TensorView& view, const ArrayTextOptions& options, Output* out);

// One element, of the number `index` in its tensor, with as many digits as it needs.
std::string ElementText(const Tensor& tensor, int64_t index);

// The elements as nested lists, a complex one as [real, imaginary]; `[]` where there are none,
// whatever the shape. Numbers have the fewest digits that read back: as f64, but those of f32 and
// c64 as f32. Writes as it goes. O(elements).
void PrintArrayAsJson(const TensorView& view, Output* out);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_PRESENT_ARRAY_TEXT_H_
