#include "leafstore/checkpoint/internal/zstd_codec.h"

#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"

#include "leafstore/core/status_macros.h"

namespace leafstore::internal {
namespace {

// The maximum content of a block, and the minimum bytes that store it.
constexpr uint64_t kMaxBlockContent = uint64_t{128} << 10;
constexpr uint64_t kMinBlock = 4;

absl::Status NoFrames(absl::string_view why) {
  return absl::DataLossError(absl::StrCat("expected zstd frames: ", why));
}

absl::Status NoMemory() { return absl::ResourceExhaustedError("no memory for zstd"); }

// Returns the size of the frame at the beginning of `stored`, which must have `content` bytes of
// content. error DataLoss: not such a frame.
absl::StatusOr<size_t> CheckFrame(absl::Span<const std::byte> stored, uint64_t content) {
  // Checked here, as zstd may be built to read legacy frames, which have another magic.
  constexpr absl::string_view kMagic = "\x28\xb5\x2f\xfd";
  if (stored.size() < kMagic.size() ||
      std::memcmp(stored.data(), kMagic.data(), kMagic.size()) != 0) {
    return NoFrames(absl::StrCat("none for ", content, " bytes"));
  }
  const unsigned long long found = ZSTD_getFrameContentSize(stored.data(), stored.size());
  if (found == ZSTD_CONTENTSIZE_ERROR || found == ZSTD_CONTENTSIZE_UNKNOWN) {
    return NoFrames(absl::StrCat("none with its size for ", content, " bytes"));
  }
  if (found != content) {
    return NoFrames(absl::StrCat("one of ", content, " bytes, found one of ", found));
  }
  const size_t size = ZSTD_findFrameCompressedSize(stored.data(), stored.size());
  if (ZSTD_isError(size)) return NoFrames(ZSTD_getErrorName(size));
  const uint64_t blocks = (content + kMaxBlockContent - 1) / kMaxBlockContent;
  if (size >= kMinBlock * blocks) return size;
  return NoFrames(absl::StrCat("one of ", content, " bytes, found ", size, " bytes for it"));
}

}  // namespace

absl::StatusOr<ZstdCompressor> ZstdCompressor::Create(int level) {
  if (level < ZSTD_minCLevel() || level > ZSTD_maxCLevel()) {
    return absl::InvalidArgumentError(absl::StrCat("zstd level: expected ", ZSTD_minCLevel(),
                                                   " to ", ZSTD_maxCLevel(), ", found ", level));
  }
  Context context(ZSTD_createCCtx(), ZSTD_freeCCtx);
  if (context == nullptr ||
      ZSTD_isError(ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, level))) {
    return NoMemory();
  }
  const auto bound = static_cast<int64_t>(ZSTD_compressBound(kZstdFrameContent));
  LEAFSTORE_ASSIGN_OR_RETURN(Buffer frame, Buffer::AllocateUninitialized(bound));
  return ZstdCompressor(std::move(context), std::move(frame));
}

absl::StatusOr<absl::Span<const std::byte>> ZstdCompressor::Compress(
    absl::Span<const std::byte> content) {
  const size_t size =
      ZSTD_compress2(context_.get(), frame_.mutable_data(), static_cast<size_t>(frame_.size()),
                     content.data(), content.size());
  if (!ZSTD_isError(size)) return frame_.bytes().subspan(0, size);
  return absl::ResourceExhaustedError(
      absl::StrCat("zstd cannot compress: ", ZSTD_getErrorName(size)));
}

absl::Status CheckZstdFrames(absl::Span<const std::byte> stored, int64_t byte_size) {
  auto rest = static_cast<uint64_t>(byte_size);
  while (rest > 0) {
    const uint64_t content = std::min<uint64_t>(rest, kZstdFrameContent);
    LEAFSTORE_ASSIGN_OR_RETURN(const size_t size, CheckFrame(stored, content));
    stored.remove_prefix(size);
    rest -= content;
  }
  if (stored.empty()) return absl::OkStatus();
  return NoFrames(absl::StrCat("found ", stored.size(), " bytes after the last"));
}

absl::StatusOr<ZstdDecompressor> ZstdDecompressor::Create() {
  Context context(ZSTD_createDCtx(), ZSTD_freeDCtx);
  if (context == nullptr) return NoMemory();
  return ZstdDecompressor(std::move(context));
}

absl::Status ZstdDecompressor::Decompress(absl::Span<const std::byte> stored,
                                          absl::Span<std::byte> out) {
  const size_t size =
      ZSTD_decompressDCtx(context_.get(), out.data(), out.size(), stored.data(), stored.size());
  if (ZSTD_getErrorCode(size) == ZSTD_error_memory_allocation) return NoMemory();
  if (ZSTD_isError(size)) return NoFrames(ZSTD_getErrorName(size));
  if (size == out.size()) return absl::OkStatus();
  return NoFrames(absl::StrCat("of ", out.size(), " bytes, found ", size));
}

}  // namespace leafstore::internal
