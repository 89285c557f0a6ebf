// CompiledRename: a parsed rule of a RenameMap (rename_map.h).
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
#include "leafstore/select/internal/glob.h"

namespace leafstore::internal {

// A path with cached properties.
struct PathToRename {
  explicit PathToRename(Path of);

  Path path;
  std::vector<std::string> keys;  // in the form of AppendDottedKey
  std::vector<KeyKind> names;     // by key, the kind of the last name at or before it
};

class CompiledRename {
 public:
  // Parses a rule. error InvalidArgument: as RenameMap::Create, without the name of the rule.
  static absl::StatusOr<CompiledRename> Parse(absl::string_view pattern,
                                              absl::string_view replacement);

  const GlobPattern& pattern() const { return pattern_; }

  // Returns the new path for pattern().Captures(path.keys). Subtracts the size of its keys from
  // `*room`.
  // error InvalidArgument: a key would be empty. error ResourceExhausted: no room.
  absl::StatusOr<Path> Rename(const PathToRename& path,
                              absl::Span<const GlobPattern::Capture> captures, size_t* room) const;

 private:
  friend class ReplacementParser;

  // Literal text, or a wildcard.
  struct Piece {
    std::string text;
    std::optional<size_t> wildcard;
  };
  using Segment = std::vector<Piece>;

  bool IsAlone(const Segment& segment, GlobPattern::Wildcard wildcard) const {
    return segment.size() == 1 && segment[0].wildcard &&
           wildcards_[*segment[0].wildcard] == wildcard;
  }

  GlobPattern pattern_;
  std::vector<GlobPattern::Wildcard> wildcards_;
  std::vector<Segment> segments_;
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_SELECT_INTERNAL_RENAME_RULE_H_
