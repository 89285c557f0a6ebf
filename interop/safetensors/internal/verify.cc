// SafetensorsFile::Verify: reads every byte of the tensors.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/interop/safetensors/internal/file.h"
#include "leafstore/io/internal/parallel.h"

namespace leafstore::internal {
namespace {

// Bytes of a shard that are read at a time, whichever tensors they belong to.
struct Piece {
  const SafetensorsFile::Shard* shard;
  int64_t begin;
  int64_t end;
  uint32_t first;  // the first tensor of the shard that does not end before `begin`
};

std::vector<Piece> PiecesOf(const std::vector<SafetensorsFile::Shard>& shards) {
  std::vector<Piece> pieces;
  for (const SafetensorsFile::Shard& shard : shards) {
    const SafetensorsHeader& header = shard.header;
    if (header.size() == 0) continue;
    const auto end_of = [&](uint32_t i) { return header.offset(i) + header.byte_size(i); };
    const int64_t end = end_of(header.size() - 1);
    uint32_t first = 0;
    for (int64_t at = header.offset(0); at < end; at += kBytesPerThread) {
      while (end_of(first) <= at) ++first;
      pieces.push_back({&shard, at, std::min(end, at + kBytesPerThread), first});
    }
  }
  return pieces;
}

absl::Status VerifyPiece(const SafetensorsFile& file, const Piece& piece, Buffer* scratch) {
  const SafetensorsHeader& header = piece.shard->header;
  LEAFSTORE_ASSIGN_OR_RETURN(
      const auto bytes, piece.shard->bytes->Get(piece.begin, piece.end - piece.begin, scratch));
  for (uint32_t i = piece.first; i < header.size() && header.offset(i) < piece.end; ++i) {
    if (header.spec(i).dtype() != DType::kBool) continue;
    const int64_t begin = std::max(piece.begin, header.offset(i));
    const int64_t end = std::min(piece.end, header.offset(i) + header.byte_size(i));
    if (AreBools(bytes.subspan(static_cast<size_t>(begin - piece.begin),
                               static_cast<size_t>(end - begin)))) {
      continue;
    }
    return file.Named(piece.shard->first_tensor + i,
                      absl::DataLossError("expected bools, 0 or 1, found another byte"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status SafetensorsFile::Verify() const {
  const std::vector<Piece> pieces = PiecesOf(shards_);
  std::vector<absl::Status> statuses(pieces.size());
  const int asked =
      ThreadsFor(options_.io.threads, kBytesPerThread * static_cast<int64_t>(pieces.size()));
  const auto threads = static_cast<size_t>(asked);
  ParallelFor(threads, asked, [&](size_t thread) {
    Buffer scratch;
    for (size_t i = thread; i < pieces.size(); i += threads) {
      statuses[i] = VerifyPiece(*this, pieces[i], &scratch);
    }
  });
  for (const absl::Status& status : statuses) LEAFSTORE_RETURN_IF_ERROR(status);
  return absl::OkStatus();
}

}  // namespace leafstore::internal
