// Helpers for tests of tensors.
#ifndef LEAFSTORE_TESTS_CORE_TENSOR_TESTING_H_
#define LEAFSTORE_TESTS_CORE_TENSOR_TESTING_H_

#include <vector>

#include "absl/types/span.h"

#include "leafstore/core/tensor.h"

namespace leafstore {

// Returns the elements of an f32 tensor.
inline std::vector<float> FloatsOf(const Tensor& tensor) {
  const absl::Span<const float> values = tensor.span<float>();
  return std::vector<float>(values.begin(), values.end());
}

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_CORE_TENSOR_TESTING_H_
