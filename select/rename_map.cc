#include "leafstore/select/rename_map.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

#include "leafstore/core/error_reason.h"
#include "leafstore/core/internal/hash_tables.h"
#include "leafstore/core/internal/quoted_path.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/select/internal/glob_suggestions.h"
#include "leafstore/select/internal/rename_rule.h"
#include "leafstore/treedef/internal/path_cursor.h"
#include "leafstore/treedef/internal/path_table.h"

namespace leafstore {

using internal::CompiledRename;
using internal::PathToRename;

struct RenameMap::Rep {
  std::vector<RenameRule> rules;
  std::vector<CompiledRename> compiled;
};

namespace {

constexpr size_t kMaxNamed = 10;

std::string ForMessage(absl::string_view text) {
  constexpr size_t kHalf = 200;
  if (text.empty()) return "(root)";
  if (text.size() <= 2 * kHalf) return internal::QuotedPath(text);
  return absl::StrCat("'", text.substr(0, kHalf), "...", text.substr(text.size() - kHalf), "'");
}

std::string RenamedBy(const std::optional<size_t>& rule) {
  return rule ? absl::StrCat("by rename ", *rule) : "unchanged";
}

absl::Status CheckOneToOne(absl::Span<const RenamedPath> paths) {
  internal::HashMap<absl::string_view, size_t> by_target;
  size_t count = 0;
  std::string text;
  for (size_t i = 0; i < paths.size(); ++i) {
    const auto [first, is_new] = by_target.try_emplace(paths[i].to, i);
    if (is_new || ++count > kMaxNamed) continue;
    const RenamedPath& other = paths[first->second];
    absl::StrAppend(&text, "\n  ", ForMessage(other.from), " (", RenamedBy(other.rule), ") and ",
                    ForMessage(paths[i].from), " (", RenamedBy(paths[i].rule), ") would both be ",
                    ForMessage(paths[i].to));
  }
  if (count == 0) return absl::OkStatus();
  if (count > kMaxNamed) absl::StrAppend(&text, "\n  and ", count - kMaxNamed, " more");
  return absl::InvalidArgumentError(
      absl::StrCat("renames: expected a different new path for each leaf:", text));
}

// Computes new paths, one at a time, and then explains why rules were not used.
class Renamer {
 public:
  Renamer(absl::Span<const RenameRule> rules, absl::Span<const CompiledRename> compiled,
          size_t count)
      : rules_(rules),
        compiled_(compiled),
        used_(rules.size()),
        room_(internal::MaxTotalText(count)) {}

  absl::StatusOr<RenamedPath> Rename(const PathToRename& path) {
    const std::string from = path.path.ToString();
    for (size_t rule = 0; rule < compiled_.size(); ++rule) {
      const auto captures = compiled_[rule].pattern.Captures(path.keys, &steps_);
      if (steps_ == 0) {
        return absl::ResourceExhaustedError(
            absl::StrCat("renames: expected rules that match within ", RenameMap::kMaxSteps,
                         " steps, found longer patterns or paths"));
      }
      if (!captures) continue;
      absl::StatusOr<std::string> to = compiled_[rule].Rename(path, *captures, &room_);
      if (!to.ok()) {
        return WithContext(to.status(),
                           absl::StrCat(RuleForMessage(rule), ", of ", ForMessage(from)));
      }
      used_[rule] = true;
      return RenamedPath{from, *std::move(to), rule};
    }
    return RenamedPath{from, from, std::nullopt};
  }

  // Finds the unused rules, if any. Explain must then be called with each path.
  bool AllUsed() {
    for (size_t rule = 0; rule < rules_.size(); ++rule) {
      if (used_[rule]) continue;
      if (unused_.size() < kMaxNamed) unused_.push_back({rule, ""});
      ++unused_count_;
    }
    return unused_count_ == 0;
  }

  void Explain(const PathToRename& path, const RenamedPath& renamed) {
    names_.Add(path.path);
    for (auto& [rule, why] : unused_) {
      if (!why.empty()) continue;
      if (compiled_[rule].pattern.Captures(path.keys, &steps_)) {
        why = absl::StrCat(" matches ", ForMessage(renamed.from), ", which is renamed ",
                           RenamedBy(renamed.rule), " before");
      } else if (MatchesAbove(rule, path.keys)) {
        why = absl::StrCat(" matches no leaf, but a node above ", ForMessage(renamed.from),
                           "; to rename all leaves below it, end both with `.**`");
      }
    }
  }

