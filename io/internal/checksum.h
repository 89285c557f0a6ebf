// Checksum: XXH3-64 with seed 0, of bytes in memory or of a stream of bytes.
//
//   uint64_t checksum = Checksum(bytes);
//
//   ChecksumStream stream = ChecksumStream::Create().value();
//   stream.Append(first);
//   stream.Append(second);
//   stream.Value();               // the checksum of `first` followed by `second`
#ifndef LEAFSTORE_IO_INTERNAL_CHECKSUM_H_
#define LEAFSTORE_IO_INTERNAL_CHECKSUM_H_

#include <xxhash.h>

#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace leafstore::internal {

// Returns the checksum of `bytes`. O(size).
inline uint64_t Checksum(absl::Span<const std::byte> bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}
// The checksum of no bytes.
inline constexpr uint64_t kChecksumOfNothing = 0x2d06800538d394c2;

class ChecksumStream {
 public:
  // error ResourceExhausted: out of memory.
  static absl::StatusOr<ChecksumStream> Create() {
    ChecksumStream stream;
    if (stream.state_ == nullptr) return absl::ResourceExhaustedError("no memory for a checksum");
    stream.Reset();
    return stream;
  }

  // Forgets all bytes.
  void Reset() { XXH3_64bits_reset(state_.get()); }
  void Append(absl::Span<const std::byte> bytes) {
    XXH3_64bits_update(state_.get(), bytes.data(), bytes.size());
  }
  // Returns the checksum of all bytes since creation or the last Reset.
  uint64_t Value() const { return XXH3_64bits_digest(state_.get()); }

 private:
  struct FreeState {
    void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
  };

  ChecksumStream() : state_(XXH3_createState()) {}

  std::unique_ptr<XXH3_state_t, FreeState> state_;
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_IO_INTERNAL_CHECKSUM_H_
