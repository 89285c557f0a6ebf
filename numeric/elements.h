// Elements: the elements of a tensor of any dtype, converted to double.
//
//   double block[kElementBlock];
//   ReadElements(tensor, 0, absl::MakeSpan(block, 4));   // the first four
//
// Supports every dtype. bool is 0 or 1; integers beyond 2^53 are rounded to the nearest double; all
// floating types are exact; c64 is read as its magnitude. Types narrower than a byte are packed,
// low bits first (dtype.h).
//
// The 8, 6 and 4 bit floating types are decoded by their published layouts:
//
//   f8_e5m2, f8_e4m3          OCP 8-bit Floating Point Specification (OFP8) 1.0, 2023;
//                             f8_e4m3 is its E4M3: no infinities, NaN is S.1111.111
//   f8_e8m0                   OCP Microscaling Formats (MX) Specification 1.0, 2023, section 5.4:
//                             2^(code - 127), 0xff is NaN; no zero and no sign
//   f6_e2m3, f6_e3m2, f4      the same, section 5.3: no infinities, no NaN; f4 is E2M1
//   f8_e5m2fnuz, f8_e4m3fnuz  Noune et al., "8-bit Numerical Formats for Deep Neural Networks",
//                             2022: exponent bias one larger, no infinities, no -0, whose code is
//                             NaN
//
// Threads: pure functions; thread-safe.
#ifndef LEAFSTORE_NUMERIC_ELEMENTS_H_
#define LEAFSTORE_NUMERIC_ELEMENTS_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"

#include "leafstore/core/dtype.h"
#include "leafstore/core/tensor.h"

namespace leafstore {

// The number of elements that callers read at a time: 8 KiB of doubles, which fit the L1 cache.
inline constexpr size_t kElementBlock = 1024;

// Reads elements [begin, begin + out.size()) of a tensor. The range must be in bounds.
// O(out.size()).
void ReadElements(const Tensor& tensor, int64_t begin, absl::Span<double> out);
// Like ReadElements above, for elements of `dtype` that begin at `data`.
void ReadElements(DType dtype, const std::byte* data, int64_t begin, absl::Span<double> out);

namespace internal {

// Calls `fn(T())`, where T is the type among `Ts` whose dtype is `dtype`. Returns false, without
// calling `fn`, if there is none.
template <typename... Ts, typename Fn>
bool VisitType(DType dtype, const Fn& fn) {
  return ((dtype == kDTypeOf<Ts> && (fn(Ts()), true)) || ...);
}

// Calls `fn(begin, size)` for each block of at most kElementBlock of `count` elements, in order.
template <typename Fn>
void ForEachBlock(int64_t count, const Fn& fn) {
  for (int64_t begin = 0; begin < count; begin += kElementBlock) {
    fn(begin, std::min<size_t>(kElementBlock, static_cast<size_t>(count - begin)));
  }
}

}  // namespace internal

}  // namespace leafstore

#endif  // LEAFSTORE_NUMERIC_ELEMENTS_H_
