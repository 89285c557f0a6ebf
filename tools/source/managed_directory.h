// Chooses and opens a checkpoint of a managed directory (checkpoint/manager.h).
//
//   StepChoice choice = StepChoice::Parse("best=accuracy").value();
//   RestoredCheckpoint chosen = RestoreChosen("run", choice, options).value();  // .step, .reader
//
// The newest (or the best) may be damaged, or written by a newer leafstore:
// CheckpointManager::Restore then returns the previous one, and `note` of the options is called for
// each that is skipped. A step given by number is opened or is an error. It is not verified in
// full: damage in one part of it does not affect the others.
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
  std::string metric;  // without a step: the best by this metric; empty: the newest
  bool higher_is_better = true;

  // Parses SourceOptions::step. error: a UsageError.
  static absl::StatusOr<StepChoice> Parse(absl::string_view text);
};

// Opens the chosen checkpoint, and verifies it if `options` require it. error: as
// CheckpointManager::Restore; a UsageError: no such step or metric.
absl::StatusOr<RestoredCheckpoint> RestoreChosen(const std::string& directory,
                                                 const StepChoice& choice,
                                                 const SourceOptions& options);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_SOURCE_MANAGED_DIRECTORY_H_
