// Timer: measures one part of an iteration, with the same clock as for the peers.
//
//   const Timer timer;
//   work();
//   state.SetIterationTime(timer.Seconds());
//
//   state.SetIterationTime(MedianOfThree([&] { return SecondsOfWork(); }));
#ifndef LEAFSTORE_BENCH_TIMER_H_
#define LEAFSTORE_BENCH_TIMER_H_

#include <algorithm>
#include <chrono>
#include <iterator>

namespace leafstore::bench {

class Timer {
 public:
  double Seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
  }

 private:
  const std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

// Calls `seconds`, which returns a duration, three times, and returns the median.
template <typename F>
double MedianOfThree(F&& seconds) {
  double samples[3];
  for (double& sample : samples) sample = seconds();
  std::sort(std::begin(samples), std::end(samples));
  return samples[1];
}

}  // namespace leafstore::bench

#endif  // LEAFSTORE_BENCH_TIMER_H_
