// RenameMap: rules that rename the paths of leaves, for example to those of another model version.
//
//   RenameMap map = RenameMap::Create({{"encoder.*.w", "body.*.weight"},
//                                      {"**.gamma", "**.scale"},
//                                      {"blk_*.attn.*", "blocks.{1}.attention.{2}"}}).value();
//   std::vector<RenamedPath> paths = map.Apply(layout).value();   // computes new paths only
//   paths[0].from;   // ".encoder[0].w"
//   paths[0].to;     // ".body[0].weight"
//
// A rule is a pattern, which is a glob (filter.h), and a replacement. Rules match the full paths of
// leaves, never of containers. The first rule that matches applies, and all leaves are renamed at
// once, so {{"a", "b"}, {"b", "a"}} swaps two. Paths that no rule matches stay unchanged, as do
// aliases, which are not leaves.
//
// A replacement is in dotted form, like the pattern, and refers to the pattern's wildcards:
//
//   layers.*.w -> blocks.*.weight        by repeating all of them in the same order;
//   **.l_?.* -> {1}.layer{2}.{3}         by index (from 1), in any order, any number of times;
//   **.lm_head.w -> head.weight          or not at all, for one leaf at any depth.
//
// Matching is lazy: earlier wildcards match as little as possible. A backslash makes the next
// character literal; `''`, alone between dots, is an empty key. Keys matched by `*` and `**` keep
// their kind. Another integer key becomes an index, or an item if it replaces an integer item.
// Another name becomes an item or an attribute, like the name at the same position of the old path,
// or else like the last name before it. LoadInto also matches new paths by dotted form.
//
// Rules may be untrusted: their count and length, the text of the new paths, and the work of
// matching are limited.
//
// Threads: immutable, cheap to copy; all calls are thread-safe.
#ifndef LEAFSTORE_SELECT_RENAME_MAP_H_
#define LEAFSTORE_SELECT_RENAME_MAP_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "leafstore/store/leaf_specs.h"

namespace leafstore {

struct RenameRule {
  std::string pattern;
  std::string replacement;
};

// The old and the new path, in canonical form.
struct RenamedPath {
  std::string from;
  std::string to;
  std::optional<size_t> rule;  // the index of the rule applied; none: unchanged
};

class RenameMap {
 public:
  static constexpr size_t kMaxRules = 10'000;
  // The limit of a pattern and of a replacement, in bytes.
  static constexpr size_t kMaxRuleSize = 4096;
  // The limit of characters and keys that one call examines.
  static constexpr uint64_t kMaxSteps = uint64_t{1} << 30;

  // Creates a map without rules, which leaves every path unchanged.
  RenameMap();
  // Creates a map of these rules. error InvalidArgument: a bad pattern or replacement; names the
  // rule and the column (1-based, in bytes). error ResourceExhausted: over a limit.
  static absl::StatusOr<RenameMap> Create(absl::Span<const RenameRule> rules);

  const std::vector<RenameRule>& rules() const;

  // Returns the new path of each leaf, by place. error InvalidArgument: two leaves would have the
  // same path (names up to ten); a key would be empty; a rule applies to no leaf (unless allowed),
  // with the rules that took precedence or with suggestions. error ResourceExhausted: over a limit.
  // O(rules * text).
  absl::StatusOr<std::vector<RenamedPath>> Apply(const LeafSpecs& leaves,
                                                 bool allow_unused_rules = false) const;

 private:
  struct Rep;
  explicit RenameMap(std::shared_ptr<const Rep> rep) : rep_(std::move(rep)) {}

  std::shared_ptr<const Rep> rep_;
};

}  // namespace leafstore

#endif  // LEAFSTORE_SELECT_RENAME_MAP_H_
