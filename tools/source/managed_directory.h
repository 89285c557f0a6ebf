// Which checkpoint of a managed directory is meant (checkpoint/manager.h has the directory).
//
//   StepChoice choice = StepChoice::Parse("best=accuracy").value();
//   ChosenStep chosen = ChooseStep("run", steps, choice, options).value();  // 1000, its reader
//
// The newest (or the best) may be damaged, or of a newer leafstore: then the one before is taken,
// as CheckpointManager does, and `note` of the options is told of each that was passed over. A step
// that was asked for by number is taken or is an error; it is not read as a whole.
//
// CheckpointManager::Restore is not called, as it always reads every byte and tells nobody how far
// it is.
#ifndef LEAFSTORE_TOOLS_SOURCE_MANAGED_DIRECTORY_H_
#define LEAFSTORE_TOOLS_SOURCE_MANAGED_DIRECTORY_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "leafstore/checkpoint/reader.h"
#include "leafstore/tools/source/source.h"

namespace leafstore::tools {

struct StepChoice {
  std::optional<int64_t> step;
  std::string metric;  // or the best by this; empty: the newest
  bool higher_is_better = true;

  // Of SourceOptions::step. error: a UsageError.
  static absl::StatusOr<StepChoice> Parse(absl::string_view text);
};

// The steps that fit a choice, in the order in which they are tried. Files are opened for a metric
// alone. error: a UsageError: no such step or metric; of the file system. Never empty.
absl::StatusOr<std::vector<StepOfDirectory>> StepsToTry(const std::string& directory,
                                                        const std::vector<StepOfDirectory>& steps,
                                                        const StepChoice& choice,
                                                        const SourceOptions& options);

// Whether an error is what is wrong with one file, and no reason not to look at others.
bool IsOfTheFile(const absl::Status& status);

// error: of the file system; DataLoss: none can be read, each is named; also as StepsToTry.
struct ChosenStep {
  int64_t step = 0;
  CheckpointReader reader;
};
absl::StatusOr<ChosenStep> ChooseStep(const std::string& directory,
                                      const std::vector<StepOfDirectory>& steps,
                                      const StepChoice& choice, const SourceOptions& options);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_SOURCE_MANAGED_DIRECTORY_H_
