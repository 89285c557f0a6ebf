#include "leafstore/checkpoint/internal/step_files.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"

#include "leafstore/core/error_reason.h"
#include "leafstore/core/internal/suggest.h"
#include "leafstore/core/status_macros.h"

namespace leafstore::internal {
namespace {

constexpr absl::string_view kPrefix = "step-";
constexpr absl::string_view kSuffix = ".leaf";
constexpr absl::string_view kLockFile = "LOCK";

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
  constexpr size_t kMaxNamed = 20;
  const size_t unnamed = steps.size() - std::min(steps.size(), kMaxNamed);
  return WithReason(
      absl::NotFoundError(absl::StrCat(
          directory, ": no checkpoint of step ", step, "; existing: ", steps.empty() ? "none" : "",
          unnamed > 0 ? "..., " : "", absl::StrJoin(steps.subspan(unnamed), ", "))),
      ErrorReason::kUnknownName);
}

}  // namespace

std::string StepFileName(int64_t step) {
  return absl::StrFormat("%s%020d%s", kPrefix, step, kSuffix);
}

std::optional<int64_t> StepOfFileName(absl::string_view name) {
  absl::string_view digits = name;
  int64_t step = 0;
  if (!absl::ConsumePrefix(&digits, kPrefix) || !absl::ConsumeSuffix(&digits, kSuffix) ||
      !absl::SimpleAtoi(digits, &step) || step < 0 || StepFileName(step) != name) {
    return std::nullopt;
  }
  return step;
}

absl::StatusOr<std::vector<int64_t>> StepFiles::Steps() const {
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<std::string> names, files_.List(path_));
  std::vector<int64_t> steps;
  for (const std::string& name : names) {
    if (const std::optional<int64_t> step = StepOfFileName(name)) steps.push_back(*step);
  }
  return steps;  // ascending, as the names are
}

absl::StatusOr<std::shared_ptr<void>> StepFiles::CreateAndLock() const {
  LEAFSTORE_RETURN_IF_ERROR(files_.CreateDirectory(path_));
  return files_.Lock(PathTo(kLockFile));
}

absl::Status StepFiles::RemoveUnfinished() const {
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<std::string> names, files_.List(path_));
  for (const std::string& name : names) {
    const size_t end = name.find(".tmp-");  // as AtomicFile names it
    if (end == std::string::npos || !StepOfFileName(name.substr(0, end))) continue;
    LEAFSTORE_RETURN_IF_ERROR(files_.Remove(PathTo(name)));
  }
  return absl::OkStatus();
}

absl::Status StepFiles::SetAside(int64_t step) const {
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<std::string> names, files_.List(path_));
  const std::string first = absl::StrCat(StepFileName(step), ".damaged");
  std::string name = first;
  for (int count = 2; std::binary_search(names.begin(), names.end(), name); ++count) {
    name = absl::StrCat(first, "-", count);
  }
  return files_.Rename(PathOf(step), PathTo(name));
}

absl::StatusOr<CheckpointReader> StepFiles::Open(int64_t step, ReadOptions options) const {
  options.io.file_system = options_.io.file_system;
  return CheckpointReader::Open(PathOf(step), options);
}

absl::StatusOr<StepRecord> StepFiles::Describe(int64_t step) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (const auto at = known_.find(step); at != known_.end()) return at->second;
  }
  const absl::StatusOr<CheckpointReader> reader = Open(step);
  if (!reader.ok() && !IsDamage(reader.status())) return reader.status();
  const std::lock_guard<std::mutex> lock(mutex_);
  return known_.try_emplace(step, RecordOf(step, reader)).first->second;
}

bool StepFiles::IsDamaged(int64_t step) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto at = known_.find(step);
  return at != known_.end() && at->second.damaged;
}

bool StepFiles::TakeFoundDamage() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return std::exchange(found_damage_, false);
}

void StepFiles::Forget(int64_t step) {
  const std::lock_guard<std::mutex> lock(mutex_);
  known_.erase(step);
}

absl::StatusOr<RestoredCheckpoint> StepFiles::Restore(const RestoreQuery& query) {
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<int64_t> steps, StepsToTry(query));
  RestoredCheckpoint::Skipped skipped;
  for (const int64_t step : steps) {
    absl::StatusOr<CheckpointReader> reader = Open(step, query.read);
    if (reader.ok() && query.verify) {
      if (absl::Status verified = reader->Verify(); !verified.ok()) reader = verified;
    }
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

absl::StatusOr<std::vector<int64_t>> StepFiles::StepsToTry(const RestoreQuery& query) const {
  if (query.best) return StepsByMetric();
  LEAFSTORE_ASSIGN_OR_RETURN(std::vector<int64_t> steps, Steps());
  if (query.step.has_value()) {
    if (std::binary_search(steps.begin(), steps.end(), *query.step)) {
      return std::vector<int64_t>{*query.step};
    }
    return NoSuchStep(path_, *query.step, steps);
  }
  std::reverse(steps.begin(), steps.end());
  return steps;
}

absl::StatusOr<std::vector<int64_t>> StepFiles::StepsByMetric() const {
  if (options_.retention.metric.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat(path_, ": expected a metric in ManagerOptions::retention, found none"));
  }
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<int64_t> steps, Steps());
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

absl::Status StepFiles::CheckHaveMetric(absl::Span<const StepRecord> checkpoints) const {
  const std::string& metric = options_.retention.metric;
  std::vector<std::string> names;
  bool any_opened = false;
  for (const StepRecord& checkpoint : checkpoints) {
    any_opened |= !checkpoint.damaged;
    if (checkpoint.metrics.contains(metric)) return absl::OkStatus();
    for (const auto& [name, value] : checkpoint.metrics) names.push_back(name);
  }
  if (!any_opened) return absl::OkStatus();  // Restore reports their errors
  return WithReason(absl::NotFoundError(absl::StrCat(path_, ": no checkpoint has the metric '",
                                                     metric, "'", DidYouMean(metric, names))),
                    ErrorReason::kUnknownName);
}

absl::Status StepFiles::NoneIsIntact(const RestoredCheckpoint::Skipped& skipped) const {
  if (skipped.empty()) {
    return absl::NotFoundError(absl::StrCat(path_, ": no checkpoint exists"));
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
      code, absl::StrCat(path_, ": none of ", skipped.size(),
                         " checkpoints can be read: ", absl::StrJoin(skipped, "; ", message)));
}

}  // namespace leafstore::internal
