#include "leafstore/select/internal/glob.h"

#include <algorithm>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

#include "leafstore/core/key.h"
#include "leafstore/core/status_macros.h"

namespace leafstore::internal {
namespace {

absl::Status BadGlob(absl::string_view pattern, size_t offset, absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat("glob '", pattern, "', column ", offset + 1, ": ", what));
}

// Rejects brackets and braces, which are special in other glob languages and would never match
// here.
absl::Status CheckIsLiteral(absl::string_view pattern, size_t offset) {
  const char c = pattern[offset];
  if (c == '[' || c == ']') {
    return BadGlob(pattern, offset,
                   "found a bracket; expected the dotted form (layers.0.w), or a backslash before "
                   "a bracket that is part of a key");
  }
  if (c == '{' || c == '}') {
    return BadGlob(pattern, offset,
                   "found a brace; expected a glob for each alternative, or a backslash before a "
                   "brace that is part of a key");
  }
  return absl::OkStatus();
}

// Matches a sequence with a pattern of `size` elements, some of which are stars, which match as
// little as possible. This is the usual algorithm with one backtracking point: on a mismatch, the
// last star matches one more item. Calls `visit(element, at)` where an element begins.
// `next(at)` returns the end of the item at `at`, and `match_one(element, at)` too if that element
// matches it, or `at` if not.
template <typename IsStar, typename MatchOne, typename Next, typename Visit>
bool MatchLazily(size_t size, size_t end, uint64_t* steps, IsStar is_star, MatchOne match_one,
                 Next next, Visit visit) {
  constexpr size_t kNone = ~size_t{0};
  size_t element = 0, at = 0, star = kNone, star_at = 0;
  while (at < end) {
    if (steps != nullptr && (*steps == 0 || --*steps == 0)) return false;
    if (element < size) visit(element, at);
    const bool at_star = element < size && is_star(element);
    const size_t after = element < size && !at_star ? match_one(element, at) : at;
    if (at_star) {
      star = element++;
      star_at = at;
    } else if (after != at) {
      ++element;
      at = after;
    } else if (star != kNone) {
      element = star + 1;
      at = star_at = next(star_at);
    } else {
      return false;
    }
  }
  for (; element < size && is_star(element); ++element) visit(element, at);
  return element == size;
}

}  // namespace

absl::StatusOr<GlobPattern::Segment> GlobPattern::ParseSegment(absl::string_view pattern,
                                                               size_t* at) {
  const size_t begin = *at;
  size_t& i = *at;
  Segment segment;
  if (pattern.substr(i, 2) == "''" && (i + 2 == pattern.size() || pattern[i + 2] == '.')) {
    i += 2;
    return segment;
  }
  for (; i < pattern.size() && pattern[i] != '.'; ++i) {
    const char c = pattern[i];
    LEAFSTORE_RETURN_IF_ERROR(CheckIsLiteral(pattern, i));
    if (c == '\\') {
      if (++i == pattern.size()) {
        return BadGlob(pattern, i - 1, "expected a character after the backslash, found the end");
      }
      segment.push_back({Piece::kCharacter, pattern[i]});
    } else if (c == '?') {
      segment.push_back({Piece::kAnyCharacter, 0});
    } else if (c != '*') {
      segment.push_back({Piece::kCharacter, c});
    } else if (i + 1 < pattern.size() && pattern[i + 1] == '*') {
      const bool alone = i == begin && (i + 2 == pattern.size() || pattern[i + 2] == '.');
      if (!alone) return BadGlob(pattern, i, "expected `**` alone between dots");
      ++i;
    } else {
      segment.push_back({Piece::kAnyText, 0});
    }
  }
  if (i == begin) return BadGlob(pattern, i, "expected a key, found an empty one");
  return segment;
}

absl::StatusOr<GlobPattern> GlobPattern::Parse(absl::string_view pattern) {
  if (pattern.empty()) {
    return BadGlob(pattern, 0, "expected a key, found no pattern; `**` matches every node");
  }
  GlobPattern glob;
  glob.text_ = std::string(pattern);
  std::vector<Segment>& segments = glob.segments_;
  size_t i = 0;
  do {
    if (i == pattern.size()) return BadGlob(pattern, i, "expected a key, found the end");
    const size_t begin = i;
    LEAFSTORE_ASSIGN_OR_RETURN(Segment segment, ParseSegment(pattern, &i));
    const bool any_depth = segment.empty() && pattern[begin] == '*';
    if (any_depth && !segments.empty() && glob.IsAnyDepth(segments.size() - 1)) continue;
    if (segments.size() == kMaxSegments) {
      return BadGlob(pattern, begin, absl::StrCat("expected at most ", kMaxSegments, " segments"));
    }
    if (any_depth) glob.any_depth_ |= uint64_t{1} << segments.size();
    segments.push_back(std::move(segment));
  } while (i++ < pattern.size());  // steps over the dot
  glob.accepting_ = States{1} << segments.size();
  return glob;
}

