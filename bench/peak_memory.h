// PeakMemory: the peak memory of the process during some work, beyond its memory before.
//
//   const PeakMemory peak;
//   work();
//   const double mib = peak.BytesBeyond() / 1048576.0;
//
// Memory is resident memory as Linux reports it (/proc/self/status), including mapped files.
// Resetting the peak requires Linux 4.0.
#ifndef LEAFSTORE_BENCH_PEAK_MEMORY_H_
#define LEAFSTORE_BENCH_PEAK_MEMORY_H_

#include <cstdint>
#include <fstream>
#include <string>

namespace leafstore::bench {

class PeakMemory {
 public:
  PeakMemory() {
    std::ofstream("/proc/self/clear_refs") << "5";
    before_ = Field("VmRSS:");
  }

  int64_t BytesBeyond() const { return Field("VmHWM:") - before_; }

 private:
  // Returns a field in bytes, converted from kB; 0 if it does not exist.
  static int64_t Field(const std::string& name) {
    std::ifstream status("/proc/self/status");
    for (std::string word; status >> word;) {
      int64_t kib = 0;
      if (word == name && status >> kib) return kib * 1024;
    }
    return 0;
  }

  int64_t before_ = 0;
};

}  // namespace leafstore::bench

#endif  // LEAFSTORE_BENCH_PEAK_MEMORY_H_
