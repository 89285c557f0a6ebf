#include "leafstore/select/rename_map.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/select/internal/glob_suggestions.h"
#include "leafstore/select/internal/rename_rule.h"
#include "leafstore/treedef/internal/path_table.h"

namespace leafstore {

using internal::CompiledRename;
using internal::PathToRename;

struct RenameMap::Rep {
  std::vector<RenameRule> rules;
  std::vector<CompiledRename> compiled;
};

namespace {

constexpr size_t kMostNamed = 10;

// New paths may have kMaxText bytes together plus kMaxTextPerPath each, as in a PathTable.
constexpr size_t kMaxText = size_t{64} << 20;
constexpr size_t kMaxTextPerPath = 256;

std::string ForMessage(absl::string_view text) {
  constexpr size_t kHalf = 200;
  if (text.empty()) return "(root)";
  if (text.size() <= 2 * kHalf) return absl::StrCat("'", text, "'");
  return absl::StrCat("'", text.substr(0, kHalf), "...", text.substr(text.size() - kHalf), "'");
}

std::string RuleForMessage(const RenameRule& rule, size_t number) {
  return absl::StrCat("rename ", number, " ('", rule.pattern, "' -> '", rule.replacement, "')");
}

std::string TakenBy(const std::optional<size_t>& rule) {
  return rule ? absl::StrCat("by rename ", *rule) : "as it is";
}

absl::Status TooMuchWork() {
  return absl::ResourceExhaustedError(absl::StrCat("renames: expected rules that match within ",
                                                   RenameMap::kMaxSteps,
                                                   " steps, found longer patterns or paths"));
}

// Computes new paths, one at a time.
class Renamer {
 public:
  Renamer(absl::Span<const RenameRule> rules, absl::Span<const CompiledRename> compiled,
          size_t count)
      : rules_(rules),
        compiled_(compiled),
        used_(rules.size()),
        room_(kMaxText + kMaxTextPerPath * count) {}

  absl::StatusOr<RenamedPath> Rename(PathToRename path) {
    RenamedPath renamed{path.path.ToString(), {}, std::nullopt};
    for (size_t rule = 0; rule < compiled_.size(); ++rule) {
      const auto captures = compiled_[rule].Match(path, &budget_);
      if (budget_.steps == 0) return TooMuchWork();
      if (!captures) continue;
      const absl::StatusOr<Path> to = compiled_[rule].Rename(path, *captures, &room_);
      if (!to.ok()) {
        return absl::Status(to.status().code(),
                            absl::StrCat(RuleForMessage(rules_[rule], rule), ", of ",
                                         ForMessage(renamed.from), ": ", to.status().message()));
      }
      used_[rule] = true;
      renamed.rule = rule;
      renamed.to = to->ToString();
      return renamed;
    }
    renamed.to = renamed.from;
    return renamed;
  }

  bool used(size_t rule) const { return used_[rule]; }
  // Returns whether an unused rule matches a path. Consumes the same budget.
  bool Matches(size_t rule, absl::Span<const std::string> keys) {
    return compiled_[rule].pattern().Captures(keys, &budget_).has_value();
  }

 private:
  absl::Span<const RenameRule> rules_;
  absl::Span<const CompiledRename> compiled_;
  std::vector<bool> used_;
  size_t room_;
  MatchBudget budget_{RenameMap::kMaxSteps};
};

absl::Status CheckOneToOne(absl::Span<const RenamedPath> paths) {
  absl::flat_hash_map<absl::string_view, size_t> by_target;
  size_t count = 0;
  std::string text;
  for (size_t i = 0; i < paths.size(); ++i) {
    const auto [first, is_new] = by_target.try_emplace(paths[i].to, i);
    if (is_new || ++count > kMostNamed) continue;
    const RenamedPath& other = paths[first->second];
    absl::StrAppend(&text, "\n  ", ForMessage(other.from), " (", TakenBy(other.rule), ") and ",
                    ForMessage(paths[i].from), " (", TakenBy(paths[i].rule), ") would both be ",
                    ForMessage(paths[i].to));
  }
  if (count == 0) return absl::OkStatus();
  if (count > kMostNamed) absl::StrAppend(&text, "\n  and ", count - kMostNamed, " more");
  return absl::InvalidArgumentError(
      absl::StrCat("renames: expected a path of its own for each leaf:", text));
}

// Determines what unused rules match, one path after another.
class UnusedRules {
 public:
  UnusedRules(absl::Span<const RenameRule> rules, absl::Span<const CompiledRename> compiled,
              Renamer* renamer)
      : rules_(rules), compiled_(compiled), renamer_(*renamer) {
    for (size_t rule = 0; rule < rules.size(); ++rule) {
      if (renamer->used(rule)) continue;
      if (named_.size() < kMostNamed) named_.push_back({rule, ""});
      ++count_;
    }
  }

