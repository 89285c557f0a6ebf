// SumByLanes: sums with the same bits on every machine, in an order that vectorizes.
//
//   double sum = SumByLanes(x, [](double value) { return value * value; });
//
// The file that includes this must be compiled without fused multiply-add, which rounds a product
// and its addition once: add it to the list of numeric/CMakeLists.txt.
#ifndef LEAFSTORE_NUMERIC_INTERNAL_LANES_H_
#define LEAFSTORE_NUMERIC_INTERNAL_LANES_H_

#ifndef LEAFSTORE_NO_FUSED_MULTIPLY_ADD
#error "expected a file compiled with -ffp-contract=off (numeric/CMakeLists.txt)"
#endif

#include <cstddef>

#include "absl/types/span.h"

namespace leafstore::internal {

// The number of partial sums. It fills the registers of the narrowest instruction set twice; wider
// ones use the same eight, so that the order of additions is the same.
inline constexpr size_t kLanes = 8;

// Returns the sum of term(x[i]), added in the same order on every machine.
template <typename T, typename Term>
double SumByLanes(absl::Span<const T> x, const Term& term) {
  double lanes[kLanes] = {};
  size_t i = 0;
  for (; i + kLanes <= x.size(); i += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) lanes[lane] += term(x[i + lane]);
  }
  for (size_t lane = 0; i + lane < x.size(); ++lane) lanes[lane] += term(x[i + lane]);
  return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) +
         ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

}  // namespace leafstore::internal

#endif  // LEAFSTORE_NUMERIC_INTERNAL_LANES_H_
