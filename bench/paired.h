// Measures two kinds of work alternately, so that other load on the machine affects both, and
// reports the ratio of their medians.
//
//   Paired paired;
//   for (auto _ : state) {
//     state.SetIterationTime(paired.Run([&] { ours(); }, [&] { theirs(); }));
//   }
//   paired.Report(state, lookups);   // counters: ours_ns, bare_ns, ratio
#ifndef LEAFSTORE_BENCH_PAIRED_H_
#define LEAFSTORE_BENCH_PAIRED_H_

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <vector>

#include "benchmark/benchmark.h"

namespace leafstore::bench {

class Paired {
 public:
  // Runs both once, in alternating order. Returns the seconds that `ours` took.
  template <typename Ours, typename Bare>
  double Run(Ours ours, Bare bare) {
    if (ours_.size() % 2 == 0) {
      ours_.push_back(Seconds(ours));
      bare_.push_back(Seconds(bare));
    } else {
      bare_.push_back(Seconds(bare));
      ours_.push_back(Seconds(ours));
    }
    return ours_.back();
  }

  // Sets the counters. Each call of Run must have done `works` units of work of each kind.
  void Report(benchmark::State& state, double works) {
    const double ours = Median(&ours_);
    const double bare = Median(&bare_);
    state.counters["ours_ns"] = ours / works * 1e9;
    state.counters["bare_ns"] = bare / works * 1e9;
    state.counters["ratio"] = ours / bare;
  }

 private:
  template <typename Work>
  static double Seconds(Work& work) {
    const auto begin = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }
  static double Median(std::vector<double>* samples) {
    if (samples->empty()) return 0;
    const auto middle = samples->begin() + static_cast<std::ptrdiff_t>(samples->size() / 2);
    std::nth_element(samples->begin(), middle, samples->end());
    return *middle;
  }

  std::vector<double> ours_;
  std::vector<double> bare_;
};

}  // namespace leafstore::bench

#endif  // LEAFSTORE_BENCH_PAIRED_H_
