// The groups of a checkpoint's item: those that were saved with it, or those that filters make.
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

// Of what no filter took.
inline constexpr absl::string_view kRestName = "rest";

// Groups as the command line names them.
struct GroupFilters {
  std::vector<std::string> names;
  std::vector<Filter> filters;

  // Of texts NAME=FILTER. error: a UsageError, with the filter's column.
  static absl::StatusOr<GroupFilters> Parse(const std::vector<std::string>& texts);
  // For Grouping::Compile: the rest comes last.
  std::vector<NamedFilter> WithRest() const;
};

struct ItemGroups {
  Grouping grouping;
  bool saved = false;  // with the checkpoint
  // The group whose filter matched the root, and so took everything.
  std::optional<uint32_t> took_root;
};

// The item's leaves by the groups of `filters`, the rest last; where it has none, by those that
// were saved; none where there are none either. No tensor is read.
// error: as Grouping::Compile. O(nodes * filters).
absl::StatusOr<std::optional<ItemGroups>> GroupsOf(const SourceItem& item,
                                                   const GroupFilters& filters);

// Says that the filter of this group matched the root, and what may have been meant: a line.
void PrintTookRoot(const std::string& group, Output* out);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_SOURCE_ITEM_GROUPS_H_
