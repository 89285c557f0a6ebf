// Helpers for tests of tensors.
#ifndef LEAFSTORE_TESTS_CORE_TENSOR_TESTING_H_
#define LEAFSTORE_TESTS_CORE_TENSOR_TESTING_H_

#include <cstddef>
#include <vector>

#include "absl/types/span.h"

#include "leafstore/core/buffer.h"
#include "leafstore/core/tensor.h"

namespace leafstore {

// Returns the elements of an f32 tensor.
inline std::vector<float> FloatsOf(const Tensor& tensor) {
  const absl::Span<const float> values = tensor.span<float>();
  return std::vector<float>(values.begin(), values.end());
}

static_assert(std::is_nothrow_move_assignable_v<Tensor>);
static_assert(!std::is_copy_constructible_v<MutableTensor>);

inline Tensor Numbers() { return Tensor::From<float>({4}, {1, 2, 3, 4}).value(); }

// Writes one element through a new borrow.
inline void Write(Tensor& tensor, float value, size_t index = 0) {
  MutableTensor writing = tensor.Mutate().value();
  writing.span<float>()[index] = value;
}

// Returns whether a write is in place, without a clone.
inline bool WritesInPlace(Tensor& tensor) {
  const std::byte* const before = tensor.raw_data();
  return tensor.Mutate().value().raw_data() == before;
}

// Four floats in memory that the caller owns, for external buffers.
struct UserMemory {
  float values[4] = {1, 2, 3, 4};
  int released = 0;

  Buffer ReadOnly() {
    return Buffer::External(values, sizeof(values), [this] { ++released; }).value();
  }
  Buffer Writable() {
    return Buffer::ExternalWritable(values, sizeof(values), [this] { ++released; }).value();
  }
};

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_CORE_TENSOR_TESTING_H_
