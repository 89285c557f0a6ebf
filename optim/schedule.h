// Learning-rate schedules: plain functions of the step, of which the first is 0.
//
//   Schedule lr = WarmupCosine({.peak = 3e-4, .warmup_steps = 100, .total_steps = 10'000});
//   for (int64_t step = 0; ...; ++step) {
//     LEAFSTORE_RETURN_IF_ERROR(adamw.Step(&params, grads, lr(step)));
//   }
//
// There is no state to save: the step is enough. Any function of the step is a Schedule.
//
// Steps below 0 count as 0. Threads: a Schedule may be called from many.
#ifndef LEAFSTORE_OPTIM_SCHEDULE_H_
#define LEAFSTORE_OPTIM_SCHEDULE_H_

#include <cstdint>
#include <functional>

namespace leafstore {

using Schedule = std::function<double(int64_t step)>;

// Always `lr`.
Schedule ConstantSchedule(double lr);

// From peak / warmup_steps at step 0 in equal strides to `peak` at step warmup_steps - 1; `peak`
// from then on. Never 0, so that no step is lost; warmup_steps <= 0 is ConstantSchedule.
Schedule LinearWarmup(double peak, int64_t warmup_steps);

// Half a cosine from `peak` at step 0 to `end` at step total_steps; `end` from then on.
// end + (peak - end) * (1 + cos(pi * step / total_steps)) / 2: torch's CosineAnnealingLR with
// T_max = total_steps, up to T_max. total_steps <= 0 is ConstantSchedule(end).
Schedule Cosine(double peak, int64_t total_steps, double end = 0);

// lr * gamma^(step / every), in whole numbers: torch's StepLR. `every` <= 0 is ConstantSchedule.
Schedule StepDecay(double lr, int64_t every, double gamma = 0.1);

struct WarmupCosineOptions {
  double peak = 1e-3;
  double end = 0;
  int64_t warmup_steps = 0;
  int64_t total_steps = 0;  // with the warmup
};
// LinearWarmup, then Cosine over what is left of total_steps, its step 0 being warmup_steps.
Schedule WarmupCosine(const WarmupCosineOptions& options);

}  // namespace leafstore

#endif  // LEAFSTORE_OPTIM_SCHEDULE_H_
