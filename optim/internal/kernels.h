// Kernels: the arithmetic of a step, over arrays.
//
// One source, kernels.inc, is compiled once for each instruction set, and the best that this
// machine supports is selected at run time. All compute the same bits: they are elementwise, each
// operation is rounded as IEEE 754 requires, and none are fused (-ffp-contract=off). So neither the
// width of a vector nor the position of an element in an array affects a result.
//
// A step can write to new memory. A destination may equal its own source, but must not overlap
// anything else. Arrays are aligned to one element.
//
// Do not include a header with inline functions here or in kernels.inc: the linker keeps one copy
// of such a function, perhaps one with AVX-512 instructions, for the entire program.
#ifndef LEAFSTORE_OPTIM_INTERNAL_KERNELS_H_
#define LEAFSTORE_OPTIM_INTERNAL_KERNELS_H_

#include <stddef.h>

namespace leafstore::internal {

// The elements that a step reads, and the destination of their new values.
template <typename T>
struct InOut {
  const T* from;
  T* to;
};

// The arrays of a step. The moments are in the order of MomentNames (rules.h): the first of SGD is
// its momentum buffer. Null if the rule has fewer.
template <typename T>
struct StepArrays {
  const T* grad;
  InOut<T> param;
  InOut<T> first_moment;
  InOut<T> second_moment;
};

// Coefficients of the formulas in rules.h, computed in double.
template <typename T>
struct AdamNumbers {
  T grad_scale;
  T l2;     // weight decay as part of the gradient
  T decay;  // weight decay separate from it: 1 - lr * weight_decay
  T beta1;
  T one_minus_beta1;
  T beta2;
  T one_minus_beta2;
  T step_size;          // lr / (1 - beta1^t)
  T inverse_sqrt_bias;  // 1 / sqrt(1 - beta2^t)
  T eps;
};

template <typename T>
struct SgdNumbers {
  T grad_scale;
  T l2;
  T momentum;             // of the buffer's update: 0 in the first step
  T one_minus_dampening;  // 1 in the first step
  T nesterov;             // weight of the new buffer added to the gradient; 0 without Nesterov
  T lr;
};

template <typename T>
struct RuleKernels {
  void (*adam)(const StepArrays<T>& arrays, const AdamNumbers<T>& numbers, size_t n);
  void (*sgd)(const StepArrays<T>& arrays, const SgdNumbers<T>& numbers, size_t n);
};

struct Kernels {
  RuleKernels<float> f32;
  RuleKernels<double> f64;
};

// Instruction sets, each containing those before it.
enum class Isa { kBaseline, kAvx2, kAvx512 };
inline constexpr Isa kAllIsas[] = {Isa::kBaseline, Isa::kAvx2, Isa::kAvx512};

// Returns whether kernels for `isa` were compiled and this machine can run them.
bool IsaIsSupported(Isa isa);
// Returns the kernels for `isa`, which must be supported.
const Kernels& KernelsFor(Isa isa);

// Returns the kernels that steps use: the best supported, unless a ScopedIsa is alive.
const Kernels& ActiveKernels();

// For tests: makes all steps use `isa`, which must be supported. Not thread-safe.
class ScopedIsa {
 public:
  explicit ScopedIsa(Isa isa);
  ScopedIsa(const ScopedIsa&) = delete;
  ScopedIsa& operator=(const ScopedIsa&) = delete;
  ~ScopedIsa();
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_OPTIM_INTERNAL_KERNELS_H_
