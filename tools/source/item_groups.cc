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

std::vector<NamedFilter> GroupFilters::WithRest() const {
  std::vector<NamedFilter> all;
  for (size_t i = 0; i < names.size(); ++i) all.push_back({names[i], filters[i]});
  all.push_back({std::string(kRestName), Rest()});
  return all;
}

absl::StatusOr<std::optional<ItemGroups>> GroupsOf(const SourceItem& item,
                                                   const GroupFilters& filters) {
  ItemGroups groups;
  if (filters.filters.empty()) {
    if (!item.grouping()) return std::nullopt;
    groups.grouping = *item.grouping();
    groups.saved = true;
    return groups;
  }
  LEAFSTORE_ASSIGN_OR_RETURN(groups.grouping, item.CompileGrouping(filters.WithRest()));
  groups.took_root = groups.grouping.root_group();
  return groups;
}

void PrintTookRoot(const std::string& group, Output* out) {
  out->Write(absl::StrCat("  note: the filter of group '", Printable(group),
                          "' matched the root, and so has every leaf; to match only leaves, "
                          "write 'leaf and (...)'\n"));
}

}  // namespace leafstore::tools
