#include "leafstore/checkpoint/internal/step_search.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "leafstore/core/error_reason.h"
#include "leafstore/core/internal/suggest.h"
#include "leafstore/core/status_macros.h"

namespace leafstore::internal {
namespace {

// Returns whether an error means that a checkpoint, or a base of it, is damaged or missing. A
// checkpoint from a newer leafstore is not damaged.
bool IsDamage(const absl::Status& status) {
  return absl::IsDataLoss(status) || absl::IsNotFound(status);
}

// Returns the record of a checkpoint; without a reader that of a damaged one.
StepRecord RecordOf(int64_t step, const absl::StatusOr<CheckpointReader>& reader) {
  StepRecord record{step, StepFileName(step)};
  record.damaged = !reader.ok();
  if (record.damaged) return record;
  record.metrics = reader->metrics();
  for (const BaseFile& base : reader->bases()) record.bases.push_back(base.name);
  return record;
}

absl::Status NoSuchStep(absl::string_view directory, int64_t step,
                        absl::Span<const int64_t> steps) {
  constexpr size_t kMostNamed = 20;
  const size_t unnamed = steps.size() - std::min(steps.size(), kMostNamed);
  return WithReason(
      absl::NotFoundError(absl::StrCat(
          directory, ": no checkpoint of step ", step, "; existing: ", steps.empty() ? "none" : "",
          unnamed > 0 ? "..., " : "", absl::StrJoin(steps.subspan(unnamed), ", "))),
      ErrorReason::kUnknownName);
}

}  // namespace

absl::StatusOr<CheckpointReader> StepSearch::Open(int64_t step, ReadOptions options) const {
  options.io.file_system = options_.io.file_system;
  return CheckpointReader::Open(directory_.PathOf(step), options);
}

absl::StatusOr<StepRecord> StepSearch::Describe(int64_t step) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (const auto at = known_.find(step); at != known_.end()) return at->second;
  }
  const absl::StatusOr<CheckpointReader> reader = Open(step);
  if (!reader.ok() && !IsDamage(reader.status())) return reader.status();
  const std::lock_guard<std::mutex> lock(mutex_);
  return known_.try_emplace(step, RecordOf(step, reader)).first->second;
}

bool StepSearch::IsDamaged(int64_t step) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto at = known_.find(step);
  return at != known_.end() && at->second.damaged;
}

bool StepSearch::TakeFoundDamage() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return std::exchange(found_damage_, false);
}

void StepSearch::Forget(int64_t step) {
  const std::lock_guard<std::mutex> lock(mutex_);
  known_.erase(step);
}

absl::StatusOr<RestoredCheckpoint> StepSearch::Restore(const RestoreQuery& query) {
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<int64_t> steps, StepsToTry(query));
  RestoredCheckpoint::Skipped skipped;
  for (const int64_t step : steps) {
    absl::StatusOr<CheckpointReader> reader = OpenFor(step, query);
    if (reader.ok()) {
      if (query.verify) Forget(step);  // an intact file may have replaced a damaged one
      return RestoredCheckpoint{step, *std::move(reader), std::move(skipped)};
    }
    const absl::Status& why = reader.status();
    // An error of this process or machine, not of the file: it may be readable later.
    if (!IsDamage(why) && !absl::IsUnimplemented(why)) return why;
    if (IsDamage(why)) {
      const std::lock_guard<std::mutex> lock(mutex_);
      known_.insert_or_assign(step, RecordOf(step, reader));
      found_damage_ = true;
    }
    skipped.emplace_back(step, why);
  }
  return NoneIsIntact(skipped);
}

absl::StatusOr<CheckpointReader> StepSearch::OpenFor(int64_t step,
                                                     const RestoreQuery& query) const {
  LEAFSTORE_ASSIGN_OR_RETURN(CheckpointReader reader, Open(step, query.read));
  if (query.verify) LEAFSTORE_RETURN_IF_ERROR(reader.Verify());
  return reader;
}

absl::StatusOr<std::vector<int64_t>> StepSearch::StepsToTry(const RestoreQuery& query) const {
  if (query.best) return StepsByMetric();
  LEAFSTORE_ASSIGN_OR_RETURN(std::vector<int64_t> steps, directory_.Steps());
  if (query.step.has_value()) {
    if (std::binary_search(steps.begin(), steps.end(), *query.step)) return {{*query.step}};
    return NoSuchStep(directory_.path(), *query.step, steps);
  }
  std::reverse(steps.begin(), steps.end());
  return steps;
}

absl::StatusOr<std::vector<int64_t>> StepSearch::StepsByMetric() const {
  if (options_.retention.metric.empty()) {
    return absl::FailedPreconditionError(absl::StrCat(
        directory_.path(), ": expected ManagerOptions to name the metric, found none"));
  }
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<int64_t> steps, directory_.Steps());
  std::vector<StepRecord> checkpoints;
  // One that cannot be opened has no metric. Restore reports its error when it tries it.
  for (const int64_t step : steps) checkpoints.push_back(RecordOf(step, Open(step)));
  LEAFSTORE_RETURN_IF_ERROR(CheckHaveMetric(checkpoints));
  std::sort(checkpoints.begin(), checkpoints.end(),
            [&](const auto& a, const auto& b) { return IsBetter(a, b, options_.retention); });
  std::vector<int64_t> sorted;
  for (const StepRecord& checkpoint : checkpoints) sorted.push_back(checkpoint.step);
  return sorted;
}

absl::Status StepSearch::CheckHaveMetric(absl::Span<const StepRecord> checkpoints) const {
  const std::string& metric = options_.retention.metric;
  std::vector<std::string> names;
  bool any_opened = false;
  for (const StepRecord& checkpoint : checkpoints) {
    any_opened |= !checkpoint.damaged;
    if (checkpoint.metrics.contains(metric)) return absl::OkStatus();
    for (const auto& [name, value] : checkpoint.metrics) names.push_back(name);
  }
  if (!any_opened) return absl::OkStatus();  // Restore reports their errors
  return WithReason(
      absl::NotFoundError(absl::StrCat(directory_.path(), ": no checkpoint has the metric '",
                                       metric, "'", DidYouMean(metric, names))),
      ErrorReason::kUnknownName);
}

absl::Status StepSearch::NoneIsIntact(const RestoredCheckpoint::Skipped& skipped) const {
  if (skipped.empty()) {
    return absl::NotFoundError(absl::StrCat(directory_.path(), ": no checkpoint exists"));
  }
  if (skipped.size() == 1) return skipped[0].second;
  const bool any_is_newer = std::any_of(skipped.begin(), skipped.end(), [](const auto& one) {
    return absl::IsUnimplemented(one.second);
  });
  const auto code = any_is_newer ? absl::StatusCode::kUnimplemented : absl::StatusCode::kDataLoss;
  const auto message = [](std::string* out, const auto& one) {
    absl::StrAppend(out, one.second.message());
  };
  return absl::Status(
      code, absl::StrCat(directory_.path(), ": none of ", skipped.size(),
                         " checkpoints can be read: ", absl::StrJoin(skipped, "; ", message)));
}

}  // namespace leafstore::internal
