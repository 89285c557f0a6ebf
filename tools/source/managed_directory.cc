#include "leafstore/tools/source/managed_directory.h"

#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "leafstore/core/error_reason.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/tools/present/errors.h"
#include "leafstore/tools/source/formats.h"

namespace leafstore::tools {

absl::StatusOr<StepChoice> StepChoice::Parse(absl::string_view text) {
  StepChoice choice;
  int64_t step = 0;
  if (text.empty() || text == "latest") return choice;
  if (absl::SimpleAtoi(text, &step) && step >= 0) {
    choice.step = step;
    return choice;
  }
  absl::string_view metric = text;
  if (absl::ConsumePrefix(&metric, "lowest=")) {
    choice.higher_is_better = false;
  } else if (!absl::ConsumePrefix(&metric, "best=")) {
    metric = "";
  }
  if (metric.empty()) {
    return UsageError(absl::StrCat(
        "expected a step's number, latest, best=METRIC or lowest=METRIC, found '", text, "'"));
  }
  choice.metric = std::string(metric);
  return choice;
}

absl::StatusOr<RestoredCheckpoint> RestoreChosen(const std::string& directory,
                                                 const StepChoice& choice,
                                                 const SourceOptions& options) {
  ManagerOptions reading = {.io = options.io, .read_only = true};
  reading.retention.metric = choice.metric;
  reading.retention.higher_is_better = choice.higher_is_better;
  LEAFSTORE_ASSIGN_OR_RETURN(const CheckpointManager manager,
                             CheckpointManager::Open(directory, std::move(reading)));
  absl::StatusOr<RestoredCheckpoint> restored =
      manager.Restore({.step = choice.step,
                       .best = !choice.metric.empty(),
                       .verify = options.verify && !choice.step.has_value(),
                       .read = ReadOptionsOf(options)});
  if (ReasonOf(restored.status()) == ErrorReason::kUnknownName) {
    return UsageError(restored.status().message());
  }
  if (!restored.ok() || !options.note) return restored;
  for (const auto& [step, why] : restored->skipped) {
    options.note(absl::StrCat("step ", step, " skipped: ", why.message()));
  }
  return restored;
}

absl::StatusOr<std::optional<std::vector<StepOfDirectory>>> StepsOfDirectory(
    const std::string& name) {
  LEAFSTORE_ASSIGN_OR_RETURN(const CheckpointManager manager,
                             CheckpointManager::Open(name, {.read_only = true}));
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<int64_t> found, manager.Steps());
  if (found.empty()) return std::nullopt;
  std::vector<StepOfDirectory> steps;
  for (const int64_t step : found) steps.push_back({step, manager.PathOf(step)});
  return steps;
}

}  // namespace leafstore::tools
