// Elements: the numbers in a tensor of any dtype, as doubles.
//
//   double block[kElementBlock];
//   ReadElements(tensor, 0, absl::MakeSpan(block, 4));   // the first four
//
// Every dtype there is. bool is 0 or 1; integers beyond 2^53 are rounded to the nearest double; all
// floating kinds are exact; c64 is read as its magnitude. Types narrower than a byte lie packed,
// low bits first (dtype.h).
//
// The 8, 6 and 4 bit floating types are decoded by the layouts that were published for them:
//
//   f8_e5m2, f8_e4m3          OCP 8-bit Floating Point Specification (OFP8) 1.0, 2023;
//                             f8_e4m3 is its E4M3: no infinities, NaN is S.1111.111
//   f8_e8m0                   OCP Microscaling Formats (MX) Specification 1.0, 2023, section 5.4:
//                             2^(code - 127), 0xff is NaN; there is no zero and no sign
//   f6_e2m3, f6_e3m2, f4      the same, section 5.3: no infinities, no NaN; f4 is E2M1
//   f8_e5m2fnuz, f8_e4m3fnuz  Noune et al., "8-bit Numerical Formats for Deep Neural Networks",
//                             2022: exponent bias one larger, no infinities, no -0, whose code is
//                             NaN
//
// Threads: functions of values; safe.
#ifndef LEAFSTORE_NUMERIC_ELEMENTS_H_
#define LEAFSTORE_NUMERIC_ELEMENTS_H_

#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"

#include "leafstore/core/dtype.h"
#include "leafstore/core/tensor.h"

namespace leafstore {

// How many elements those who walk a tensor read at a time: 8 KiB of doubles, which stay in the
// first cache.
inline constexpr size_t kElementBlock = 1024;

// Elements [begin, begin + out.size()) of a tensor, which must lie in it. O(out.size()).
void ReadElements(const Tensor& tensor, int64_t begin, absl::Span<double> out);
// The same of elements of `dtype` that begin at `data`.
void ReadElements(DType dtype, const std::byte* data, int64_t begin, absl::Span<double> out);

// What the 4, 6 or 8 bit code `code` of a floating type means; bits above the type's are ignored.
// `dtype` must be one of these types.
double DecodeSmallFloat(DType dtype, uint8_t code);

}  // namespace leafstore

#endif  // LEAFSTORE_NUMERIC_ELEMENTS_H_
