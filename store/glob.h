// GlobPattern: a dotted pattern that is matched key by key while walking down a tree.
//
//   GlobPattern glob = GlobPattern::Parse("layers.*.attn.**").value();
//   GlobPattern::States states = glob.start();                       // at the root
//   states = glob.Step(states, glob.MatchingSegments("layers"));     // one key down
//   glob.Accepts(states);                                            // does it match here?
//
// The pattern is a small automaton: state i means that the first i segments are used up; a set of
// states is the bits of one word. So a step costs a few instructions, and which segments a key
// matches can be remembered for every key that occurs often.
//
// Syntax: filter.h. Threads: immutable.
#ifndef LEAFSTORE_STORE_GLOB_H_
#define LEAFSTORE_STORE_GLOB_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "leafstore/core/path.h"

namespace leafstore {

class GlobPattern {
 public:
  using States = uint64_t;
  static constexpr size_t kMaxSegments = 63;

  // error InvalidArgument: an empty segment, `**` beside other characters, `[` or `]` (positions
  // are written in dotted form), a backslash at the end, more than kMaxSegments segments; the
  // message has the column (1-based, in bytes).
  static absl::StatusOr<GlobPattern> Parse(absl::string_view pattern);

  const std::string& text() const { return text_; }

  // The states at the root, before any key.
  States start() const { return Close(1); }
  // Bit i: segment i matches this key. O(length * segments).
  uint64_t MatchingSegments(absl::string_view key) const;
  // The states one key down.
  States Step(States states, uint64_t matching_segments) const {
    return Close((states & any_depth_) | ((states & matching_segments & ~any_depth_) << 1));
  }
  bool Accepts(States states) const { return (states >> segments_.size() & 1) != 0; }

  // Whether the whole path matches. O(keys * segments).
  bool Matches(const Path& path) const;

 private:
  // One segment: a sequence of literal characters and wildcards; empty for `**`.
  struct Piece {
    enum Kind : uint8_t { kCharacter, kAnyCharacter, kAnyText } kind;
    char character;
  };
  using Segment = std::vector<Piece>;

  // Also the states that are reached without a key, since `**` may be none.
  States Close(States states) const { return states | ((states & any_depth_) << 1); }
  static bool MatchSegment(const Segment& segment, absl::string_view key);

  std::string text_;
  std::vector<Segment> segments_;
  uint64_t any_depth_ = 0;  // bit i: segment i is `**`; never two in a row
};

}  // namespace leafstore

#endif  // LEAFSTORE_STORE_GLOB_H_
