// Codec 1: the bytes of a tensor as zstd frames (RFC 8878), one after another. For checkpoint/
// alone.
//
//   ZstdCompressor compressor = ZstdCompressor::Create(3).value();
//   absl::Span<const std::byte> frame = compressor.Compress(content).value();
//
//   LEAFSTORE_RETURN_IF_ERROR(CheckZstdFrames(stored, byte_size));
//   LEAFSTORE_RETURN_IF_ERROR(decompressor.Decompress(stored, out));
//
// Each frame says how large its content is: kZstdFrameContent, and the last the rest. So memory to
// write is that of one frame, and a reader knows before it takes memory that there are frames for
// it: a block of a frame has up to 128 KiB and takes 4 bytes at least, so that one of 4 MiB takes
// 128.
#ifndef LEAFSTORE_CHECKPOINT_INTERNAL_ZSTD_CODEC_H_
#define LEAFSTORE_CHECKPOINT_INTERNAL_ZSTD_CODEC_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "leafstore/core/buffer.h"

// ZSTD_CCtx and ZSTD_DCtx of zstd.h, which users of leafstore need not have.
struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;

namespace leafstore::internal {

inline constexpr size_t kZstdFrameContent = size_t{4} << 20;

// Threads: one at a time.
class ZstdCompressor {
 public:
  // error InvalidArgument: no level of zstd's; names those there are. error ResourceExhausted.
  static absl::StatusOr<ZstdCompressor> Create(int level);

  // A frame of up to kZstdFrameContent bytes. Valid until the next call. error ResourceExhausted:
  // no memory.
  absl::StatusOr<absl::Span<const std::byte>> Compress(absl::Span<const std::byte> content);

 private:
  struct Free {
    void operator()(ZSTD_CCtx_s* context) const;
  };
  ZstdCompressor(std::unique_ptr<ZSTD_CCtx_s, Free> context, Buffer frame)
      : context_(std::move(context)), frame_(std::move(frame)) {}

  std::unique_ptr<ZSTD_CCtx_s, Free> context_;
  Buffer frame_;  // room for any
};

// error DataLoss: these are not frames as above of `byte_size` bytes in all. O(stored).
absl::Status CheckZstdFrames(absl::Span<const std::byte> stored, int64_t byte_size);

// Threads: one at a time.
class ZstdDecompressor {
 public:
  // error ResourceExhausted: no memory.
  static absl::StatusOr<ZstdDecompressor> Create();

  // Decompresses what has been checked. error DataLoss: damaged, or the contents do not fill `out`.
  // error ResourceExhausted: no memory.
  absl::Status Decompress(absl::Span<const std::byte> stored, absl::Span<std::byte> out);

 private:
  struct Free {
    void operator()(ZSTD_DCtx_s* context) const;
  };
  explicit ZstdDecompressor(std::unique_ptr<ZSTD_DCtx_s, Free> context)
      : context_(std::move(context)) {}

  std::unique_ptr<ZSTD_DCtx_s, Free> context_;
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_CHECKPOINT_INTERNAL_ZSTD_CODEC_H_
