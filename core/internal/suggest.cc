#include "leafstore/core/internal/suggest.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace leafstore::internal {
namespace {

// Distances are counted in quarters of an edit.
constexpr int kSlip = 4;
constexpr int kWrongCase = 1;
constexpr int kMaxSlips = 8;
constexpr int kFar = 1 << 20;  // above any distance, and far from overflow

constexpr int64_t kMaxTableEntries = int64_t{1} << 24;

int SubstitutionCost(char a, char b) {
  if (a == b) return 0;
  return absl::ascii_tolower(a) == absl::ascii_tolower(b) ? kWrongCase : kSlip;
}

// Removes the common prefix and the common suffix, which does not change the distance.
void StripCommonEnds(absl::string_view* a, absl::string_view* b) {
  const auto heads = std::mismatch(a->begin(), a->end(), b->begin(), b->end());
  const size_t head = static_cast<size_t>(heads.first - a->begin());
  a->remove_prefix(head);
  b->remove_prefix(head);
  const auto tails = std::mismatch(a->rbegin(), a->rend(), b->rbegin(), b->rend());
  const size_t tail = static_cast<size_t>(tails.first - a->rbegin());
  a->remove_suffix(tail);
  b->remove_suffix(tail);
}

// Computes distances up to a limit. Only three rows of the table are kept, and of each row only the
// band around the diagonal: outside it two prefixes differ in length by more than the limit allows.
class DistanceTable {
 public:
  // Returns the distance of two names of at most kMaxSuggestionSize bytes, or kFar if it exceeds
  // `limit`.
  int Distance(absl::string_view a, absl::string_view b, int limit) {
    StripCommonEnds(&a, &b);
    const size_t most = static_cast<size_t>(limit / kSlip);
    if (std::max(a.size(), b.size()) > std::min(a.size(), b.size()) + most) return kFar;
    for (size_t column = 0; column <= b.size(); ++column) {
      rows_[0][column] = static_cast<int>(column) * kSlip;
    }
    int best_of_last = 0;
    for (size_t row = 1; row <= a.size(); ++row) {
      const int best = FillRow(a, b, row, most);
      // A swap of neighbours skips a row, so one row beyond the limit is not yet the end.
      if (best > limit && best_of_last > limit) return kFar;
      best_of_last = best;
    }
    const int distance = rows_[a.size() % 3][b.size()];
    return distance <= limit ? distance : kFar;
  }

  // Returns the number of entries computed by all calls.
  int64_t entries() const { return entries_; }

 private:
  using Row = std::array<int, kMaxSuggestionSize + 1>;

  // Fills the band of a row and returns its least entry. The rows before it must be filled.
  int FillRow(absl::string_view a, absl::string_view b, size_t row, size_t band) {
    const size_t begin = row > band ? row - band : 1;
    const size_t end = std::min(row + band, b.size());
    Row& current = rows_[row % 3];
    const Row& last = rows_[(row + 2) % 3];
    const Row& before_last = rows_[(row + 1) % 3];
    current[begin - 1] = row <= band ? static_cast<int>(row) * kSlip : kFar;
    int best = current[begin - 1];
    for (size_t column = begin; column <= end; ++column) {
      const char x = a[row - 1];
      const char y = b[column - 1];
      int cost = std::min({last[column] + kSlip, current[column - 1] + kSlip,
                           last[column - 1] + SubstitutionCost(x, y)});
      if (row > 1 && column > 1 && x == b[column - 2] && y == a[row - 2]) {
        cost = std::min(cost, before_last[column - 2] + kSlip);
      }
      current[column] = cost;
      best = std::min(best, cost);
    }
    if (end < b.size()) current[end + 1] = kFar;  // the next row reads it
    entries_ += static_cast<int64_t>(end - begin) + 2;
    return best;
  }

  std::array<Row, 3> rows_;
  int64_t entries_ = 0;
};

}  // namespace

std::vector<std::string> Suggest(absl::string_view name,
                                 absl::Span<const absl::string_view> candidates, size_t max) {
  if (name.size() > kMaxSuggestionSize || max == 0) return {};
  using Near = std::pair<int, absl::string_view>;  // in the order of the result
  std::vector<Near> nearest;
  int limit = std::clamp(static_cast<int>(name.size() / 3), 1, kMaxSlips) * kSlip;
  DistanceTable table;
  for (const absl::string_view candidate : candidates) {
    if (table.entries() >= kMaxTableEntries) break;
    if (candidate.size() > kMaxSuggestionSize || candidate == name) continue;
    const Near near = {table.Distance(name, candidate, limit), candidate};
    const size_t longer = std::max(name.size(), candidate.size());
    if (near.first > limit || near.first >= static_cast<int>(longer) * kSlip) continue;
    const auto place = std::lower_bound(nearest.begin(), nearest.end(), near);
    if (place != nearest.end() && *place == near) continue;  // a repeated candidate
    nearest.insert(place, near);
    if (nearest.size() > max) nearest.pop_back();
    // From now on a candidate must be as near as the last of these to displace it.
    if (nearest.size() == max) limit = nearest.back().first;
  }
  std::vector<std::string> names;
  for (const Near& near : nearest) names.emplace_back(near.second);
  return names;
}

std::string DidYouMean(absl::string_view name, absl::Span<const absl::string_view> candidates) {
  std::string out;
  const std::vector<std::string> names = Suggest(name, candidates);
  for (size_t i = 0; i < names.size(); ++i) {
    const absl::string_view between = i + 1 == names.size() ? " or " : ", ";
    absl::StrAppend(&out, i == 0 ? "; did you mean " : between, names[i]);
  }
  if (!out.empty()) out.push_back('?');
  return out;
}

std::string DidYouMean(absl::string_view name, absl::Span<const std::string> candidates) {
  return DidYouMean(name, std::vector<absl::string_view>(candidates.begin(), candidates.end()));
}

}  // namespace leafstore::internal
