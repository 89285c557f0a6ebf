#include "leafstore/optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace leafstore {

Schedule LinearWarmup(double peak, int64_t warmup_steps) {
  return [peak, warmup_steps](int64_t step) {
    step = std::max<int64_t>(step, 0);
    if (step >= warmup_steps - 1) return peak;
    return peak * static_cast<double>(step + 1) / static_cast<double>(warmup_steps);
  };
}

Schedule Cosine(double peak, int64_t total_steps, double end) {
  return [peak, total_steps, end](int64_t step) {
    step = std::max<int64_t>(step, 0);
    if (step >= total_steps) return end;
    const double done = static_cast<double>(step) / static_cast<double>(total_steps);
    return end + (peak - end) * (1 + std::cos(std::numbers::pi * done)) / 2;
  };
}

Schedule StepDecay(double lr, int64_t every, double gamma) {
  return [lr, every, gamma](int64_t step) {
    if (every <= 0 || step <= 0) return lr;
    return lr * std::pow(gamma, static_cast<double>(step / every));
  };
}

Schedule WarmupCosine(const WarmupCosineOptions& options) {
  const int64_t warmup_steps = std::max<int64_t>(options.warmup_steps, 0);
  const Schedule warmup = LinearWarmup(options.peak, warmup_steps);
  const Schedule cosine = Cosine(options.peak, options.total_steps - warmup_steps, options.end);
  return [warmup_steps, warmup, cosine](int64_t step) {
    return step < warmup_steps ? warmup(step) : cosine(step - warmup_steps);
  };
}

}  // namespace leafstore
