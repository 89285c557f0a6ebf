// Input: the input of a subcommand: an open source, the chosen items, and parsed globs and filters.
//
//   LEAFSTORE_ASSIGN_OR_RETURN(const Input input, OpenInput(options.input));
//   for (const SourceItem* item : input.items) ...
//   LEAFSTORE_ASSIGN_OR_RETURN(auto leaves, ChooseLeaves(input, {"layers.*.weight[0:3]"}));
//
// A glob or filter of the command line that matches nothing is an error: otherwise a misspelt name
// would silently select nothing, or everything. It must match in at least one of the items that are
// read, including those of a second file. No tensor is read.
#ifndef LEAFSTORE_TOOLS_COMMANDS_INPUT_H_
#define LEAFSTORE_TOOLS_COMMANDS_INPUT_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "leafstore/select/grouping.h"
#include "leafstore/tools/commands/options.h"
#include "leafstore/tools/present/slice.h"
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

// Checks that each glob matches a leaf of at least one item, or an alias unless `leaves_only`.
// error: a UsageError that names the option and the globs, with suggestions. O(nodes * globs).
absl::Status CheckMatch(const SourceItems& items, const Globs& globs,
                        absl::string_view option = "--match", bool leaves_only = false);

// Checks that each filter matches a leaf, or a node above one, of at least one item, and if
// `own_leaves` that its group receives one. error: a UsageError as above; as
// SourceItem::CompileGrouping. O(nodes * filters).
absl::Status CheckGroups(const SourceItems& items, const std::vector<NamedFilter>& groups,
                         bool own_leaves = false);

// A leaf that a PATH of the command line selects.
struct ChosenLeaf {
  const SourceItem* item = nullptr;
  uint32_t place = 0;
  std::shared_ptr<const Slice> slice;  // null: all elements

  Slot slot() const { return item->slots.SlotAt(place); }
};

// Returns the leaves that the paths select and --match matches, in the order of the paths, then of
// the items, then of the rows; all leaves if `paths` is empty. A path is tried as a canonical path,
// as a dotted name, and as a glob; a container selects the leaves below it. If nothing is found, a
// `[...]` at the end is a slice (slice.h). error: a UsageError, with suggestions: no such leaf; an
// invalid slice; any slice if `no_slice`, the end of its message, is not empty.
absl::StatusOr<std::vector<ChosenLeaf>> ChooseLeaves(const Input& input,
                                                     const std::vector<std::string>& paths,
                                                     absl::string_view no_slice);

// Checks that the paths of all these leaves may be kept or printed in full. error
// ResourceExhausted: their texts exceed the limit for many paths together
// (treedef/internal/path_cursor.h). O(nodes of their items).
absl::Status CheckPathText(const std::vector<ChosenLeaf>& leaves);

// Loads the leaves of these items that a glob of `match` matches; all leaves if it is empty. Shows
// progress. Calls NoteDamage if the source does not verify. Leaves that are not readable are left
// out with `skip_unreadable`, and noted. O(bytes) to verify. error: a UsageError without
// `skip_unreadable`: a leaf that is requested is not readable. Other errors: those of
// SourceItem::load, prefixed with the file.
absl::StatusOr<Model> LoadModel(const Source& source, const SourceItems& items,
                                bool skip_unreadable, const Globs& match = {});

// Reports damaged leaves on standard error, because a copy of them will look intact. Reads all
// leaves: O(bytes).
absl::Status NoteDamage(const Source& source, const std::vector<ItemPlaces>& items);

// Returns the dotted path, safe for a terminal.
std::string PrintableName(const ChosenLeaf& leaf);

// Prints the file and its format, the first line of several answers.
void PrintTitle(const Source& source, Output* out);
// Prints a note that the filter of this group matched the root, with an alternative.
void NoteRootGroup(const std::string& group, Output* out);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_COMMANDS_INPUT_H_
