// The fixed parts of a checkpoint file (docs/format.md): the preamble, the footer, where segments
// may begin, and the checksum.
//
//   preamble (64) | segment | segment | ... | manifest | footer (64)
//
// The preamble is what every version of leafstore, past and to come, reads first. It never changes:
// its checksum is checked before its versions are believed, so that damage is never taken for a
// newer version, and a newer version never for damage.
//
// Versions. A file carries the version of the format that its producer wrote (`producer`), and the
// lowest that a reader must know to read it (`min_reader`). A reader of version R reads every file
// whose min_reader is at most R, passing over what it does not know.
#ifndef LEAFSTORE_CHECKPOINT_FORMAT_H_
#define LEAFSTORE_CHECKPOINT_FORMAT_H_

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "leafstore/proto/manifest_codec.h"

namespace leafstore {

// Tensors are stored as they lie in memory, and that is little-endian on disk.
static_assert(std::endian::native == std::endian::little,
              "checkpoints are mapped: a big-endian machine would have to swap their bytes");

// The version that this code writes and the highest it can read; and the lowest that can read it.
inline constexpr uint32_t kFormatVersion = 1;
inline constexpr uint32_t kFormatMinReader = 1;

inline constexpr int64_t kPreambleSize = 64;
inline constexpr int64_t kFooterSize = 64;

// Segments of this many bytes begin at a page; smaller ones at kSegmentAlignment (proto/).
inline constexpr int64_t kLargeSegment = 64 << 10;
inline constexpr int64_t kLargeSegmentAlignment = 4096;

// What the position of a segment of `size` bytes must be a multiple of.
constexpr int64_t SegmentAlignmentFor(int64_t size) {
  return size >= kLargeSegment ? kLargeSegmentAlignment : static_cast<int64_t>(kSegmentAlignment);
}

// How the bytes of a tensor are stored: as they are, or as zstd frames (zstd_codec.h).
inline constexpr uint8_t kCodecNone = 0;
inline constexpr uint8_t kCodecZstd = 1;

struct Preamble {
  uint32_t producer = kFormatVersion;
  uint32_t min_reader = kFormatMinReader;

  friend bool operator==(const Preamble& a, const Preamble& b) = default;
};

struct Footer {
  int64_t manifest_offset = 0;
  int64_t manifest_size = 0;
  uint64_t manifest_checksum = 0;
  int64_t file_size = 0;
  Preamble versions;  // those of the preamble

  friend bool operator==(const Footer& a, const Footer& b) = default;
};

std::array<std::byte, kPreambleSize> EncodePreamble(const Preamble& preamble);
std::array<std::byte, kFooterSize> EncodeFooter(const Footer& footer);

// Read the first, and the last, 64 bytes of a file of `file_size` bytes.
// error DataLoss: damaged, or no checkpoint; the words say which field, and where it may be so that
// the file was cut short, with the bytes found and, as far as they are known, expected: a file that
// was cut has lost the footer, which alone says how long it was. error Unimplemented (of the
// preamble alone): the file asks for a newer reader.
absl::StatusOr<Preamble> DecodePreamble(absl::Span<const std::byte> bytes);
absl::StatusOr<Footer> DecodeFooter(absl::Span<const std::byte> bytes, const Preamble& preamble,
                                    int64_t file_size);

// Whether all bytes are zero, as padding must be.
bool IsZero(absl::Span<const std::byte> bytes);

}  // namespace leafstore

#endif  // LEAFSTORE_CHECKPOINT_FORMAT_H_
