// Times one part of an iteration, by the same clock as that by which the peers are timed.
//
//   const Timer timer;
//   work();
//   state.SetIterationTime(timer.Seconds());
#ifndef LEAFSTORE_BENCH_TIMER_H_
#define LEAFSTORE_BENCH_TIMER_H_

#include <chrono>

namespace leafstore::bench {

class Timer {
 public:
  double Seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
  }

 private:
  const std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

}  // namespace leafstore::bench

#endif  // LEAFSTORE_BENCH_TIMER_H_
