#include "leafstore/tools/report/report_numbers.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <complex>
#include <limits>
#include <numeric>
#include <optional>

#include "leafstore/core/path.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/io/internal/parallel.h"
#include "leafstore/numeric/diff.h"
#include "leafstore/numeric/elements.h"
#include "leafstore/tools/present/errors.h"

namespace leafstore::tools {
namespace {

// The size of a piece: large enough that a small leaf costs little.
constexpr int64_t kPieceBytes = int64_t{4} << 20;
constexpr size_t kPieceLeaves = 1024;

struct Piece {
  size_t begin;
  size_t end;
  int64_t bytes;
};

// Divides leaves into pieces; `bytes_of` returns the bytes of each leaf.
template <typename Fn>
std::vector<Piece> Pieces(size_t leaves, const Fn& bytes_of) {
  std::vector<Piece> pieces;
  for (size_t i = 0; i < leaves; ++i) {
    if (pieces.empty() || pieces.back().bytes >= kPieceBytes ||
        pieces.back().end - pieces.back().begin >= kPieceLeaves) {
      pieces.push_back({i, i, 0});
    }
    ++pieces.back().end;
    // A damaged file may have any size in its manifest.
    pieces.back().bytes += std::min<int64_t>(bytes_of(i), int64_t{1} << 50);
  }
  return pieces;
}

int64_t TotalBytes(const std::vector<Piece>& pieces) {
  int64_t bytes = 0;
  for (const Piece& piece : pieces) bytes += std::min(piece.bytes, (int64_t{1} << 62) - bytes);
  return bytes;
}

// Loads the leaves at `places`, which may be in any order; kNoPlace yields an empty leaf.
absl::StatusOr<std::vector<Leaf>> LoadLeaves(const FileItem& from,
                                             absl::Span<const uint32_t> places) {
  std::vector<size_t> order;
  for (size_t i = 0; i < places.size(); ++i) {
    if (places[i] != kNoPlace) order.push_back(i);
  }
  std::sort(order.begin(), order.end(),
            [places](size_t a, size_t b) { return places[a] < places[b]; });
  std::vector<uint32_t> sorted;
  for (const size_t i : order) {
    // Two paths may share a leaf.
    if (sorted.empty() || sorted.back() != places[i]) sorted.push_back(places[i]);
  }
  std::vector<Leaf> leaves(places.size());
  if (sorted.empty()) return leaves;
  const absl::StatusOr<ParamStore> loaded = from.item->Load(sorted);
  if (!loaded.ok()) return FileError(from.file, loaded.status());
  size_t at = 0;
  for (const size_t i : order) {
    while (sorted[at] != places[i]) ++at;
    leaves[i] = loaded->leaf(static_cast<uint32_t>(at));
  }
  return leaves;
}

// Calls `fn` with the pieces on several threads until one fails. error: that of the first failed
// piece.
template <typename Fn>
absl::Status ForPieces(const std::vector<Piece>& pieces, int threads, const Fn& fn) {
  std::vector<absl::Status> failed(pieces.size());
  std::atomic<bool> any_failed = false;
  internal::ParallelFor(pieces.size(), internal::ThreadsFor(threads, TotalBytes(pieces)),
                        [&](size_t i) {
                          if (any_failed) return;
                          failed[i] = fn(pieces[i]);
                          if (!failed[i].ok()) any_failed = true;
                        });
  for (const absl::Status& status : failed) LEAFSTORE_RETURN_IF_ERROR(status);
  return absl::OkStatus();
}

// Returns the norm of b - a over elements that are finite on both sides. Both must have the same
// dtype and shape.
double NormOfChange(const Tensor& a, const Tensor& b) {
  double squares = 0;
  if (a.dtype() == DType::kC64) {
    const auto x = a.span<std::complex<float>>();
    const auto y = b.span<std::complex<float>>();
    for (size_t i = 0; i < x.size(); ++i) {
      const double square = std::norm(std::complex<double>(y[i]) - std::complex<double>(x[i]));
      if (std::isfinite(square)) squares += square;
    }
    return std::sqrt(squares);
  }
  std::array<double, kElementBlock> x;
  std::array<double, kElementBlock> y;
  const int64_t count = a.element_count();
  for (int64_t begin = 0; begin < count; begin += kElementBlock) {
    const auto size = std::min<size_t>(kElementBlock, static_cast<size_t>(count - begin));
    ReadElements(a, begin, absl::MakeSpan(x.data(), size));
    ReadElements(b, begin, absl::MakeSpan(y.data(), size));
    for (size_t i = 0; i < size; ++i) {
      const double change = y[i] - x[i];
      if (std::isfinite(change)) squares += change * change;
    }
  }
  return std::sqrt(squares);
}

bool HaveOneForm(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape();
}

bool HaveSameBytes(const Tensor& a, const Tensor& b) { return a.bytes() == b.bytes(); }

// Returns the range of both; no value if neither has a finite number.
std::optional<StatsOptions::Range> RangeOf(const TensorStats& a, const TensorStats& b) {
  StatsOptions::Range range = {std::numeric_limits<double>::infinity(),
                               -std::numeric_limits<double>::infinity()};
  for (const TensorStats* stats : {&a, &b}) {
    if (stats->finite_count() == 0) continue;
    range.lo = std::min(range.lo, stats->min);
    range.hi = std::max(range.hi, stats->max);
  }
  if (range.lo > range.hi) return std::nullopt;
  return range;
}

absl::StatusOr<NumberReader::Pair> ComparePair(const Leaf& before, const Leaf& after) {
  NumberReader::Pair pair;
  pair.change = CompareLeaves(before, after);
  // The first pass finds the range for both histograms.
  if (before.is_tensor()) {
    LEAFSTORE_ASSIGN_OR_RETURN(pair.before, StatsOf(before.tensor()));
  }
  if (after.is_tensor()) {
    LEAFSTORE_ASSIGN_OR_RETURN(pair.after, StatsOf(after.tensor()));
  }
  const StatsOptions options = {kReportBins, RangeOf(pair.before, pair.after)};
  if (!options.histogram_range) return pair;
  if (before.is_tensor()) {
    LEAFSTORE_ASSIGN_OR_RETURN(pair.before, StatsOf(before.tensor(), options));
  }
  if (after.is_tensor()) {
    LEAFSTORE_ASSIGN_OR_RETURN(pair.after, StatsOf(after.tensor(), options));
  }
  return pair;
}

ReportSeries::Point PointOf(const Leaf& leaf, const Leaf& before,
                            const std::optional<ReportSeries::Point>& point_before) {
  const Tensor& tensor = leaf.tensor();
  const bool comparable = before.is_tensor() && HaveOneForm(before.tensor(), tensor);
  if (comparable && point_before && HaveSameBytes(before.tensor(), tensor)) {
    return {point_before->l2, 0, point_before->odd};
  }
  // Cannot fail without options.
  const TensorStats stats = StatsOf(tensor).value();
  return {
      stats.l2(),
      comparable ? NormOfChange(before.tensor(), tensor) : std::numeric_limits<double>::quiet_NaN(),
      stats.nan_count + stats.inf_count};
}

}  // namespace

LeafChange CompareLeaves(const Leaf& before, const Leaf& after) {
  using What = LeafChange::What;
  const bool tensors = before.is_tensor() && after.is_tensor();
  if (!tensors) {
    if (before.is_tensor() || after.is_tensor()) return {What::kKind};
    return {before == after ? What::kSame : What::kValue};
  }
  if (before.tensor().dtype() != after.tensor().dtype()) return {What::kDType};
  if (before.tensor().shape() != after.tensor().shape()) return {What::kShape};
  // Compares stores of one leaf each by the rules of numeric/diff.h.
  const auto one = [](const Leaf& leaf) {
    return ParamStore::FromEntries({{Path().Attribute("leaf"), leaf}}).value();
  };
  const StoreDiff diff = DiffStores(one(before), one(after)).value();
  LeafChange change;
  change.differing = 0;
  if (diff.leaves.empty()) return change;
  change.what = What::kNumbers;
  change.differing = diff.leaves[0].differing;
  change.max_abs = diff.leaves[0].max_abs;
  change.max_rel = diff.leaves[0].max_rel;
  change.l2 = NormOfChange(before.tensor(), after.tensor());
  return change;
}

void NumberReader::Advance(int64_t bytes) {
  const std::lock_guard<std::mutex> lock(mutex_);
  progress_->Advance(bytes);
}

absl::StatusOr<std::vector<TensorStats>> NumberReader::Stats(const FileItem& from,
                                                             absl::Span<const uint32_t> places) {
  std::vector<TensorStats> stats(places.size());
  const std::vector<Piece> pieces =
      Pieces(places.size(), [&](size_t i) { return from.item->entry(places[i]).spec.byte_size(); });
  const auto read = [&](const Piece& piece) -> absl::Status {
    LEAFSTORE_ASSIGN_OR_RETURN(
        const std::vector<Leaf> leaves,
        LoadLeaves(from, places.subspan(piece.begin, piece.end - piece.begin)));
    for (size_t i = piece.begin; i < piece.end; ++i) {
      const Leaf& leaf = leaves[i - piece.begin];
      if (!leaf.is_tensor()) continue;
      LEAFSTORE_ASSIGN_OR_RETURN(stats[i], StatsOf(leaf.tensor(), {.histogram_bins = kReportBins}));
    }
    Advance(piece.bytes);
    return absl::OkStatus();
  };
  LEAFSTORE_RETURN_IF_ERROR(ForPieces(pieces, threads_, read));
  return stats;
}

absl::StatusOr<std::vector<NumberReader::Pair>> NumberReader::Compare(
    const FileItem& before, const FileItem& after, absl::Span<const Places> places) {
  std::vector<Pair> pairs(places.size());
  const std::vector<Piece> pieces = Pieces(places.size(), [&](size_t i) {
    // Half of each, because the sum of two sizes in a damaged file may overflow.
    return before.item->entry(places[i].before).spec.byte_size() / 2 +
           after.item->entry(places[i].after).spec.byte_size() / 2;
  });
  const auto read = [&](const Piece& piece) -> absl::Status {
    std::vector<uint32_t> places_before, places_after;
    for (size_t i = piece.begin; i < piece.end; ++i) {
      places_before.push_back(places[i].before);
      places_after.push_back(places[i].after);
    }
    LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<Leaf> a, LoadLeaves(before, places_before));
    LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<Leaf> b, LoadLeaves(after, places_after));
    for (size_t i = piece.begin; i < piece.end; ++i) {
      LEAFSTORE_ASSIGN_OR_RETURN(pairs[i], ComparePair(a[i - piece.begin], b[i - piece.begin]));
    }
    Advance(piece.bytes);
    return absl::OkStatus();
  };
  LEAFSTORE_RETURN_IF_ERROR(ForPieces(pieces, threads_, read));
  return pairs;
}

