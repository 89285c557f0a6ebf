// Branches: shows which checkpoint of a run's directory continues which.
//
//   LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<RunCheckpoint> run, ListRunOf(source));
//   PrintBranches(run, &out);      //   branches:
//                                  //     1 to 200 (200 checkpoints)
//                                  //     |- 201 to 300 (100 checkpoints), abandoned
//                                  //     210 to 220 (2 checkpoints)
#ifndef LEAFSTORE_TOOLS_SOURCE_BRANCHES_H_
#define LEAFSTORE_TOOLS_SOURCE_BRANCHES_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

#include "leafstore/checkpoint/manager.h"
#include "leafstore/tools/present/json.h"
#include "leafstore/tools/present/output.h"
#include "leafstore/tools/source/source.h"

namespace leafstore::tools {

// Returns the checkpoints of the directory that the source was chosen from; none if it was a file.
// error: the file system's.
absl::StatusOr<std::vector<RunCheckpoint>> ListRunOf(const Source& source);

// Returns an object for each checkpoint: step, file, abandoned, run, parent (the present name of
// its file; null if it does not exist), parent_name (its name when this one was saved), metrics and
// error.
Json RunToJson(absl::Span<const RunCheckpoint> run);

// Draws the branches, one line for each series of checkpoints, and names files that cannot be
// opened, and why. A series that was set aside is drawn beside the one that training continued,
// which is drawn below. A checkpoint whose parent was removed is drawn after the last existing one
// before it. Draws nothing if there is only one series. O(checkpoints).
void PrintBranches(absl::Span<const RunCheckpoint> run, Output* out);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_SOURCE_BRANCHES_H_
