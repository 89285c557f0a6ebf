// The names of a managed directory's files. For checkpoint/ alone.
#ifndef LEAFSTORE_CHECKPOINT_INTERNAL_STEP_FILE_H_
#define LEAFSTORE_CHECKPOINT_INTERNAL_STEP_FILE_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace leafstore {

inline constexpr absl::string_view kLockFile = "LOCK";

// "step-00000000000000000100.leaf": the names sort as the steps do. The step must not be negative.
std::string StepFileName(int64_t step);
// No value for any other name.
std::optional<int64_t> StepOfFileName(absl::string_view name);
// Whether CheckpointWriter names so what it has not finished of a step's file.
bool IsUnfinishedStepFile(absl::string_view name);

}  // namespace leafstore

#endif  // LEAFSTORE_CHECKPOINT_INTERNAL_STEP_FILE_H_
