// Input: the input of a subcommand: an open source, the chosen items, and parsed globs and filters.
//
//   LEAFSTORE_ASSIGN_OR_RETURN(const Input input, OpenInput(options.input));
//   for (const SourceItem* item : input.items) ...
//
// A glob or filter of the command line that matches nothing is an error: otherwise a misspelt name
// would silently select nothing, or everything. It must match in at least one of the items that are
// read, including those of a second file. No tensor is read.
#ifndef LEAFSTORE_TOOLS_COMMANDS_INPUT_H_
#define LEAFSTORE_TOOLS_COMMANDS_INPUT_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "leafstore/select/grouping.h"
#include "leafstore/tools/commands/options.h"
#include "leafstore/tools/source/item_rows.h"

namespace leafstore::tools {

struct Input {
  SourcePtr source;
  SourceItems items;
  Globs match;
  std::vector<NamedFilter> groups;  // without the rest
  RowOrder order = RowOrder::kNatural;
};

// The requirements of a subcommand on --match and --group.
struct InputNeeds {
  bool match_leaves = false;     // a glob must match a leaf; an alias is not enough
  bool groups = false;           // groups must be given or saved with the file
  bool own_leaves = false;       // each filter must own at least one leaf
  bool allow_no_leaves = false;  // filters that match nothing are allowed
};

// Opens the source and resolves the options. error: a UsageError for an option; a file's.
absl::StatusOr<Input> OpenInput(const InputOptions& options, const InputNeeds& needs = {});

// Opens only the source, with progress, named `what`, and notes on standard error. `verify` is
// false where no tensor will be read, so that checksums do not matter; --no-verify overrides it.
absl::StatusOr<SourcePtr> Open(const InputOptions& options, bool verify = true,
                               absl::string_view what = "verifying");

// Returns the named items, or all. error: a UsageError with suggestions.
absl::StatusOr<SourceItems> ChooseItems(const Source& source, const InputOptions& options);

// Parses texts TYPE=DTYPE of --dtype-of. error: a UsageError.
absl::StatusOr<std::map<int, DType>> ParseVoidDTypes(const std::vector<std::string>& texts);

// Parses globs. error: a UsageError, with the column in the glob.
absl::StatusOr<Globs> ParseMatch(const std::vector<std::string>& texts,
                                 absl::string_view option = "--match");

// Returns whether a glob matches a leaf that is not readable, by its name in the file.
bool MatchesName(const Globs& globs, const std::string& name);

// Parses texts NAME=FILTER of --group. error: a UsageError, with the column in the filter.
absl::StatusOr<std::vector<NamedFilter>> ParseGroups(const std::vector<std::string>& texts);

// Returns the end of a message about a glob that matches nothing: "" or "; did you mean ...?".
std::string NearGlob(const SourceItems& items, const internal::GlobPattern& glob);

// Checks that each glob matches a leaf of at least one item, or an alias unless `leaves_only`.
// error: a UsageError that names the option and the globs, with suggestions. O(nodes * globs).
absl::Status CheckMatch(const SourceItems& items, const Globs& globs,
                        absl::string_view option = "--match", bool leaves_only = false);

// Checks that each filter matches a leaf, or a node above one, of at least one item, and if
// `own_leaves` that its group receives one. error: a UsageError as above; as
// SourceItem::CompileGrouping. O(nodes * filters).
absl::Status CheckGroups(const SourceItems& items, const std::vector<NamedFilter>& groups,
                         bool own_leaves = false);

// Prints the file and its format, the first line of several answers.
void PrintTitle(const Source& source, Output* out);
// Prints a note that the filter of this group matched the root, with an alternative.
void NoteRootGroup(const std::string& group, Output* out);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_COMMANDS_INPUT_H_
