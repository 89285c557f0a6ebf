// One rule of a RenameMap (rename_map.h), read and ready for use. For the library alone.
#ifndef LEAFSTORE_SELECT_INTERNAL_RENAME_RULE_H_
#define LEAFSTORE_SELECT_INTERNAL_RENAME_RULE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "leafstore/core/key.h"
#include "leafstore/core/path.h"
#include "leafstore/select/glob.h"

namespace leafstore::internal {

// A path with what is asked of it again and again.
struct PathToRename {
  explicit PathToRename(Path of);

  Path path;
  std::vector<std::string> keys;  // each as AppendDottedKey has it
  std::vector<KeyKind> names;     // by key, the kind of the last name up to it
};

class CompiledRename {
 public:
  // error InvalidArgument: as RenameMap::Create; the rule is not named.
  static absl::StatusOr<CompiledRename> Parse(absl::string_view pattern,
                                              absl::string_view replacement);

  const GlobPattern& pattern() const { return pattern_; }

  // What wildcards stand for in a path, if the rule takes it.
  std::optional<std::vector<GlobPattern::Capture>> Match(const PathToRename& path,
                                                         MatchBudget* budget) const {
    return pattern_.Captures(path.keys, budget);
  }
  // The new path, of what Match gave. Takes the size of its keys of `*room`. error InvalidArgument:
  // a key would be empty. error ResourceExhausted: no room.
  absl::StatusOr<Path> Rename(const PathToRename& path,
                              absl::Span<const GlobPattern::Capture> captures, size_t* room) const;

 private:
  friend class ReplacementParser;

  // Text, or what a wildcard stands for.
  struct Piece {
    std::string text;
    std::optional<size_t> wildcard;
  };
  using Segment = std::vector<Piece>;

  bool IsWhole(const Segment& segment, GlobPattern::Wildcard wildcard) const {
    return segment.size() == 1 && segment[0].wildcard &&
           wildcards_[*segment[0].wildcard] == wildcard;
  }

  GlobPattern pattern_;
  std::vector<GlobPattern::Wildcard> wildcards_;
  std::vector<Segment> segments_;
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_SELECT_INTERNAL_RENAME_RULE_H_