  bool empty() const { return count_ == 0; }

  void Ask(const PathToRename& path, const RenamedPath& renamed) {
    names_.Add(path.path);
    for (auto& [rule, why] : named_) {
      if (!why.empty()) continue;
      if (renamer_.Matches(rule, path.keys)) {
        why = absl::StrCat(" takes no leaf: ", ForMessage(renamed.from), " is taken ",
                           TakenBy(renamed.rule), " before it");
      } else if (MatchesAbove(rule, path)) {
        why = absl::StrCat(" matches no leaf, but a node above ", ForMessage(renamed.from),
                           "; to take all that is below it, end both with `.**`");
      }
    }
  }

  absl::Status ToStatus() const {
    std::string text;
    for (const auto& [rule, why] : named_) {
      absl::StrAppend(&text, "\n  ", RuleForMessage(rules_[rule], rule),
                      why.empty() ? " matches no leaf" : why,
                      why.empty() ? names_.DidYouMean(compiled_[rule].pattern()) : "");
    }
    if (count_ > named_.size()) absl::StrAppend(&text, "\n  and ", count_ - named_.size(), " more");
    return absl::InvalidArgumentError(absl::StrCat(
        "renames: expected every rule to take a leaf, found ", count_, " that took none:", text));
  }

 private:
  bool MatchesAbove(size_t rule, const PathToRename& path) const {
    constexpr size_t kDepth = 64;  // deeper than any practical rule
    for (size_t size = 1; size < std::min(path.keys.size(), kDepth); ++size) {
      if (renamer_.Matches(rule, absl::MakeConstSpan(path.keys).first(size))) return true;
    }
    return false;
  }

  absl::Span<const RenameRule> rules_;
  absl::Span<const CompiledRename> compiled_;
  Renamer& renamer_;
  std::vector<std::pair<size_t, std::string>> named_;  // rules, and why each is unused
  size_t count_ = 0;
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
    absl::StatusOr<CompiledRename> compiled = CompiledRename::Parse(rule.pattern, rule.replacement);
    if (!compiled.ok()) {
      return absl::Status(compiled.status().code(),
                          absl::StrCat("rename ", number, ": ", compiled.status().message()));
    }
    rep->compiled.push_back(*std::move(compiled));
  }
  rep->rules.assign(rules.begin(), rules.end());
  return RenameMap(std::move(rep));
}

const std::vector<RenameRule>& RenameMap::rules() const { return rep_->rules; }

absl::StatusOr<std::vector<RenamedPath>> RenameMap::ApplyTo(size_t count,
                                                            absl::FunctionRef<Path(size_t)> path_at,
                                                            const RenameOptions& options) const {
  Renamer renamer(rep_->rules, rep_->compiled, count);
  std::vector<RenamedPath> paths;
  paths.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    LEAFSTORE_ASSIGN_OR_RETURN(RenamedPath path, renamer.Rename(PathToRename(path_at(i))));
    if (path.to.size() > Path::kMaxTextSize) {  // it could not be parsed again
      return absl::ResourceExhaustedError(
          absl::StrCat(RuleForMessage(rep_->rules[path.rule.value_or(0)], path.rule.value_or(0)),
                       ", of ", ForMessage(path.from), ": expected a path of at most ",
                       Path::kMaxTextSize, " bytes, found ", path.to.size()));
    }
    paths.push_back(std::move(path));
  }
  LEAFSTORE_RETURN_IF_ERROR(CheckOneToOne(paths));
  UnusedRules unused(rep_->rules, rep_->compiled, &renamer);
  if (options.allow_unused_rules || unused.empty()) return paths;
  for (size_t i = 0; i < count; ++i) unused.Ask(PathToRename(path_at(i)), paths[i]);
  return unused.ToStatus();
}

absl::StatusOr<std::vector<RenamedPath>> RenameMap::Apply(absl::Span<const Path> paths,
                                                          const RenameOptions& options) const {
  return ApplyTo(
      paths.size(), [&](size_t i) { return paths[i]; }, options);
}

absl::StatusOr<std::vector<RenamedPath>> RenameMap::Apply(const Layout& layout,
                                                          const RenameOptions& options) const {
  return Apply(layout, SlotSet::All(layout.size()), options);
}

absl::StatusOr<std::vector<RenamedPath>> RenameMap::Apply(const Layout& layout,
                                                          const SlotSet& slots,
                                                          const RenameOptions& options) const {
  if (layout.has_def()) {
    // Checks the limit on the text of all paths without printing any.
    LEAFSTORE_ASSIGN_OR_RETURN(const TreeDef def, layout.def());
    LEAFSTORE_RETURN_IF_ERROR(internal::PathsOf(def).status());
  }
  return ApplyTo(
      slots.size(), [&](size_t i) { return layout.PathOf(slots.SlotAt(static_cast<uint32_t>(i))); },
      options);
}

}  // namespace leafstore
