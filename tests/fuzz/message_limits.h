// The memory that decoding a message may need: a constant times its length, plus a fixed amount for
// what is allocated once per process.
#ifndef LEAFSTORE_TESTS_FUZZ_MESSAGE_LIMITS_H_
#define LEAFSTORE_TESTS_FUZZ_MESSAGE_LIMITS_H_

#include <cstddef>
#include <cstdint>

namespace leafstore {

// The worst case is an item without leaves, which has only seven bytes in the manifest.
inline constexpr int64_t kBytesOfMemoryPerByte = 600;

inline constexpr int64_t MostMemoryFor(size_t message_size) {
  return (int64_t{256} << 10) + kBytesOfMemoryPerByte * static_cast<int64_t>(message_size);
}

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_FUZZ_MESSAGE_LIMITS_H_
