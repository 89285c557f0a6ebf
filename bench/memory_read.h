// Reads memory at full speed, a lower bound for the time of a checksum of as many bytes.
#ifndef LEAFSTORE_BENCH_MEMORY_READ_H_
#define LEAFSTORE_BENCH_MEMORY_READ_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

namespace leafstore::bench {

// Returns the sum of the 64-bit integers in `bytes`. Bytes after the last full block of 64 are not
// read.
inline uint64_t SumOf(const std::byte* bytes, size_t size) {
  constexpr size_t kLanes = 8;
  uint64_t lanes[kLanes] = {};
  for (size_t at = 0; at + sizeof(lanes) <= size; at += sizeof(lanes)) {
    uint64_t numbers[kLanes];
    std::memcpy(numbers, bytes + at, sizeof(numbers));
    for (size_t i = 0; i < kLanes; ++i) lanes[i] += numbers[i];
  }
  uint64_t sum = 0;
  for (const uint64_t lane : lanes) sum += lane;
  return sum;
}

// Like SumOf, but divides `bytes` among `threads` threads.
inline uint64_t SumByThreads(const std::byte* bytes, size_t size, size_t threads) {
  std::vector<uint64_t> sums(threads);
  std::vector<std::thread> running;
  const size_t piece = size / threads / 64 * 64;
  for (size_t i = 0; i < threads; ++i) {
    running.emplace_back([=, &sums] { sums[i] = SumOf(bytes + i * piece, piece); });
  }
  uint64_t sum = 0;
  for (size_t i = 0; i < threads; ++i) {
    running[i].join();
    sum += sums[i];
  }
  return sum;
}

}  // namespace leafstore::bench

#endif  // LEAFSTORE_BENCH_MEMORY_READ_H_
