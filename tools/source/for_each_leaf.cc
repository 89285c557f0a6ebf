#include "leafstore/tools/source/for_each_leaf.h"

#include <algorithm>
#include <atomic>
#include <mutex>

#include "leafstore/core/status_macros.h"
#include "leafstore/io/internal/parallel.h"
#include "leafstore/tools/present/errors.h"

namespace leafstore::tools {
namespace {

// A damaged file may have any size in its manifest.
constexpr int64_t kMostLeafBytes = int64_t{1} << 50;

// The places [begin, end), which are read together.
struct Piece {
  size_t begin;
  size_t end;
  int64_t bytes;
};

// Divides the places into pieces that are large enough that a small leaf costs little. One thread
// reads larger ones, which the formats verify with several.
std::vector<Piece> Pieces(const std::vector<ItemPlaces>& items, int threads) {
  const int64_t most_bytes = int64_t{threads == 1 ? 16 : 4} << 20;
  const size_t most_leaves = threads == 1 ? 8192 : 1024;
  std::vector<Piece> pieces;
  for (size_t i = 0; i < items[0].places.size(); ++i) {
    if (pieces.empty() || pieces.back().bytes >= most_bytes ||
        i - pieces.back().begin >= most_leaves) {
      pieces.push_back({i, i, 0});
    }
    ++pieces.back().end;
    for (const auto& [item, places] : items) {
      if (item == nullptr || places[i] == kNoPlace) continue;
      pieces.back().bytes += std::min(item->entry(places[i]).spec.byte_size(), kMostLeafBytes);
    }
  }
  return pieces;
}

absl::StatusOr<std::vector<Leaf>> Load(const SourceItem* item, absl::Span<const uint32_t> places) {
  std::vector<Leaf> leaves(places.size());
  if (item == nullptr) return leaves;
  std::vector<uint32_t> sorted(places.begin(), places.end());
  std::sort(sorted.begin(), sorted.end());
  // Two paths may share a leaf.
  sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
  if (!sorted.empty() && sorted.back() == kNoPlace) sorted.pop_back();
  if (sorted.empty()) return leaves;
  LEAFSTORE_ASSIGN_OR_RETURN(const ParamStore loaded, FileError(item->file, item->Load(sorted)));
  for (size_t i = 0; i < places.size(); ++i) {
    if (places[i] == kNoPlace) continue;
    const auto at = std::lower_bound(sorted.begin(), sorted.end(), places[i]);
    leaves[i] = loaded.leaf(static_cast<uint32_t>(at - sorted.begin()));
  }
  return leaves;
}

}  // namespace

absl::Status ForEachLeaf(
    std::vector<ItemPlaces> items, int threads, Progress* progress,
    absl::FunctionRef<absl::Status(size_t i, absl::Span<const Leaf> leaves)> use) {
  const std::vector<Piece> pieces = Pieces(items, threads);
  std::mutex mutex;  // of `progress`
  const auto read = [&](const Piece& piece) -> absl::Status {
    const size_t size = piece.end - piece.begin;
    std::vector<Leaf> leaves(size * items.size());  // those of one index side by side
    for (size_t side = 0; side < items.size(); ++side) {
      const auto places = absl::MakeConstSpan(items[side].places).subspan(piece.begin, size);
      LEAFSTORE_ASSIGN_OR_RETURN(std::vector<Leaf> loaded, Load(items[side].item, places));
      for (size_t i = 0; i < size; ++i) leaves[i * items.size() + side] = std::move(loaded[i]);
    }
    for (size_t i = 0; i < size; ++i) {
      LEAFSTORE_RETURN_IF_ERROR(use(
          piece.begin + i, absl::MakeConstSpan(leaves).subspan(i * items.size(), items.size())));
    }
    const std::lock_guard<std::mutex> lock(mutex);
    progress->Advance(piece.bytes);
    return absl::OkStatus();
  };
  int64_t total = 0;
  for (const Piece& piece : pieces) total += std::min(piece.bytes, kMostLeafBytes - total);
  std::vector<absl::Status> failed(pieces.size());
  std::atomic<bool> any_failed = false;
  internal::ParallelFor(pieces.size(), internal::ThreadsFor(threads, total), [&](size_t i) {
    if (any_failed) return;
    failed[i] = read(pieces[i]);
    if (!failed[i].ok()) any_failed = true;
  });
  for (const absl::Status& status : failed) LEAFSTORE_RETURN_IF_ERROR(status);
  return absl::OkStatus();
}

}  // namespace leafstore::tools
