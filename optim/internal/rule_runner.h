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

// Contiguous elements with equal step counts: a tensor, or a part of a pack.
struct Run {
  // The parameter, then the moments in the order of MomentNames, or null.
  std::array<InOut<std::byte>, 3> arrays;
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
  RuleRunner(const Rule& rule, double lr, double grad_scale)
      : rule_(rule), lr_(lr), grad_scale_(grad_scale), kernels_(ActiveKernels()) {}

  void Apply(const Run& run);

 private:
  // The coefficients of one step, of the kind that the rule has.
  template <typename T>
  struct Coefficients {
    int64_t step = 0;
    AdamNumbers<T> adam = {};
    SgdNumbers<T> sgd = {};
  };

  template <typename T>
  void ApplyAs(const Run& run, const RuleKernels<T>& kernels, Coefficients<T>* coefficients);

  const Rule rule_;
  const double lr_;
  const double grad_scale_;
  const Kernels& kernels_;
  Coefficients<float> f32_;
  Coefficients<double> f64_;
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_OPTIM_INTERNAL_RULE_RUNNER_H_
