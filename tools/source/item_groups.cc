#include "leafstore/tools/source/item_groups.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "leafstore/core/internal/utf8.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/tools/present/errors.h"
#include "leafstore/tools/present/text.h"

namespace leafstore::tools {

absl::StatusOr<GroupFilters> GroupFilters::Parse(const std::vector<std::string>& texts) {
  GroupFilters parsed;
  for (const std::string& text : texts) {
    const auto wrong = [&text](absl::string_view what) {
      return UsageError(absl::StrCat("--group '", text, "': ", what));
    };
    const size_t equals = text.find('=');
    if (equals == std::string::npos) return wrong("expected NAME=FILTER, found no '='");
    const std::string name = text.substr(0, equals);
    if (name.empty() || !internal::IsValidUtf8(name))
      return wrong("expected a name in UTF-8 before the '='");
    if (name == kRestName) {
      return wrong("expected another name: 'rest' is the group of leaves that no filter matches");
    }
    if (std::find(parsed.names.begin(), parsed.names.end(), name) != parsed.names.end()) {
      return wrong("expected a new name, found that of another group");
    }
    absl::StatusOr<Filter> filter = Filter::Parse(absl::string_view(text).substr(equals + 1));
    if (!filter.ok()) return wrong(filter.status().message());
    parsed.names.push_back(name);
    parsed.filters.push_back(*std::move(filter));
  }
  return parsed;
}

absl::StatusOr<std::optional<ItemGroups>> GroupsOf(const SourceItem& item,
                                                   const GroupFilters& filters) {
  ItemGroups groups;
  if (filters.filters.empty()) {
    if (!item.labels()) return std::nullopt;
    groups.labels = *item.labels();
    groups.saved = true;
    return groups;
  }
  LEAFSTORE_ASSIGN_OR_RETURN(const PartitionPlan plan, item.CompilePlan(filters.filters));
  std::vector<std::string> names = filters.names;
  names.emplace_back(kRestName);
  LEAFSTORE_ASSIGN_OR_RETURN(groups.labels, Labels::Create(item.layout(), plan, std::move(names)));
  groups.took_root = plan.root_filter();
  return groups;
}

void PrintTookRoot(const std::string& group, Output* out) {
  out->Write(absl::StrCat("  note: the filter of group '", Printable(group),
                          "' matched the root, and so has every leaf; to match only leaves, "
                          "write 'leaf and (...)'\n"));
}

}  // namespace leafstore::tools
