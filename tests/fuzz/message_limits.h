// How much memory a message may take that is decoded: a constant times its length, and something
// for what is made once in a process.
#ifndef LEAFSTORE_TESTS_FUZZ_MESSAGE_LIMITS_H_
#define LEAFSTORE_TESTS_FUZZ_MESSAGE_LIMITS_H_

#include <cstddef>
#include <cstdint>

namespace leafstore {

// The dearest byte is that of an item without leaves: seven bytes in the manifest.
inline constexpr int64_t kBytesOfMemoryPerByte = 600;

inline constexpr int64_t MostMemoryFor(size_t message_size) {
  return (int64_t{256} << 10) + kBytesOfMemoryPerByte * static_cast<int64_t>(message_size);
}

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_FUZZ_MESSAGE_LIMITS_H_
