// The fixed parts of a checkpoint file (docs/format.md): the preamble, the footer, and the
// alignment of segments.
//
//   preamble (64) | segment | segment | ... | manifest | footer (64)
//
// Every version of leafstore, past and future, reads the preamble first. Its encoding never
// changes. Its checksum is checked before its versions are used, so that damage is never mistaken
// for a newer version, nor a newer version for damage.
#ifndef LEAFSTORE_CHECKPOINT_INTERNAL_FORMAT_H_
#define LEAFSTORE_CHECKPOINT_INTERNAL_FORMAT_H_

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "leafstore/proto/manifest_codec.h"

namespace leafstore::internal {

// Tensors are stored in their memory representation, which is little-endian on disk.
static_assert(std::endian::native == std::endian::little,
              "checkpoints are mapped: a big-endian machine would have to swap their bytes");

// The highest version that this code writes, which is also the highest it can read; and the lowest
// version that can read what it writes. The version of a file is the lowest one that defines
// everything it uses.
inline constexpr uint32_t kFormatVersion = 3;
inline constexpr uint32_t kFormatMinReader = 1;
inline constexpr uint32_t kVersionWithRun = 2;     // has Manifest::run
inline constexpr uint32_t kVersionWithBlocks = 3;  // has ManifestItem::Segments::block_checksums

inline constexpr int64_t kPreambleSize = 64;
inline constexpr int64_t kFooterSize = 64;

// Segments of at least this many bytes are page-aligned; smaller ones are aligned to
// kSegmentAlignment (proto/).
inline constexpr int64_t kLargeSegment = 64 << 10;
inline constexpr int64_t kLargeSegmentAlignment = 4096;

// Returns the alignment of the offset of a segment of `size` bytes.
constexpr int64_t SegmentAlignmentFor(int64_t size) {
  return size >= kLargeSegment ? kLargeSegmentAlignment : static_cast<int64_t>(kSegmentAlignment);
}

// How the bytes of a tensor are stored: uncompressed, or as zstd frames (zstd_codec.h).
inline constexpr uint8_t kCodecNone = 0;
inline constexpr uint8_t kCodecZstd = 1;

// The format version that the producer of the file wrote, and the lowest version that a reader must
// support. A reader of version R reads every file whose min_reader is at most R, and ignores fields
// that it does not know. In the file as here.
struct Preamble {
  uint32_t producer = 1;
  uint32_t min_reader = kFormatMinReader;

  friend bool operator==(const Preamble& a, const Preamble& b) = default;
};

// In the file as here.
struct Footer {
  int64_t manifest_offset = 0;
  int64_t manifest_size = 0;
  uint64_t manifest_checksum = 0;
  int64_t file_size = 0;
  Preamble versions;  // a copy of the preamble's

  friend bool operator==(const Footer& a, const Footer& b) = default;
};

std::array<std::byte, kPreambleSize> EncodePreamble(const Preamble& preamble);
std::array<std::byte, kFooterSize> EncodeFooter(const Footer& footer);

// Decode the first and the last 64 bytes of a file of `file_size` bytes.
// error DataLoss: damaged, or not a checkpoint. The message names the field. If the file may have
// been truncated, it also reports the bytes found and, where known, expected: a truncated file has
// lost the footer, the only record of its length. error Unimplemented (DecodePreamble only): the
// file requires a newer reader.
absl::StatusOr<Preamble> DecodePreamble(absl::Span<const std::byte> bytes);
absl::StatusOr<Footer> DecodeFooter(absl::Span<const std::byte> bytes, const Preamble& preamble,
                                    int64_t file_size);

// Returns whether all bytes are zero, as padding must be.
bool IsZero(absl::Span<const std::byte> bytes);

}  // namespace leafstore::internal

#endif  // LEAFSTORE_CHECKPOINT_INTERNAL_FORMAT_H_
