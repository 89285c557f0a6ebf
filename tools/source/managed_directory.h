// Chooses a checkpoint of a managed directory (checkpoint/manager.h).
//
//   StepChoice choice = StepChoice::Parse("best=accuracy").value();
//   RestoredCheckpoint chosen = RestoreChosen("run", choice, options).value();  // .step, .reader
//
// The newest (or the best) may be damaged, or of a newer leafstore: CheckpointManager::Restore then
// returns the one before, and `note` of the options is called for each that was skipped. A step that
// that was given by number is returned or is an error, and is not verified as a whole: damage in one
// part of it does not affect the others.
#ifndef LEAFSTORE_TOOLS_SOURCE_MANAGED_DIRECTORY_H_
#define LEAFSTORE_TOOLS_SOURCE_MANAGED_DIRECTORY_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "leafstore/checkpoint/manager.h"
#include "leafstore/tools/source/source.h"

namespace leafstore::tools {

struct StepChoice {
  std::optional<int64_t> step;
  std::string metric;  // or the best by this; empty: the newest
  bool higher_is_better = true;

  // Parses SourceOptions::step. error: a UsageError.
  static absl::StatusOr<StepChoice> Parse(absl::string_view text);
};

// Opens the chosen checkpoint; verified, if `options` say so. error: as CheckpointManager::Restore;
// a UsageError: there is no such step or metric.
absl::StatusOr<RestoredCheckpoint> RestoreChosen(const std::string& directory,
                                                 const StepChoice& choice,
                                                 const SourceOptions& options);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_SOURCE_MANAGED_DIRECTORY_H_
