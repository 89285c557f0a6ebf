// GlobPattern: a dotted pattern that is matched key by key while walking down a tree.
//
//   GlobPattern glob = GlobPattern::Parse("layers.*.attn.**").value();
//   GlobPattern::States states = glob.start();                       // at the root
//   states = glob.Step(states, glob.MatchingSegments("layers"));     // one key down
//   glob.Accepts(states);                                            // does it match here?
//
//   MatchBudget budget{1'000'000};                                   // or path by path:
//   glob.Captures({"layers", "0", "attn", "w"}, &budget);            // "0"; keys 3 and on
//
// The pattern is a small automaton: state i means that the first i segments are used up; a set of
// states is the bits of one word. So a step costs a few instructions, and which segments a key
// matches can be remembered for every key that occurs often.
//
// Syntax: filter.h. Threads: immutable.
#ifndef LEAFSTORE_SELECT_GLOB_H_
#define LEAFSTORE_SELECT_GLOB_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "leafstore/core/path.h"

namespace leafstore {

// How much work may still be done; a step is a character or a key that is looked at.
struct MatchBudget {
  uint64_t steps = 0;

  bool Take() {
    if (steps == 0) return false;
    --steps;
    return true;
  }
};

class GlobPattern {
 public:
  using States = uint64_t;
  static constexpr size_t kMaxSegments = 63;

  // error InvalidArgument: no pattern, an empty segment, `**` beside other characters, `[` or `]`
  // (positions are written in dotted form), `{` or `}` (there are no alternatives), a backslash at
  // the end, more than kMaxSegments segments; the message has the column (1-based, in bytes).
  static absl::StatusOr<GlobPattern> Parse(absl::string_view pattern);

  const std::string& text() const { return text_; }

  // The states at the root, before any key.
  States start() const { return Close(1); }
  // Bit i: segment i matches this key. O(length of the key * length of the pattern).
  uint64_t MatchingSegments(absl::string_view key) const;
  // The same for any number as the key, where all have the same answer: most patterns tell names
  // apart and not numbers. nullopt: some segment does (`7`, `1*`, `?`).
  std::optional<uint64_t> MatchingSegmentsOfNumbers() const { return of_numbers_; }
  // The states one key down.
  States Step(States states, uint64_t matching_segments) const {
    return Close((states & any_depth_) | ((states & matching_segments & ~any_depth_) << 1));
  }
  // The path so far matches where it is in one of these states.
  States accepting() const { return accepting_; }
  bool Accepts(States states) const { return (states & accepting_) != 0; }

  // Whether the whole path matches. O(length of the path * length of the pattern).
  bool Matches(const Path& path) const;
  // Returns whether the whole path matches, or a path that it begins with. As costly as Matches.
  bool MatchesAtOrAbove(const Path& path) const;

  // `?` and `*` inside a key; `*` alone between dots; `**`.
  enum class Wildcard : uint8_t { kCharacter, kText, kKey, kKeys };
  // Those of the pattern, in order; `**` right after `**` is one with it.
  std::vector<Wildcard> wildcards() const;
  // What a wildcard stands for in a path: keys; of one that is not `**`, the text in the one key.
  struct Capture {
    size_t first_key = 0;
    size_t key_count = 0;
    absl::string_view text;
  };
  // For each wildcard, what it stands for in the path of these keys, each as AppendDottedKey has
  // it; no value where the path does not match. Where there are several ways, a wildcard takes as
  // little as it can, the first ones first. Takes its steps of `*budget`, and where there are none
  // left, gives up as if the path did not match. Texts are parts of `keys`.
  std::optional<std::vector<Capture>> Captures(absl::Span<const std::string> keys,
                                               MatchBudget* budget) const;

  // The keys that the pattern names in full, without a wildcard.
  std::vector<std::string> LiteralKeys() const;

 private:
  // One segment: a sequence of literal characters and wildcards; empty for `**`.
  struct Piece {
    enum Kind : uint8_t { kCharacter, kAnyCharacter, kAnyText } kind;
    char character;
  };
  using Segment = std::vector<Piece>;

  bool MatchesKeys(const Path& path, bool or_above) const;
  bool IsAnyDepth(size_t segment) const { return (any_depth_ >> segment & 1) != 0; }
  std::optional<uint64_t> FindSegmentsOfNumbers() const;

  // Also the states that are reached without a key, since `**` may be none.
  States Close(States states) const { return states | ((states & any_depth_) << 1); }
  // Whether a key matches. Into `*starts`, unless null, go by piece the positions in the key where
  // each begins.
  static bool MatchSegment(const Segment& segment, absl::string_view key, MatchBudget* budget,
                           std::vector<size_t>* starts);
  // Appends what the wildcards of a segment stand for in the key that it matches.
  static void AppendCaptures(const Segment& segment, size_t number, absl::string_view key,
                             std::vector<Capture>* captures);

  std::string text_;
  std::vector<Segment> segments_;
  uint64_t any_depth_ = 0;  // bit i: segment i is `**`; never two in a row
  States accepting_ = 0;    // all segments are used up
  std::optional<uint64_t> of_numbers_;
};

}  // namespace leafstore

#endif  // LEAFSTORE_SELECT_GLOB_H_
