// ChecksumStream: the Checksum of format.h, of bytes that come piece by piece. For checkpoint/
// alone.
#ifndef LEAFSTORE_CHECKPOINT_CHECKSUM_STREAM_H_
#define LEAFSTORE_CHECKPOINT_CHECKSUM_STREAM_H_

#include <xxhash.h>

#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace leafstore {

class ChecksumStream {
 public:
  // error ResourceExhausted: there is no memory for it.
  static absl::StatusOr<ChecksumStream> Create();

  // Forgets all bytes, as when it was new.
  void Reset();
  void Append(absl::Span<const std::byte> bytes);
  // Of all bytes since it was new or reset.
  uint64_t Value() const;

 private:
  struct Free {
    void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
  };

  ChecksumStream() = default;

  std::unique_ptr<XXH3_state_t, Free> state_;
};

}  // namespace leafstore

#endif  // LEAFSTORE_CHECKPOINT_CHECKSUM_STREAM_H_
