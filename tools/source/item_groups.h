// The groups of an item: the saved ones, or those of the filters on the command line.
#ifndef LEAFSTORE_TOOLS_SOURCE_ITEM_GROUPS_H_
#define LEAFSTORE_TOOLS_SOURCE_ITEM_GROUPS_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "leafstore/select/filter.h"
#include "leafstore/select/grouping.h"
#include "leafstore/tools/present/output.h"
#include "leafstore/tools/source/source.h"

namespace leafstore::tools {

// The group of the leaves that no filter matches.
inline constexpr absl::string_view kRestName = "rest";

// The groups of the command line.
struct GroupFilters {
  std::vector<std::string> names;
  std::vector<Filter> filters;

  // Parses texts NAME=FILTER. error: a UsageError, with the column in the filter.
  static absl::StatusOr<GroupFilters> Parse(const std::vector<std::string>& texts);
  // Returns the filters for Grouping::Compile, the rest last.
  std::vector<NamedFilter> WithRest() const;
};

struct ItemGroups {
  Grouping grouping;
  bool saved = false;  // with the file
  // The group whose filter matched the root, and so has every leaf.
  std::optional<uint32_t> took_root;
};

// Groups the leaves of an item by `filters`, the rest last; without filters, by the saved groups.
// Returns no value if neither exist. Reads no tensor. error: as Grouping::Compile. O(nodes *
// filters).
absl::StatusOr<std::optional<ItemGroups>> GroupsOf(const SourceItem& item,
                                                   const GroupFilters& filters);

// Prints a note that the filter of this group matched the root, with an alternative.
void PrintTookRoot(const std::string& group, Output* out);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_SOURCE_ITEM_GROUPS_H_
