// RenameMap: rules that give leaves new paths, those of another version of a model.
//
//   RenameMap map = RenameMap::Create({{"encoder.*.w", "body.*.weight"},
//                                      {"**.gamma", "**.scale"},
//                                      {"blk_*.attn.*", "blocks.{1}.attention.{2}"}}).value();
//   std::vector<RenamedPath> paths = map.Apply(layout).value();   // renames nothing: a dry run
//   paths[0].from;   // ".encoder[0].w"
//   paths[0].to;     // ".body[0].weight"
//
// A rule is a pattern, which is a glob (filter.h), and what a path that it matches becomes. Rules
// are asked of the whole paths of leaves, never of containers. The first that matches wins, and all
// leaves are renamed at once, so that {{"a", "b"}, {"b", "a"}} exchanges two. A path that no rule
// takes stays as it is; so do aliases, which are names of leaves and none themselves.
//
// A replacement is in dotted form, like the pattern, and has the pattern's wildcards again:
//
//   layers.*.w -> blocks.*.weight        the same ones in the same order, all of them;
//   **.l_?.* -> {1}.layer{2}.{3}         or by their numbers, in any order, as often as is wanted;
//   **.lm_head.w -> head.weight          or none, for one leaf wherever it is.
//
// Of several ways to match, a wildcard takes as little as it can, the first ones first. A backslash
// takes the next character literally.
//
// Kinds of keys. Keys that `*` and `**` stand for keep theirs. Any other key is an index if it is
// an integer; else a name, an item or an attribute as the name at its position in the old path was,
// or the last one before it. An integer is an item where it replaces an item that was one. Who
// looks new names up in a model (CheckpointReader::LoadInto) takes them by their dotted form as
// well.
//
// What goes wrong is found out before anything is renamed: two leaves that would have one path, a
// path that would be none, and rules that take no leaf.
//
// Bounds. Rules may come from anywhere: there are limits to their number and length, to the text of
// the new paths, and to the work of matching, beyond which is error ResourceExhausted.
//
// Threads: immutable, cheap to copy; all calls are safe from many threads.
#ifndef LEAFSTORE_SELECT_RENAME_MAP_H_
#define LEAFSTORE_SELECT_RENAME_MAP_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "leafstore/core/path.h"
#include "leafstore/store/layout.h"
#include "leafstore/store/slot_set.h"

namespace leafstore {

struct RenameRule {
  std::string pattern;
  std::string replacement;
};

struct RenameOptions {
  // A rule that takes no leaf is no error.
  bool allow_unused_rules = false;
};

// Canonical texts.
struct RenamedPath {
  std::string from;
  std::string to;
  std::optional<size_t> rule;  // that took it; none where it keeps its path
};

class RenameMap {
 public:
  static constexpr size_t kMaxRules = 10'000;
  // Of a pattern, and of a replacement; in bytes.
  static constexpr size_t kMaxRuleSize = 4096;
  // Characters and keys that may be looked at in one call.
  static constexpr uint64_t kMaxSteps = uint64_t{1} << 30;

  // No rules: every path stays as it is.
  RenameMap();
  // error InvalidArgument: a pattern is no glob, or a replacement is not as above; names the rule,
  // and has the column (1-based, in bytes). error ResourceExhausted: a limit.
  static absl::StatusOr<RenameMap> Create(absl::Span<const RenameRule> rules);

  const std::vector<RenameRule>& rules() const;

  // The new path of each, in the order given. Of a Layout: of each slot, or of some of them. error
  // InvalidArgument: two leaves would have one path (all are named, up to ten); a key would be
  // empty; a rule takes no leaf (unless that is allowed), which is said with what took those that
  // it matches, or with near names. error ResourceExhausted: a limit. O(rules * text).
  absl::StatusOr<std::vector<RenamedPath>> Apply(absl::Span<const Path> paths,
                                                 const RenameOptions& options = {}) const;
  absl::StatusOr<std::vector<RenamedPath>> Apply(const Layout& layout,
                                                 const RenameOptions& options = {}) const;
  absl::StatusOr<std::vector<RenamedPath>> Apply(const Layout& layout, const SlotSet& slots,
                                                 const RenameOptions& options = {}) const;

 private:
  struct Rep;
  explicit RenameMap(std::shared_ptr<const Rep> rep) : rep_(std::move(rep)) {}

  absl::StatusOr<std::vector<RenamedPath>> ApplyTo(size_t count,
                                                   absl::FunctionRef<Path(size_t)> path_at,
                                                   const RenameOptions& options) const;

  std::shared_ptr<const Rep> rep_;
};

}  // namespace leafstore

#endif  // LEAFSTORE_SELECT_RENAME_MAP_H_
