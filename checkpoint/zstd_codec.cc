#include "leafstore/checkpoint/zstd_codec.h"

#include <zstd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace leafstore {
namespace {

absl::Status NoFrames(absl::string_view why) {
  return absl::DataLossError(absl::StrCat("expected zstd frames: ", why));
}

}  // namespace

void ZstdCompressor::Free::operator()(ZSTD_CCtx_s* context) const { ZSTD_freeCCtx(context); }

absl::StatusOr<ZstdCompressor> ZstdCompressor::Create(int level) {
  if (level < ZSTD_minCLevel() || level > ZSTD_maxCLevel()) {
    return absl::InvalidArgumentError(absl::StrCat("level of zstd: expected ", ZSTD_minCLevel(),
                                                   " to ", ZSTD_maxCLevel(), ", found ", level));
  }
  std::unique_ptr<ZSTD_CCtx_s, Free> context(ZSTD_createCCtx());
  if (context == nullptr ||
      ZSTD_isError(ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, level))) {
    return absl::ResourceExhaustedError("no memory for zstd");
  }
  return ZstdCompressor(std::move(context));
}

absl::StatusOr<absl::Span<const std::byte>> ZstdCompressor::Compress(
    absl::Span<const std::byte> content) {
  frame_.resize(std::max(frame_.size(), ZSTD_compressBound(content.size())));
  const size_t size =
      ZSTD_compress2(context_.get(), frame_.data(), frame_.size(), content.data(), content.size());
  if (!ZSTD_isError(size)) return absl::MakeConstSpan(frame_).subspan(0, size);
  return absl::ResourceExhaustedError(
      absl::StrCat("zstd cannot compress: ", ZSTD_getErrorName(size)));
}

absl::Status CheckZstdFrames(absl::Span<const std::byte> stored, int64_t byte_size) {
  auto rest = static_cast<uint64_t>(byte_size);
  while (rest > 0) {
    const uint64_t expected = std::min<uint64_t>(rest, kZstdFrameContent);
    const unsigned long long content = ZSTD_getFrameContentSize(stored.data(), stored.size());
    if (content == ZSTD_CONTENTSIZE_ERROR || content == ZSTD_CONTENTSIZE_UNKNOWN) {
      return NoFrames(absl::StrCat("none that says its size with ", rest, " bytes to come"));
    }
    if (content != expected) {
      return NoFrames(absl::StrCat("one of ", expected, " bytes, found one of ", content));
    }
    const size_t size = ZSTD_findFrameCompressedSize(stored.data(), stored.size());
    if (ZSTD_isError(size)) return NoFrames(ZSTD_getErrorName(size));
    stored.remove_prefix(size);
    rest -= expected;
  }
  if (stored.empty()) return absl::OkStatus();
  return NoFrames(absl::StrCat("found ", stored.size(), " bytes behind the last"));
}

absl::Status DecompressZstd(absl::Span<const std::byte> stored, absl::Span<std::byte> out) {
  const size_t size = ZSTD_decompress(out.data(), out.size(), stored.data(), stored.size());
  if (ZSTD_isError(size)) return NoFrames(ZSTD_getErrorName(size));
  if (size == out.size()) return absl::OkStatus();
  return NoFrames(absl::StrCat("of ", out.size(), " bytes, found ", size));
}

}  // namespace leafstore
