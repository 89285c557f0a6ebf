#include "leafstore/store/glob.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "leafstore/core/key.h"
#include "leafstore/core/status_macros.h"

namespace leafstore {
namespace {

absl::Status BadGlob(absl::string_view pattern, size_t offset, absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat("glob '", pattern, "', column ", offset + 1, ": ", what));
}

}  // namespace

absl::StatusOr<GlobPattern> GlobPattern::Parse(absl::string_view pattern) {
  GlobPattern glob;
  glob.text_ = std::string(pattern);
  if (pattern.empty()) return glob;  // the root
  size_t i = 0;
  while (true) {
    const size_t begin = i;
    Segment segment;
    bool any_depth = false;
    for (; i < pattern.size() && pattern[i] != '.'; ++i) {
      const char c = pattern[i];
      if (c == '[' || c == ']') {
        return BadGlob(pattern, i,
                       "found a bracket; expected the dotted form (layers.0.w), or a "
                       "backslash before a bracket that is part of a key");
      }
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
        any_depth = true;
        ++i;
      } else {
        segment.push_back({Piece::kAnyText, 0});
      }
    }
    if (i == begin) return BadGlob(pattern, i, "expected a key, found an empty one");
    const bool repeated = any_depth && !glob.segments_.empty() &&
                          (glob.any_depth_ >> (glob.segments_.size() - 1)) != 0;
    if (!repeated) {
      if (glob.segments_.size() == kMaxSegments) {
        return BadGlob(pattern, begin,
                       absl::StrCat("expected at most ", kMaxSegments, " segments"));
      }
      if (any_depth) glob.any_depth_ |= uint64_t{1} << glob.segments_.size();
      glob.segments_.push_back(std::move(segment));
    }
    if (i == pattern.size()) return glob;
    ++i;  // the dot
    if (i == pattern.size()) return BadGlob(pattern, i, "expected a key, found the end");
  }
}

uint64_t GlobPattern::MatchingSegments(absl::string_view key) const {
  uint64_t matching = 0;
  for (size_t i = 0; i < segments_.size(); ++i) {
    const bool any_depth = (any_depth_ >> i & 1) != 0;
    if (any_depth || MatchSegment(segments_[i], key)) matching |= uint64_t{1} << i;
  }
  return matching;
}

// The usual way with one point of return: on a mismatch, the last `*` takes one character more.
bool GlobPattern::MatchSegment(const Segment& segment, absl::string_view key) {
  constexpr size_t kNone = ~size_t{0};
  // `?` is a character, which in UTF-8 may be several bytes.
  const auto character_end = [key](size_t at) {
    do ++at;
    while (at < key.size() && (static_cast<uint8_t>(key[at]) & 0xc0) == 0x80);
    return at;
  };
  size_t piece = 0, at = 0, star = kNone, star_at = 0;
  while (at < key.size()) {
    if (piece < segment.size() && segment[piece].kind == Piece::kAnyText) {
      star = piece++;
      star_at = at;
    } else if (piece < segment.size() && segment[piece].kind == Piece::kAnyCharacter) {
      ++piece;
      at = character_end(at);
    } else if (piece < segment.size() && segment[piece].character == key[at]) {
      ++piece;
      ++at;
    } else if (star != kNone) {
      piece = star + 1;
      at = star_at = character_end(star_at);
    } else {
      return false;
    }
  }
  while (piece < segment.size() && segment[piece].kind == Piece::kAnyText) ++piece;
  return piece == segment.size();
}

bool GlobPattern::Matches(const Path& path) const {
  States states = start();
  std::string text;
  for (const Key& key : path.keys()) {
    text.clear();
    AppendDottedKey(key.ref(), &text);
    states = Step(states, MatchingSegments(text));
  }
  return Accepts(states);
}

}  // namespace leafstore
