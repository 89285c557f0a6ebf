// GlobPattern: a dotted pattern, matched key by key while walking down a tree.
//
//   GlobPattern glob = GlobPattern::Parse("layers.*.attn.**").value();
//   GlobPattern::States states = glob.start();                       // at the root
//   states = glob.Step(states, glob.MatchingSegments("layers"));     // one key down
//   glob.Accepts(states);                                            // does it match here?
//
//   uint64_t steps = 1'000'000;                                      // or path by path:
//   glob.Captures({"layers", "0", "attn", "w"}, &steps);             // "0"; keys 3 and on
//
// The pattern is a nondeterministic automaton: state i means that the first i segments have been
// matched, and a set of states is a bitmask in one word.
//
// Syntax: filter.h. Threads: immutable.
#ifndef LEAFSTORE_SELECT_INTERNAL_GLOB_H_
#define LEAFSTORE_SELECT_INTERNAL_GLOB_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "leafstore/core/path.h"

namespace leafstore::internal {

class GlobPattern {
 public:
  using States = uint64_t;
  static constexpr size_t kMaxSegments = 63;

  // Parses a pattern. error InvalidArgument: an empty pattern or segment, `**` beside other
  // characters, `[` or `]` (positions are written in dotted form), `{` or `}` (alternatives are not
  // supported), a trailing backslash, more than kMaxSegments segments; the message has the column
  // (1-based, in bytes).
  static absl::StatusOr<GlobPattern> Parse(absl::string_view pattern);

  const std::string& text() const { return text_; }

  // Returns the states at the root, before any key.
  States start() const { return Close(1); }
  // Returns a mask whose bit i is set if segment i matches this key. O(length of the key * length
  // of the pattern).
  uint64_t MatchingSegments(absl::string_view key) const;
  // Returns whether MatchingSegments may differ between integer keys, as for `7`, `1*` and `?`.
  bool DistinguishesIntegers() const;
  // Returns the states one key down.
  States Step(States states, uint64_t matching_segments) const {
    return Close((states & any_depth_) | ((states & matching_segments & ~any_depth_) << 1));
  }
  // The states in which the path so far matches.
  States accepting() const { return accepting_; }
  bool Accepts(States states) const { return (states & accepting_) != 0; }

  // Returns whether the path matches, or with `or_above`, it or one of its ancestors. O(length of
  // the path * length of the pattern).
  bool Matches(const Path& path, bool or_above = false) const;

  // `?` and `*` inside a key; `*` alone between dots; `**`.
  enum class Wildcard : uint8_t { kCharacter, kText, kKey, kKeys };
  // Returns the wildcards of the pattern, in order. Consecutive `**` count as one.
  std::vector<Wildcard> wildcards() const;
  // The part of a path that a wildcard matched: keys, and unless it is `**`, the text in its one
  // key.
  struct Capture {
    size_t first_key = 0;
    size_t key_count = 0;
    absl::string_view text;
  };
  // Returns what each wildcard matched in the path of these keys, which are in the form of
  // AppendDottedKey; nullopt if the path does not match. Matching is lazy: earlier wildcards match
  // as little as possible. Subtracts a step for each character and key examined from `*steps`, and
  // returns nullopt at 0. The texts point into `keys`.
  std::optional<std::vector<Capture>> Captures(absl::Span<const std::string> keys,
                                               uint64_t* steps) const;

  // Returns the keys that the pattern contains literally, without a wildcard.
  std::vector<std::string> LiteralKeys() const;

 private:
  // An element of a segment. A segment is a sequence of pieces, empty for `**` and `''`.
  struct Piece {
    enum Kind : uint8_t { kCharacter, kAnyCharacter, kAnyText } kind;
    char character;
  };
  using Segment = std::vector<Piece>;

  // Parses the segment that begins at `*at`, and moves that to its end: a dot or the pattern's end.
  static absl::StatusOr<Segment> ParseSegment(absl::string_view pattern, size_t* at);
  bool IsAnyDepth(size_t segment) const { return (any_depth_ >> segment & 1) != 0; }

  // Adds the states reached without a key, since `**` may match zero keys.
  States Close(States states) const { return states | ((states & any_depth_) << 1); }
  // Returns whether a key matches. Stores in `*starts`, unless null, the position in the key where
  // each piece begins. Subtracts from `*steps`, unless null, and returns false at 0.
  static bool MatchSegment(const Segment& segment, absl::string_view key, uint64_t* steps,
                           std::vector<size_t>* starts);
  // Appends what the wildcards of a segment matched in the path's key with index `number`.
  static void AppendCaptures(const Segment& segment, size_t number, absl::string_view key,
                             std::vector<Capture>* captures);

  std::string text_;
  std::vector<Segment> segments_;
  uint64_t any_depth_ = 0;  // bit i: segment i is `**`; never two in a row
  States accepting_ = 0;    // all segments are matched
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_SELECT_INTERNAL_GLOB_H_