  absl::Status UnusedError() const {
    std::string text;
    for (const auto& [rule, why] : unused_) {
      absl::StrAppend(&text, "\n  ", RuleForMessage(rule), why.empty() ? " matches no leaf" : why,
                      why.empty() ? names_.DidYouMean(compiled_[rule].pattern) : "");
    }
    if (unused_count_ > unused_.size()) {
      absl::StrAppend(&text, "\n  and ", unused_count_ - unused_.size(), " more");
    }
    return absl::InvalidArgumentError(absl::StrCat(
        "renames: expected every rule to rename a leaf, found ", unused_count_, " unused:", text));
  }

 private:
  std::string RuleForMessage(size_t rule) const {
    return absl::StrCat("rename ", rule, " ('", rules_[rule].pattern, "' -> '",
                        rules_[rule].replacement, "')");
  }

  bool MatchesAbove(size_t rule, absl::Span<const std::string> keys) {
    constexpr size_t kDepth = 64;  // deeper than any practical rule
    for (size_t size = 1; size < std::min(keys.size(), kDepth); ++size) {
      if (compiled_[rule].pattern.Captures(keys.first(size), &steps_)) return true;
    }
    return false;
  }

  absl::Span<const RenameRule> rules_;
  absl::Span<const CompiledRename> compiled_;
  std::vector<bool> used_;
  size_t room_;
  uint64_t steps_ = RenameMap::kMaxSteps;
  std::vector<std::pair<size_t, std::string>> unused_;  // rules, and why each is unused
  size_t unused_count_ = 0;
  internal::GlobSuggestions names_;
};

}  // namespace

RenameMap::RenameMap() : rep_(std::make_shared<const Rep>()) {}

absl::StatusOr<RenameMap> RenameMap::Create(absl::Span<const RenameRule> rules) {
  if (rules.size() > kMaxRules) {
    return absl::ResourceExhaustedError(
        absl::StrCat("renames: expected at most ", kMaxRules, " rules, found ", rules.size()));
  }
  auto rep = std::make_shared<Rep>();
  for (size_t number = 0; number < rules.size(); ++number) {
    const RenameRule& rule = rules[number];
    const size_t size = std::max(rule.pattern.size(), rule.replacement.size());
    if (size > kMaxRuleSize) {
      return absl::ResourceExhaustedError(absl::StrCat("rename ", number, ": expected at most ",
                                                       kMaxRuleSize, " bytes, found ", size));
    }
    LEAFSTORE_ASSIGN_OR_RETURN(CompiledRename compiled,
                               WithContext(CompiledRename::Parse(rule.pattern, rule.replacement),
                                           absl::StrCat("rename ", number)));
    rep->compiled.push_back(std::move(compiled));
  }
  rep->rules.assign(rules.begin(), rules.end());
  return RenameMap(std::move(rep));
}

const std::vector<RenameRule>& RenameMap::rules() const { return rep_->rules; }

absl::StatusOr<std::vector<RenamedPath>> RenameMap::Apply(const LeafSpecs& leaves,
                                                          bool allow_unused_rules) const {
  if (leaves.layout().has_def()) {
    // Checks the limit on the text of all paths without printing any.
    LEAFSTORE_ASSIGN_OR_RETURN(const TreeDef def, leaves.layout().def());
    LEAFSTORE_RETURN_IF_ERROR(internal::PathsOf(def).status());
  }
  const auto path_at = [&](uint32_t place) {
    return PathToRename(leaves.layout().PathOf(leaves.slot(place)));
  };
  Renamer renamer(rep_->rules, rep_->compiled, leaves.size());
  std::vector<RenamedPath> paths;
  paths.reserve(leaves.size());
  for (uint32_t place = 0; place < leaves.size(); ++place) {
    LEAFSTORE_ASSIGN_OR_RETURN(RenamedPath path, renamer.Rename(path_at(place)));
    paths.push_back(std::move(path));
  }
  LEAFSTORE_RETURN_IF_ERROR(CheckOneToOne(paths));
  if (allow_unused_rules || renamer.AllUsed()) return paths;
  for (uint32_t place = 0; place < leaves.size(); ++place) {
    renamer.Explain(path_at(place), paths[place]);
  }
  return renamer.UnusedError();
}

}  // namespace leafstore
