// Rename rules on the command line: PATTERN=TEMPLATE (select/rename_map.h), as arguments, and in
// files with one rule per line.
//
//   LEAFSTORE_ASSIGN_OR_RETURN(RenameMap map, ParseRules(options.rules, options.rule_files));
//   LEAFSTORE_ASSIGN_OR_RETURN(auto paths, RenameItems(input.items, map));
//
// The pattern ends at the first '=' without a backslash before it: 'a\=b.*=c.*'.
#ifndef LEAFSTORE_TOOLS_COMMANDS_RENAME_RULES_H_
#define LEAFSTORE_TOOLS_COMMANDS_RENAME_RULES_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "leafstore/select/rename_map.h"
#include "leafstore/tools/source/source.h"

namespace leafstore::tools {

// Parses the rules `texts`, then those in the files, where empty lines and lines that begin with
// '#' are ignored. error: a UsageError: a rule is invalid, or there are more than RenameMap allows;
// the file system's.
absl::StatusOr<RenameMap> ParseRules(const std::vector<std::string>& texts,
                                     const std::vector<std::string>& files);

// Returns the new path of each leaf, by item and place. error: a UsageError: a rule that renames no
// leaf of any item; two leaves of an item get the same name.
absl::StatusOr<std::vector<std::vector<RenamedPath>>> RenameItems(const SourceItems& items,
                                                                  const RenameMap& map);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_COMMANDS_RENAME_RULES_H_
