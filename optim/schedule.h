// Learning-rate schedules: plain functions of the step. The first step is 0.
//
//   Schedule lr = WarmupCosine({.peak = 3e-4, .warmup_steps = 100, .total_steps = 10'000});
//   for (int64_t step = 0; ...; ++step) {
//     LEAFSTORE_RETURN_IF_ERROR(adamw.Step(&params, grads, {.lr = lr(step)}));
//   }
//
// A Schedule has no state to save. Any function of the step can be one.
//
// Negative steps count as 0. Threads: a Schedule may be called from many threads.
#ifndef LEAFSTORE_OPTIM_SCHEDULE_H_
#define LEAFSTORE_OPTIM_SCHEDULE_H_

#include <cstdint>
#include <functional>

namespace leafstore {

using Schedule = std::function<double(int64_t step)>;

// Returns a schedule that rises linearly from peak / warmup_steps at step 0 to `peak` at step
// warmup_steps - 1 and stays there. It is never 0, so that no step is wasted. If
// warmup_steps <= 0, it is always `peak`.
Schedule LinearWarmup(double peak, int64_t warmup_steps);

// Returns a half cosine from `peak` at step 0 to `end` at step total_steps and later:
// end + (peak - end) * (1 + cos(pi * step / total_steps)) / 2, which is torch's CosineAnnealingLR
// with T_max = total_steps, up to T_max. If total_steps <= 0, it is always `end`.
Schedule Cosine(double peak, int64_t total_steps, double end = 0);

// Returns torch's StepLR: lr * gamma^(step / every), with integer division. If
// `every` <= 0, it is always `lr`.
Schedule StepDecay(double lr, int64_t every, double gamma = 0.1);

struct WarmupCosineOptions {
  double peak = 1e-3;
  int64_t warmup_steps = 0;
  int64_t total_steps = 0;  // including the warmup
  double end = 0;
};
// Returns LinearWarmup followed by Cosine over the remaining steps, whose step 0 is warmup_steps.
Schedule WarmupCosine(const WarmupCosineOptions& options);

}  // namespace leafstore

#endif  // LEAFSTORE_OPTIM_SCHEDULE_H_