bool GlobPattern::DistinguishesIntegers() const {
  const auto is_any_text = [](const Piece& piece) { return piece.kind == Piece::kAnyText; };
  const auto is_in_no_number = [](const Piece& piece) {
    return piece.kind == Piece::kCharacter && piece.character != '-' &&
           !absl::ascii_isdigit(static_cast<unsigned char>(piece.character));
  };
  return std::any_of(segments_.begin(), segments_.end(), [&](const Segment& segment) {
    return !std::all_of(segment.begin(), segment.end(), is_any_text) &&  // `**` has no pieces
           std::none_of(segment.begin(), segment.end(), is_in_no_number);
  });
}

uint64_t GlobPattern::MatchingSegments(absl::string_view key) const {
  uint64_t matching = 0;
  for (size_t i = 0; i < segments_.size(); ++i) {
    if (IsAnyDepth(i) || MatchSegment(segments_[i], key, nullptr, nullptr)) {
      matching |= uint64_t{1} << i;
    }
  }
  return matching;
}

bool GlobPattern::MatchSegment(const Segment& segment, absl::string_view key, uint64_t* steps,
                               std::vector<size_t>* starts) {
  // `?` matches one character, which in UTF-8 may be several bytes.
  const auto character_end = [key](size_t at) {
    do ++at;
    while (at < key.size() && (static_cast<uint8_t>(key[at]) & 0xc0) == 0x80);
    return at;
  };
  if (starts != nullptr) starts->resize(segment.size());
  return MatchLazily(
      segment.size(), key.size(), steps,
      [&](size_t piece) { return segment[piece].kind == Piece::kAnyText; },
      [&](size_t piece, size_t at) {
        if (segment[piece].kind == Piece::kAnyCharacter) return character_end(at);
        return segment[piece].character == key[at] ? at + 1 : at;
      },
      character_end,
      [&](size_t piece, size_t at) {
        if (starts != nullptr) (*starts)[piece] = at;
      });
}

std::vector<GlobPattern::Wildcard> GlobPattern::wildcards() const {
  std::vector<Wildcard> wildcards;
  for (size_t i = 0; i < segments_.size(); ++i) {
    const Segment& segment = segments_[i];
    if (IsAnyDepth(i)) wildcards.push_back(Wildcard::kKeys);
    for (const Piece& piece : segment) {
      if (piece.kind == Piece::kCharacter) continue;
      wildcards.push_back(piece.kind == Piece::kAnyCharacter ? Wildcard::kCharacter
                          : segment.size() == 1              ? Wildcard::kKey
                                                             : Wildcard::kText);
    }
  }
  return wildcards;
}

void GlobPattern::AppendCaptures(const Segment& segment, size_t number, absl::string_view key,
                                 std::vector<Capture>* captures) {
  std::vector<size_t> starts;
  MatchSegment(segment, key, nullptr, &starts);
  starts.push_back(key.size());
  for (size_t i = 0; i < segment.size(); ++i) {
    if (segment[i].kind == Piece::kCharacter) continue;
    captures->push_back({number, 1, key.substr(starts[i], starts[i + 1] - starts[i])});
  }
}

std::optional<std::vector<GlobPattern::Capture>> GlobPattern::Captures(
    absl::Span<const std::string> keys, uint64_t* steps) const {
  absl::InlinedVector<size_t, 32> first(segments_.size());  // by segment: the key where it begins
  const bool matches = MatchLazily(
      segments_.size(), keys.size(), steps, [this](size_t segment) { return IsAnyDepth(segment); },
      [&](size_t segment, size_t key) {
        return MatchSegment(segments_[segment], keys[key], steps, nullptr) ? key + 1 : key;
      },
      [](size_t key) { return key + 1; },
      [&](size_t segment, size_t key) { first[segment] = key; });
  if (!matches) return std::nullopt;
  std::vector<Capture> captures;
  for (size_t i = 0; i < segments_.size(); ++i) {
    if (!IsAnyDepth(i)) {
      AppendCaptures(segments_[i], first[i], keys[first[i]], &captures);
      continue;
    }
    const size_t end = i + 1 < segments_.size() ? first[i + 1] : keys.size();
    captures.push_back({first[i], end - first[i], {}});
  }
  return captures;
}

std::vector<std::string> GlobPattern::LiteralKeys() const {
  std::vector<std::string> keys;
  for (size_t i = 0; i < segments_.size(); ++i) {
    std::string key;
    for (const Piece& piece : segments_[i]) {
      if (piece.kind == Piece::kCharacter) key.push_back(piece.character);
    }
    if (!IsAnyDepth(i) && key.size() == segments_[i].size()) keys.push_back(std::move(key));
  }
  return keys;
}

bool GlobPattern::Matches(const Path& path, bool or_above) const {
  States states = start();
  std::string text;
  for (const Key& key : path.keys()) {
    if (or_above && Accepts(states)) return true;
    text.clear();
    AppendDottedKey(key.ref(), &text);
    states = Step(states, MatchingSegments(text));
  }
  return Accepts(states);
}

}  // namespace leafstore::internal
