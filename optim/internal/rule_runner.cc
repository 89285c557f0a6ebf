#include "leafstore/optim/internal/rule_runner.h"

#include <cmath>
#include <type_traits>

namespace leafstore::internal {
namespace {

// A value as the sum of two doubles, the second smaller than the rounding error of the first.
struct DoubleDouble {
  double high;
  double low;
};

// Splits the significand of a double into two halves (Veltkamp).
DoubleDouble Split(double a) {
  const double c = 134217729.0 * a;  // 2^27 + 1
  const double high = c - (c - a);
  return {high, a - high};
}

// Dekker, "A floating-point technique for extending the available precision", 1971.
DoubleDouble Multiply(const DoubleDouble& a, const DoubleDouble& b) {
  const DoubleDouble x = Split(a.high);
  const DoubleDouble y = Split(b.high);
  const double product = a.high * b.high;
  const double error =
      ((x.high * y.high - product) + x.high * y.low + x.low * y.high) + x.low * y.low;
  const double low = error + (a.high * b.low + a.low * b.high);
  const double high = product + low;
  return {high, low - (high - product)};
}

template <typename T, typename AnyAdam>
AdamNumbers<T> AdamNumbersOf(const AnyAdam& rule, double lr, double grad_scale, int64_t step) {
  constexpr bool kDecoupled = std::is_same_v<AnyAdam, AdamW>;
  return {.grad_scale = static_cast<T>(grad_scale),
          .l2 = static_cast<T>(kDecoupled ? 0 : rule.weight_decay),
          .decay = static_cast<T>(kDecoupled ? 1 - lr * rule.weight_decay : 1),
          .beta1 = static_cast<T>(rule.beta1),
          .one_minus_beta1 = static_cast<T>(1 - rule.beta1),
          .beta2 = static_cast<T>(rule.beta2),
          .one_minus_beta2 = static_cast<T>(1 - rule.beta2),
          .step_size = static_cast<T>(lr / (1 - Power(rule.beta1, step))),
          .inverse_sqrt_bias = static_cast<T>(1 / std::sqrt(1 - Power(rule.beta2, step))),
          .eps = static_cast<T>(rule.eps)};
}

template <typename T>
SgdNumbers<T> SgdNumbersOf(const Sgd& rule, double lr, double grad_scale, int64_t step) {
  const bool first = step == 1;  // it sets the buffer to the undamped gradient
  return {.grad_scale = static_cast<T>(grad_scale),
          .l2 = static_cast<T>(rule.weight_decay),
          .momentum = static_cast<T>(first ? 0 : rule.momentum),
          .one_minus_dampening = static_cast<T>(first ? 1 : 1 - rule.dampening),
          .nesterov = static_cast<T>(rule.nesterov ? rule.momentum : 0),
          .lr = static_cast<T>(lr)};
}

template <typename T>
InOut<T> ElementsOf(const InOut<std::byte>& bytes) {
  return {reinterpret_cast<const T*>(bytes.from), reinterpret_cast<T*>(bytes.to)};
}

}  // namespace

double Power(double base, int64_t exponent) {
  DoubleDouble result = {1, 0};
  DoubleDouble square = {base, 0};
  for (; exponent > 0; exponent /= 2) {
    if (exponent % 2 != 0) result = Multiply(result, square);
    square = Multiply(square, square);
  }
  return result.high;
}

template <typename T>
void RuleRunner::ApplyAs(const Run& run, const RuleKernels<T>& kernels, Coefficients<T>* c) {
  const auto* const sgd = std::get_if<Sgd>(&rule_);
  if (run.step != c->step) {
    c->step = run.step;
    if (sgd != nullptr) {
      c->sgd = SgdNumbersOf<T>(*sgd, lr_, grad_scale_, run.step);
    } else if (const auto* adam = std::get_if<Adam>(&rule_)) {
      c->adam = AdamNumbersOf<T>(*adam, lr_, grad_scale_, run.step);
    } else {
      c->adam = AdamNumbersOf<T>(std::get<AdamW>(rule_), lr_, grad_scale_, run.step);
    }
  }
  const StepArrays<T> arrays = {reinterpret_cast<const T*>(run.grad), ElementsOf<T>(run.arrays[0]),
                                ElementsOf<T>(run.arrays[1]), ElementsOf<T>(run.arrays[2])};
  const auto count = static_cast<size_t>(run.count);
  sgd != nullptr ? kernels.sgd(arrays, c->sgd, count) : kernels.adam(arrays, c->adam, count);
}

void RuleRunner::Apply(const Run& run) {
  if (run.dtype == DType::kF32) {
    ApplyAs(run, kernels_.f32, &f32_);
  } else {
    ApplyAs(run, kernels_.f64, &f64_);
  }
}

}  // namespace leafstore::internal
