// The most memory that a process has held at once, beyond what it held before some work.
//
//   const PeakMemory peak;
//   work();
//   const double mib = peak.BytesBeyond() / 1048576.0;
//
// Resident memory as Linux counts it (/proc/self/status), mapped files with it. Resetting the peak
// needs Linux 4.0.
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
  // A field of kB in bytes; 0 where there is none.
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
