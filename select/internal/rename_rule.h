// CompiledRename: a parsed rule of a RenameMap (rename_map.h).
#ifndef LEAFSTORE_SELECT_INTERNAL_RENAME_RULE_H_
#define LEAFSTORE_SELECT_INTERNAL_RENAME_RULE_H_

#include <cstddef>
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

struct CompiledRename {
  // Parses a rule. error InvalidArgument: as RenameMap::Create, without the name of the rule.
  static absl::StatusOr<CompiledRename> Parse(absl::string_view pattern,
                                              absl::string_view replacement);

  // Returns the text of the new path for pattern.Captures(path.keys). Subtracts the size of its
  // keys from `*room`.
  // error InvalidArgument: a key would be empty. error ResourceExhausted: no room, or the text
  // exceeds Path::kMaxTextSize.
  absl::StatusOr<std::string> Rename(const PathToRename& path,
                                     absl::Span<const GlobPattern::Capture> captures,
                                     size_t* room) const;

  // Literal text, or a wildcard of the pattern.
  struct Piece {
    std::string text;
    std::optional<size_t> wildcard;
  };
  using Segment = std::vector<Piece>;

  GlobPattern pattern;
  std::vector<GlobPattern::Wildcard> wildcards;
  std::vector<Segment> segments;  // of the replacement
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_SELECT_INTERNAL_RENAME_RULE_H_
