// Rules: how one step changes a parameter. Sgd, Adam and AdamW, with PyTorch's formulas and
// defaults.
//
//   Optimizer::Create(AdamW{.weight_decay = 0.1}, group);
//   Optimizer::Create(Sgd{.momentum = 0.9, .nesterov = true}, group);
//
// In all formulas p is a parameter, g its gradient times the step's grad_scale, t the leaf's step
// count including this step (the first is 1), and lr the learning rate, an argument of each step.
// Instead of PyTorch's `maximize`, use a negative grad_scale.
//
// Coefficients are computed in double and rounded once to the parameter's type. All else is
// computed in that type, one operation at a time, never fused, so that results are the same on
// every machine.
#ifndef LEAFSTORE_OPTIM_RULES_H_
#define LEAFSTORE_OPTIM_RULES_H_

#include <variant>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace leafstore {

// torch.optim.SGD. State: momentum_buffer, if momentum is not 0.
//   g = g + weight_decay * p
//   b = t == 1 ? g : momentum * b + (1 - dampening) * g
//   p = p - lr * (nesterov ? g + momentum * b : b)
struct Sgd {
  double momentum = 0;
  double dampening = 0;
  double weight_decay = 0;
  bool nesterov = false;  // requires momentum and no dampening

  friend bool operator==(const Sgd&, const Sgd&) = default;
};

// torch.optim.Adam (Kingma and Ba, "Adam: a method for stochastic optimization", 2015), with weight
// decay as part of the gradient. State: exp_avg, exp_avg_sq.
//   g = g + weight_decay * p
//   m = beta1 * m + (1 - beta1) * g
//   v = beta2 * v + (1 - beta2) * g * g
//   p = p - lr / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + eps)
struct Adam {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0;

  friend bool operator==(const Adam&, const Adam&) = default;
};

// torch.optim.AdamW (Loshchilov and Hutter, "Decoupled weight decay regularization", 2019): like
// Adam, but with weight decay separate from the gradient. State: exp_avg, exp_avg_sq.
//   p = p - lr * weight_decay * p, then as Adam without weight decay
struct AdamW {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0.01;

  friend bool operator==(const AdamW&, const AdamW&) = default;
};

using Rule = std::variant<Sgd, Adam, AdamW>;

// Returns "sgd", "adam" or "adamw".
absl::string_view RuleName(const Rule& rule);

// Returns OK if PyTorch would accept these hyperparameters: momentum, weight_decay and eps finite
// and not negative, betas in [0, 1), dampening finite, nesterov only with momentum and without
// dampening. error InvalidArgument: names the rule, the hyperparameter, what was expected and
// found.
absl::Status CheckRule(const Rule& rule);

// Returns the names of the state that the rule keeps for a tensor besides its step count:
// {"momentum_buffer"}, {"exp_avg", "exp_avg_sq"} or none. State can move between rules with equal
// names. Static storage.
absl::Span<const absl::string_view> MomentNames(const Rule& rule);

}  // namespace leafstore

#endif  // LEAFSTORE_OPTIM_RULES_H_