absl::StatusOr<std::vector<std::optional<ReportSeries::Point>>> NumberReader::Norms(
    const StepItem& before, const StepItem& now) {
  std::vector<std::optional<ReportSeries::Point>> points(now.places.size());
  if (now.from.item == nullptr) return points;
  const std::vector<Piece> pieces = Pieces(points.size(), [&now](size_t leaf) {
    const uint32_t place = now.places[leaf];
    return place != kNoPlace ? now.from.item->entry(place).spec.byte_size() : int64_t{0};
  });
  const auto read = [&](const Piece& piece) -> absl::Status {
    const auto load = [&piece](const StepItem& step) {
      return LoadLeaves(
          step.from,
          absl::MakeConstSpan(step.places).subspan(piece.begin, piece.end - piece.begin));
    };
    std::vector<Leaf> leaves_before(piece.end - piece.begin);
    if (before.from.item != nullptr) {
      LEAFSTORE_ASSIGN_OR_RETURN(leaves_before, load(before));
    }
    LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<Leaf> leaves, load(now));
    for (size_t i = 0; i < leaves.size(); ++i) {
      if (!leaves[i].is_tensor()) continue;
      const size_t leaf = piece.begin + i;
      points[leaf] = PointOf(leaves[i], leaves_before[i],
                             before.points.empty() ? std::nullopt : before.points[leaf]);
    }
    Advance(piece.bytes);
    return absl::OkStatus();
  };
  LEAFSTORE_RETURN_IF_ERROR(ForPieces(pieces, threads_, read));
  return points;
}

}  // namespace leafstore::tools
