// The size of large benchmarks: 1 GiB, or LEAFSTORE_BENCH_MIB MiB (at least 64), which
// scripts/bench --quick sets. Ratios and names of benchmarks do not depend on it.
#ifndef LEAFSTORE_BENCH_SIZES_H_
#define LEAFSTORE_BENCH_SIZES_H_

#include <cstdint>
#include <cstdlib>

#include "absl/strings/numbers.h"

namespace leafstore::bench {

inline int64_t BigBytes() {
  static const int64_t bytes = [] {
    const char* text = std::getenv("LEAFSTORE_BENCH_MIB");
    int64_t mib = 0;
    if (text == nullptr || !absl::SimpleAtoi(text, &mib) || mib < 64) mib = 1024;
    return mib << 20;
  }();
  return bytes;
}

// The sizes of the model of 64 large tensors, and of that of 9,000 small tensors.
inline constexpr int64_t kLargeTensors = 64;
inline int64_t LargeElements() { return BigBytes() / kLargeTensors / 4; }
inline constexpr int64_t kSmallTensors = 9'000;
inline constexpr int64_t kSmallElements = 256;

}  // namespace leafstore::bench

#endif  // LEAFSTORE_BENCH_SIZES_H_
