#include "leafstore/io/internal/checksum.h"

#include "absl/status/status.h"

namespace leafstore::internal {

uint64_t Checksum(absl::Span<const std::byte> bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

absl::StatusOr<ChecksumStream> ChecksumStream::Create() {
  ChecksumStream stream;
  if (stream.state_ == nullptr) return absl::ResourceExhaustedError("no memory for a checksum");
  stream.Reset();
  return stream;
}

void ChecksumStream::Reset() { XXH3_64bits_reset(state_.get()); }

void ChecksumStream::Append(absl::Span<const std::byte> bytes) {
  XXH3_64bits_update(state_.get(), bytes.data(), bytes.size());
}

uint64_t ChecksumStream::Value() const { return XXH3_64bits_digest(state_.get()); }

}  // namespace leafstore::internal
