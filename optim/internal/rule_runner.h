// RuleRunner: applies one step of a rule, one run of elements at a time.
#ifndef LEAFSTORE_OPTIM_INTERNAL_RULE_RUNNER_H_
#define LEAFSTORE_OPTIM_INTERNAL_RULE_RUNNER_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "leafstore/core/dtype.h"
#include "leafstore/optim/internal/kernels.h"
#include "leafstore/optim/rules.h"

namespace leafstore::internal {

// Elements before a step and the destination of their new values: equal or not overlapping.
struct Updated {
  const std::byte* from;
  std::byte* to;
};

// Contiguous elements with equal step counts: a tensor, or a part of a pack.
struct Run {
  std::array<Updated, 3>
      arrays;  // the parameter, then moments in the order of MomentNames, or null
  const std::byte* grad;
  int64_t count;  // in elements
  int64_t step;   // step count including this step, from 1
  DType dtype;    // f32 or f64
};

// Returns base^exponent for 0 <= base < 1 and exponent >= 0, correctly rounded for all practical
// purposes. Unlike std::pow, the same on every machine (libm dispatches by instruction set).
double Power(double base, int64_t exponent);

class RuleRunner {
 public:
  // `rule` must have passed CheckRule.
  RuleRunner(const Rule& rule, double lr, double grad_scale);

  void Apply(const Run& run);

 private:
  // Computes the coefficients below.
  void SetStep(int64_t step);

  const Rule rule_;
  const double lr_;
  const double grad_scale_;
  const bool is_sgd_;
  const Kernels& kernels_;
  int64_t step_ = 0;  // the step that the coefficients are for
  AdamNumbers<double> adam_f64_ = {};
  AdamNumbers<float> adam_f32_ = {};
  SgdNumbers<double> sgd_f64_ = {};
  SgdNumbers<float> sgd_f32_ = {};
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_OPTIM_INTERNAL_RULE_RUNNER_H_
