#include "leafstore/tools/source/managed_directory.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"

#include "leafstore/checkpoint/manager.h"
#include "leafstore/checkpoint/retention.h"
#include "leafstore/core/internal/suggest.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/tools/present/errors.h"
#include "leafstore/tools/source/formats.h"

namespace leafstore::tools {
namespace {

// `verify`: all of it, now.
absl::StatusOr<CheckpointReader> OpenWhole(const std::string& file, const SourceOptions& options,
                                           bool verify) {
  LEAFSTORE_ASSIGN_OR_RETURN(CheckpointReader reader,
                             CheckpointReader::Open(file, ReadOptionsOf(options)));
  if (verify) LEAFSTORE_RETURN_IF_ERROR(reader.Verify());
  return reader;
}

absl::Status NoSuchStep(const std::string& directory, const std::vector<StepOfDirectory>& steps,
                        int64_t step) {
  constexpr size_t kMostNamed = 10;
  std::vector<std::string> names;
  const size_t first = steps.size() > kMostNamed ? steps.size() - kMostNamed : 0;
  if (first > 0) names.push_back("...");
  for (size_t i = first; i < steps.size(); ++i) names.push_back(absl::StrCat(steps[i].step));
  return UsageError(absl::StrCat(directory, ": no checkpoint of step ", step, "; there are ",
                                 absl::StrJoin(names, ", ")));
}

// The steps in the order in which they are tried, the best first; those that have the metric.
absl::StatusOr<std::vector<StepOfDirectory>> ByMetric(const std::string& directory,
                                                      const std::vector<StepOfDirectory>& steps,
                                                      const StepChoice& choice,
                                                      const SourceOptions& options) {
  Retention retention;
  retention.metric = choice.metric;
  retention.higher_is_better = choice.higher_is_better;
  std::vector<std::pair<RetainedCheckpoint, StepOfDirectory>> found;
  std::vector<std::string> metrics;
  for (const StepOfDirectory& step : steps) {
    const absl::StatusOr<CheckpointReader> reader =
        CheckpointReader::Open(step.file, ReadOptionsOf(options));
    if (!reader.ok() && !IsOfTheFile(reader.status())) return reader.status();
    if (!reader.ok()) {
      if (options.note) {
        options.note(absl::StrCat("step ", step.step, " skipped: ", reader.status().message()));
      }
      continue;
    }
    for (const auto& [name, value] : reader->metrics()) metrics.push_back(name);
    if (reader->metrics().count(choice.metric) == 0) continue;
    RetainedCheckpoint one;
    one.step = step.step;
    one.metrics = reader->metrics();
    found.emplace_back(std::move(one), step);
  }
  if (found.empty()) {
    return UsageError(absl::StrCat(directory, ": no checkpoint has the metric '", choice.metric,
                                   "'", DidYouMean(choice.metric, metrics)));
  }
  std::sort(found.begin(), found.end(), [&retention](const auto& a, const auto& b) {
    return IsBetter(a.first, b.first, retention);
  });
  std::vector<StepOfDirectory> sorted;
  for (auto& [metric, step] : found) sorted.push_back(std::move(step));
  return sorted;
}

}  // namespace

bool IsOfTheFile(const absl::Status& status) {
  return absl::IsDataLoss(status) || absl::IsNotFound(status) || absl::IsUnimplemented(status);
}

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

absl::StatusOr<std::vector<StepOfDirectory>> StepsToTry(const std::string& directory,
                                                        const std::vector<StepOfDirectory>& steps,
                                                        const StepChoice& choice,
                                                        const SourceOptions& options) {
  if (!choice.metric.empty()) return ByMetric(directory, steps, choice, options);
  if (!choice.step) return std::vector<StepOfDirectory>(steps.rbegin(), steps.rend());
  for (const StepOfDirectory& step : steps) {
    if (step.step == *choice.step) return std::vector<StepOfDirectory>{step};
  }
  return NoSuchStep(directory, steps, *choice.step);
}

absl::StatusOr<ChosenStep> ChooseStep(const std::string& directory,
                                      const std::vector<StepOfDirectory>& steps,
                                      const StepChoice& choice, const SourceOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<StepOfDirectory> order,
                             StepsToTry(directory, steps, choice, options));
  std::vector<std::string> why;
  for (const StepOfDirectory& step : order) {
    // A step that was named is as good as its file's name: damage in a part of it keeps nobody from
    // looking at the others.
    absl::StatusOr<CheckpointReader> reader =
        OpenWhole(step.file, options, options.verify && !choice.step);
    if (reader.ok()) return ChosenStep{step.step, *std::move(reader)};
    if (!IsOfTheFile(reader.status()) || choice.step) return reader.status();
    why.emplace_back(reader.status().message());
    if (options.note) options.note(absl::StrCat("step ", step.step, " skipped: ", why.back()));
  }
  return absl::DataLossError(
      absl::StrCat("none of ", why.size(), " checkpoints can be read: ", absl::StrJoin(why, "; ")));
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
