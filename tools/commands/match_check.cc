#include "leafstore/tools/commands/match_check.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/select/internal/glob_suggestions.h"
#include "leafstore/tools/commands/command.h"
#include "leafstore/tools/source/item_rows.h"

namespace leafstore::tools {
namespace {

bool TakesRows(const SourceItem& item, const GlobPattern& glob) {
  const absl::StatusOr<ItemRows> rows = ItemRows::Create(item, {{glob}, std::nullopt});
  return rows.ok() && !rows->rows().empty();
}

bool TakesLeaves(const SourceItem& item, const GlobPattern& glob) {
  const absl::StatusOr<ItemRows> rows = ItemRows::Create(item, {{glob}, std::nullopt});
  return rows.ok() && !rows->places().empty();
}

// `why`: of a glob that takes nothing.
template <typename Takes, typename Why>
absl::Status CheckGlobs(absl::Span<const SourceItem* const> items,
                        const std::vector<GlobPattern>& globs, absl::string_view option,
                        Takes takes, Why why) {
  std::vector<std::string> wrong;
  for (const GlobPattern& glob : globs) {
    if (std::any_of(items.begin(), items.end(),
                    [&](const SourceItem* item) { return takes(*item, glob); })) {
      continue;
    }
    wrong.push_back(absl::StrCat(option, " '", glob.text(), "' takes no leaf", why(glob)));
  }
  if (wrong.empty()) return absl::OkStatus();
  return UsageErrors(absl::StrJoin(wrong, "\n"));
}

// How many leaves of the items the groups of a plan of these filters get.
absl::StatusOr<std::vector<uint64_t>> CountTaken(absl::Span<const SourceItem* const> items,
                                                 const std::vector<Filter>& filters) {
  std::vector<uint64_t> counts(filters.size());
  for (const SourceItem* item : items) {
    LEAFSTORE_ASSIGN_OR_RETURN(const PartitionPlan plan, item->CompilePlan(filters));
    for (size_t i = 0; i < counts.size(); ++i) counts[i] += plan.group_slots(i).size();
  }
  return counts;
}

// Why a filter takes nothing.
absl::StatusOr<std::string> WhyNone(absl::Span<const SourceItem* const> items,
                                    const Filter& filter) {
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<uint64_t> alone, CountTaken(items, {filter}));
  if (alone[0] > 0) return std::string(" (other groups take what it matches)");
  const absl::StatusOr<GlobPattern> glob = GlobPattern::Parse(filter.ToString());
  return glob.ok() ? NearGlob(items, *glob) : "";
}

}  // namespace

std::string NearGlob(absl::Span<const SourceItem* const> items, const GlobPattern& glob) {
  for (const SourceItem* item : items) {
    internal::GlobSuggestions names;
    if (const absl::StatusOr<TreeDef> def = item->layout().def(); def.ok()) {
      names = internal::GlobSuggestions::Of(*def);
    } else {
      for (uint32_t place = 0; place < item->size(); ++place) {
        names.Add(item->layout().PathOf(item->slots().SlotAt(place)));
      }
    }
    std::string near = names.DidYouMean(glob);
    if (!near.empty()) return near;
  }
  return "";
}

absl::Status CheckMatch(absl::Span<const SourceItem* const> items,
                        const std::vector<GlobPattern>& globs, absl::string_view option) {
  return CheckGlobs(items, globs, option, TakesRows,
                    [items](const GlobPattern& glob) { return NearGlob(items, glob); });
}

absl::Status CheckMatchLeaves(absl::Span<const SourceItem* const> items,
                              const std::vector<GlobPattern>& globs) {
  return CheckGlobs(items, globs, "--match", TakesLeaves, [items](const GlobPattern& glob) {
    const bool tied = std::any_of(items.begin(), items.end(), [&glob](const SourceItem* item) {
      return TakesRows(*item, glob);
    });
    return tied ? std::string(", but what is tied to one; take that by its own path")
                : NearGlob(items, glob);
  });
}

absl::Status CheckGroups(absl::Span<const SourceItem* const> items, const GroupFilters& groups,
                         bool must_take) {
  if (groups.filters.empty()) return absl::OkStatus();
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<uint64_t> taken, CountTaken(items, groups.filters));
  std::vector<std::string> wrong;
  for (size_t i = 0; i < taken.size(); ++i) {
    if (taken[i] > 0) continue;
    if (!must_take) {
      LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<uint64_t> alone,
                                 CountTaken(items, {groups.filters[i]}));
      if (alone[0] > 0) continue;
    }
    LEAFSTORE_ASSIGN_OR_RETURN(const std::string why, WhyNone(items, groups.filters[i]));
    wrong.push_back(absl::StrCat("--group takes no leaf: ", groups.names[i], "=",
                                 groups.filters[i].ToString(), why));
  }
  if (wrong.empty()) return absl::OkStatus();
  return UsageErrors(absl::StrJoin(wrong, "\n"));
}

}  // namespace leafstore::tools
