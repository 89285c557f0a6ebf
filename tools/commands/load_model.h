// LoadModel: the items of a source in memory, for a subcommand that writes them.
//
//   LEAFSTORE_ASSIGN_OR_RETURN(Model model, LoadModel(*input.source, input.items,
//                                                     /*skip_unreadable=*/false, input.match));
//
// What is not loaded is noted on standard error, and in Model::left_out.
#ifndef LEAFSTORE_TOOLS_COMMANDS_LOAD_MODEL_H_
#define LEAFSTORE_TOOLS_COMMANDS_LOAD_MODEL_H_

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "leafstore/tools/files/model.h"
#include "leafstore/tools/source/item_rows.h"
#include "leafstore/tools/source/source.h"

namespace leafstore::tools {

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

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_COMMANDS_LOAD_MODEL_H_
