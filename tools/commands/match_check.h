// Globs and filters of a command line that take nothing: errors, as an answer about nothing looks
// like one about all, and a misspelt name must not make it.
//
//   LEAFSTORE_RETURN_IF_ERROR(CheckMatch(items, match));          // --match 'layrs.**' takes no leaf;
//                                                                 // no key is 'layrs'; did you ...
//   LEAFSTORE_RETURN_IF_ERROR(CheckGroups(items, groups));
//
// Asked of all items that are looked at, those of two files too: what takes a leaf of one of them
// is right. No tensor is read.
#ifndef LEAFSTORE_TOOLS_COMMANDS_MATCH_CHECK_H_
#define LEAFSTORE_TOOLS_COMMANDS_MATCH_CHECK_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "leafstore/select/glob.h"
#include "leafstore/tools/source/item_groups.h"
#include "leafstore/tools/source/source.h"

namespace leafstore::tools {

// Each glob takes a leaf, or an alias, of one of the items at least. error: a UsageError that names
// the option and the globs that do not, with near names. O(nodes * globs).
absl::Status CheckMatch(absl::Span<const SourceItem* const> items,
                        const std::vector<GlobPattern>& globs,
                        absl::string_view option = "--match");

// The same for what acts on leaves: an alias is none, its owner is.
absl::Status CheckMatchLeaves(absl::Span<const SourceItem* const> items,
                              const std::vector<GlobPattern>& globs);

// Each filter matches a leaf, or what is above one, of one of the items at least; one whose leaves
// all go to other groups is none of these errors unless `must_take`. error: a UsageError as above;
// a filter's own, or as SourceItem::CompileGrouping. O(nodes * filters).
absl::Status CheckGroups(absl::Span<const SourceItem* const> items, const GroupFilters& groups,
                         bool must_take = false);

// The end of a message about a glob that matches nothing there: "" or "; did you mean ...?".
std::string NearGlob(absl::Span<const SourceItem* const> items, const GlobPattern& glob);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_COMMANDS_MATCH_CHECK_H_
