// The names of the files of a run's directory (manager.h).
//
//   step-00000000000000000300.leaf              the checkpoint of step 300
//   abandoned-step-00000000000000000300.leaf    one that was set aside; abandoned-2-... if that
//                                               name exists, and so on
#ifndef LEAFSTORE_CHECKPOINT_INTERNAL_RUN_FILES_H_
#define LEAFSTORE_CHECKPOINT_INTERNAL_RUN_FILES_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace leafstore::internal {

// The name of a file of a run.
struct RunFile {
  int64_t step = 0;
  std::string name;
  bool abandoned = false;
};

// Returns the name of a step's file. Names sort in the order of steps. `step` must not be negative.
std::string StepFileName(int64_t step);
// Parses the name of a file; nullopt if it has another form.
std::optional<RunFile> ParseRunFile(absl::string_view name);

// Returns the name for setting aside the file `name` at the `count`th attempt, counting from 1.
std::string AbandonedName(absl::string_view name, int count);
// Returns the name that the file `name` had before it was set aside, or "" if it was not.
absl::string_view NameBeforeAbandoned(absl::string_view name);

}  // namespace leafstore::internal

#endif  // LEAFSTORE_CHECKPOINT_INTERNAL_RUN_FILES_H_
