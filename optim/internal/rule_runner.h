// RuleRunner: one step of a rule, a run of elements at a time.
#ifndef LEAFSTORE_OPTIM_INTERNAL_RULE_RUNNER_H_
#define LEAFSTORE_OPTIM_INTERNAL_RULE_RUNNER_H_

#include <cstddef>
#include <cstdint>

#include "leafstore/core/dtype.h"
#include "leafstore/optim/internal/kernels.h"
#include "leafstore/optim/rules.h"

namespace leafstore::internal {

// The most moments that a rule keeps.
inline constexpr size_t kMaxMoments = 2;

// Numbers as they are, and where the new ones go: the same place, or one that does not overlap.
struct Updated {
  const std::byte* from;
  std::byte* to;
};

// Elements that lie one after the other and have had equally many steps: a tensor, or the part of a
// pack.
struct Run {
  Updated param;
  const std::byte* grad;
  Updated moments[kMaxMoments];  // in the order of MomentNames; null where there are fewer
  int64_t count;                 // elements
  int64_t step;                  // the number of this step, from 1 on
  DType dtype;                   // f32 or f64
};

// base^exponent for 0 <= base < 1 and exponent >= 0, correctly rounded for all practical purposes.
// Unlike std::pow the same on every machine (libm has its own dispatch by instruction set).
double Power(double base, int64_t exponent);

class RuleRunner {
 public:
  // `rule` must have passed CheckRule.
  RuleRunner(const Rule& rule, double lr, double grad_scale);

  void Apply(const Run& run);

 private:
  // Computes the numbers below.
  void SetStep(int64_t step);

  const Rule rule_;
  const double lr_;
  const double grad_scale_;
  const bool is_sgd_;
  const Kernels& kernels_;
  int64_t step_ = 0;  // that the numbers are for
  AdamNumbers<double> adam_f64_ = {};
  AdamNumbers<float> adam_f32_ = {};
  SgdNumbers<double> sgd_f64_ = {};
  SgdNumbers<float> sgd_f32_ = {};
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_OPTIM_INTERNAL_RULE_RUNNER_H_
