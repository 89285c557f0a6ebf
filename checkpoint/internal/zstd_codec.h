// Codec 1: the bytes of a tensor as a sequence of zstd frames (RFC 8878).
//
// Each frame declares the size of its content: kZstdFrameContent, or the rest for the last frame.
// So a writer needs memory for one frame only. A reader can check, before it allocates memory, that
// the stored bytes are enough for the declared content: a block of a frame has at most 128 KiB of
// content and at least 4 bytes, so a frame of 4 MiB has at least 128 bytes.
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

// ZSTD_CCtx and ZSTD_DCtx, declared here because users of leafstore may not have zstd.h.
struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;

namespace leafstore::internal {

// The bytes of content of every frame but the last.
inline constexpr size_t kZstdFrameContent = size_t{4} << 20;

class ZstdCompressor {
 public:
  // error InvalidArgument: not a level of zstd; names the valid ones. error ResourceExhausted: out
  // of memory.
  static absl::StatusOr<ZstdCompressor> Create(int level);

  // Returns a frame of `content`, at most kZstdFrameContent bytes. Valid until the next call.
  // error ResourceExhausted: out of memory.
  absl::StatusOr<absl::Span<const std::byte>> Compress(absl::Span<const std::byte> content);

 private:
  using Context = std::unique_ptr<ZSTD_CCtx_s, size_t (*)(ZSTD_CCtx_s*)>;
  ZstdCompressor(Context context, Buffer frame)
      : context_(std::move(context)), frame_(std::move(frame)) {}

  Context context_;
  Buffer frame_;  // large enough for any frame
};

// Checks that `stored` has frames as above, with `byte_size` bytes of content in total. error
// DataLoss: it does not. O(stored).
absl::Status CheckZstdFrames(absl::Span<const std::byte> stored, int64_t byte_size);

class ZstdDecompressor {
 public:
  // error ResourceExhausted: out of memory.
  static absl::StatusOr<ZstdDecompressor> Create();

  // Decompresses frames that CheckZstdFrames accepted. error DataLoss: damaged, or the contents do
  // not fill `out`. error ResourceExhausted: out of memory.
  absl::Status Decompress(absl::Span<const std::byte> stored, absl::Span<std::byte> out);

 private:
  using Context = std::unique_ptr<ZSTD_DCtx_s, size_t (*)(ZSTD_DCtx_s*)>;
  explicit ZstdDecompressor(Context context) : context_(std::move(context)) {}

  Context context_;
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_CHECKPOINT_INTERNAL_ZSTD_CODEC_H_
