#include "leafstore/optim/internal/rule_runner.h"

#include <cmath>

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

float Round(double x) { return static_cast<float>(x); }

AdamNumbers<float> Round(const AdamNumbers<double>& c) {
  return {Round(c.grad_scale),        Round(c.l2),    Round(c.decay),           Round(c.beta1),
          Round(c.one_minus_beta1),   Round(c.beta2), Round(c.one_minus_beta2), Round(c.step_size),
          Round(c.inverse_sqrt_bias), Round(c.eps)};
}

SgdNumbers<float> Round(const SgdNumbers<double>& c) {
  return {Round(c.grad_scale),          Round(c.l2),       Round(c.momentum),
          Round(c.one_minus_dampening), Round(c.nesterov), Round(c.lr)};
}

template <typename AnyAdam>
AdamNumbers<double> NumbersOf(const AnyAdam& rule, double lr, int64_t step) {
  AdamNumbers<double> c = {};
  c.decay = 1;
  c.beta1 = rule.beta1;
  c.one_minus_beta1 = 1 - rule.beta1;
  c.beta2 = rule.beta2;
  c.one_minus_beta2 = 1 - rule.beta2;
  c.step_size = lr / (1 - Power(rule.beta1, step));
  c.inverse_sqrt_bias = 1 / std::sqrt(1 - Power(rule.beta2, step));
  c.eps = rule.eps;
  return c;
}

SgdNumbers<double> NumbersOf(const Sgd& rule, double lr, int64_t step) {
  SgdNumbers<double> c = {};
  c.l2 = rule.weight_decay;
  // The first step sets the buffer to the undamped gradient.
  c.momentum = step == 1 ? 0 : rule.momentum;
  c.one_minus_dampening = step == 1 ? 1 : 1 - rule.dampening;
  c.nesterov = rule.nesterov ? rule.momentum : 0;
  c.lr = lr;
  return c;
}

template <typename T>
const T* From(const Updated& numbers) {
  return reinterpret_cast<const T*>(numbers.from);
}

template <typename T>
T* To(const Updated& numbers) {
  return reinterpret_cast<T*>(numbers.to);
}

template <typename T>
void RunAdam(const Run& run, const RuleKernels<T>& kernels, const AdamNumbers<T>& numbers) {
  const auto& [param, exp_avg, exp_avg_sq] = run.arrays;
  kernels.adam({reinterpret_cast<const T*>(run.grad), From<T>(param), From<T>(exp_avg),
                From<T>(exp_avg_sq), To<T>(param), To<T>(exp_avg), To<T>(exp_avg_sq)},
               numbers, static_cast<size_t>(run.count));
}

template <typename T>
void RunSgd(const Run& run, const RuleKernels<T>& kernels, const SgdNumbers<T>& numbers) {
  const auto& [param, buffer, unused] = run.arrays;
  kernels.sgd({reinterpret_cast<const T*>(run.grad), From<T>(param), From<T>(buffer), To<T>(param),
               To<T>(buffer)},
              numbers, static_cast<size_t>(run.count));
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

RuleRunner::RuleRunner(const Rule& rule, double lr, double grad_scale)
    : rule_(rule),
      lr_(lr),
      grad_scale_(grad_scale),
      is_sgd_(std::holds_alternative<Sgd>(rule)),
      kernels_(ActiveKernels()) {}

void RuleRunner::SetStep(int64_t step) {
  step_ = step;
  if (const Sgd* sgd = std::get_if<Sgd>(&rule_)) {
    sgd_f64_ = NumbersOf(*sgd, lr_, step);
    sgd_f64_.grad_scale = grad_scale_;
    sgd_f32_ = Round(sgd_f64_);
    return;
  }
  if (const Adam* adam = std::get_if<Adam>(&rule_)) {
    adam_f64_ = NumbersOf(*adam, lr_, step);
    adam_f64_.l2 = adam->weight_decay;
  } else {
    const auto& adamw = std::get<AdamW>(rule_);
    adam_f64_ = NumbersOf(adamw, lr_, step);
    adam_f64_.decay = 1 - lr_ * adamw.weight_decay;
  }
  adam_f64_.grad_scale = grad_scale_;
  adam_f32_ = Round(adam_f64_);
}

void RuleRunner::Apply(const Run& run) {
  if (run.step != step_) SetStep(run.step);
  if (run.dtype == DType::kF32) {
    is_sgd_ ? RunSgd(run, kernels_.f32, sgd_f32_) : RunAdam(run, kernels_.f32, adam_f32_);
  } else {
    is_sgd_ ? RunSgd(run, kernels_.f64, sgd_f64_) : RunAdam(run, kernels_.f64, adam_f64_);
  }
}

}  // namespace leafstore::internal
