#include "leafstore/checkpoint/internal/step_files.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <tuple>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"

#include "leafstore/checkpoint/internal/checkpoint_access.h"
#include "leafstore/checkpoint/internal/checkpoint_file.h"
#include "leafstore/core/error_reason.h"
#include "leafstore/core/internal/list_for_message.h"
#include "leafstore/core/internal/suggest.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/io/internal/atomic_file.h"

namespace leafstore::internal {
namespace {

constexpr absl::string_view kLockFile = "LOCK";

// Returns whether an error means that a checkpoint, or a base of it, is damaged, missing, not a
// file, or on a part of the disk that cannot be read. One from a newer leafstore is not damaged.
bool IsDamage(const absl::Status& status) {
  return !status.ok() && !IsOfProcess(status) && !absl::IsUnimplemented(status);
}

// Returns whether an error means that what has a checkpoint's name is not a file.
bool IsNotAFile(const absl::Status& status) { return ReasonOf(status) == ErrorReason::kNotAFile; }

absl::Status NoSuchStep(absl::string_view directory, int64_t step,
                        absl::Span<const int64_t> steps) {
  constexpr size_t kMaxSteps = 20;
  const size_t unnamed = steps.size() - std::min(steps.size(), kMaxSteps);
  return WithReason(absl::NotFoundError(absl::StrCat(
                        directory, ": no checkpoint of step ", step, "; existing: ",
                        steps.empty() ? "none" : ListForMessage(steps.subspan(unnamed), kMaxSteps),
                        unnamed > 0 ? absl::StrCat(" and ", unnamed, " earlier ones") : "")),
                    ErrorReason::kUnknownName);
}

}  // namespace

absl::StatusOr<std::vector<RunFile>> StepFiles::Files() const {
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<std::string> names, files_.List(path_));
  std::vector<RunFile> files;
  for (const std::string& name : names) {
    if (std::optional<RunFile> file = ParseRunFile(name)) files.push_back(*std::move(file));
  }
  std::stable_sort(files.begin(), files.end(),
                   [](const RunFile& a, const RunFile& b) { return a.step < b.step; });
  return files;
}

absl::StatusOr<std::vector<int64_t>> StepFiles::Steps() const {
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<RunFile> files, Files());
  std::vector<int64_t> steps;
  for (const RunFile& file : files) {
    if (!file.abandoned) steps.push_back(file.step);
  }
  return steps;
}

absl::StatusOr<bool> StepFiles::IsListed(absl::string_view name) const {
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<std::string> names, files_.List(path_));
  return std::find(names.begin(), names.end(), name) != names.end();
}

StepRecord StepFiles::Read(const RunFile& file) const {
  StepRecord record{.file = file};
  const IoOptions io = {.mode = ReadMode::kRead, .file_system = options_.io.file_system};
  absl::StatusOr<ManifestHead> head = ReadHead(PathTo(file.name), io, &record.identity);
  if (!record.identity.name.empty()) record.identity.name = StepFileName(file.step);
  record.status = head.status();
  if (absl::IsNotFound(record.status)) {
    // A link whose target does not exist, perhaps only now, has a name but cannot be found.
    const absl::StatusOr<bool> listed = IsListed(file.name);
    if (!listed.ok()) record.status = listed.status();
    if (listed.ok() && *listed) record.status = absl::UnknownError(head.status().message());
  }
  if (!head.ok()) return record;
  record.bases = std::move(head->bases);
  record.metrics = std::move(head->metrics);
  record.run = std::move(head->run);
  return record;
}

absl::StatusOr<std::vector<RunCheckpoint>> StepFiles::ListRun() const {
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<RunFile> files, Files());
  std::vector<StepRecord> records;
  // A name may have been used again, so a parent must also have the recorded checksum. If training
  // was repeated, it may even have saved an identical file: then a checkpoint that was set aside
  // continues one that was set aside, and any other continues one that was not.
  std::map<std::tuple<std::string, uint64_t, bool>, size_t> places;
  for (const RunFile& file : files) {
    StepRecord record = Read(file);
    if (absl::IsNotFound(record.status)) continue;  // removed meanwhile
    places.emplace(
        std::tuple(record.identity.name, record.identity.manifest_checksum, file.abandoned),
        records.size());
    records.push_back(std::move(record));
  }
  std::vector<RunCheckpoint> listed;
  for (StepRecord& record : records) {
    RunCheckpoint& one = listed.emplace_back();
    one.step = record.file.step;
    one.file_name = std::move(record.file.name);
    one.abandoned = record.file.abandoned;
    one.status = std::move(record.status);
    one.metrics = std::move(record.metrics);
    if (!record.run) continue;
    one.run_id = record.run->id;
    if (!record.run->parent) continue;
    one.parent_name = record.run->parent->name;
    const uint64_t checksum = record.run->parent->manifest_checksum;
    auto found = places.find({one.parent_name, checksum, one.abandoned});
    if (found == places.end()) found = places.find({one.parent_name, checksum, !one.abandoned});
    if (found != places.end()) one.parent = found->second;
  }
  return listed;
}

absl::StatusOr<std::shared_ptr<void>> StepFiles::CreateAndLock() const {
  const absl::StatusOr<std::vector<std::string>> names = files_.List(path_);
  const bool is_new =
      !names.ok() || !std::binary_search(names->begin(), names->end(), std::string(kLockFile));
  LEAFSTORE_RETURN_IF_ERROR(files_.CreateDirectory(path_));
  if (is_new && options_.io.durable) {
    absl::string_view path = path_;
    while (path.size() > 1 && absl::ConsumeSuffix(&path, "/")) {
    }
    // The parent directory may be searchable but not readable. Then somebody else created this
    // directory.
    const absl::Status synced = files_.SyncDirectory(DirectoryOf(path));
    if (!absl::IsPermissionDenied(synced)) LEAFSTORE_RETURN_IF_ERROR(synced);
  }
  return files_.Lock(PathTo(kLockFile));
}

absl::Status StepFiles::RemoveUnfinished() const {
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<std::string> names, files_.List(path_));
  for (const std::string& name : names) {
    const std::optional<RunFile> file = ParseRunFile(AtomicFile::NameOfTemporary(name));
    if (!file || file->abandoned) continue;
    const absl::Status removed = files_.Remove(PathTo(name));
    // A directory of this name is not this library's.
    if (removed.ok() || IsNotAFile(files_.Exists(PathTo(name)).status())) continue;
    return removed;
  }
  return absl::OkStatus();
}

absl::Status StepFiles::Remove(const RunFile& file) {
  const absl::Status removed = files_.Remove(PathTo(file.name));
  const std::lock_guard<std::mutex> lock(mutex_);
  known_.erase(file.name);
  skipped_.erase(file.name);
  return removed;
}

absl::Status StepFiles::SetAside(int64_t step) {
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<std::string> names, files_.List(path_));
  const std::string name = StepFileName(step);
  int count = 1;
  while (std::binary_search(names.begin(), names.end(), AbandonedName(name, count))) ++count;
  const std::string aside = AbandonedName(name, count);
  LEAFSTORE_RETURN_IF_ERROR(files_.RenameNew(PathTo(name), PathTo(aside)));
  const std::lock_guard<std::mutex> lock(mutex_);
  known_.erase(name);
  known_.erase(aside);  // another file once had this name
  skipped_.erase(aside);
  if (auto skipped = skipped_.extract(name); !skipped.empty()) {
    skipped.key() = aside;
    skipped_.insert(std::move(skipped));
  }
  return absl::OkStatus();
}

absl::Status StepFiles::SetAsideAfter(int64_t step) {
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<int64_t> steps, Steps());
  for (auto it = steps.rbegin(); it != steps.rend() && *it > step; ++it) {
    LEAFSTORE_RETURN_IF_ERROR(SetAside(*it));
  }
  return Sync();
}

absl::Status StepFiles::Sync() const {
  return options_.io.durable ? files_.SyncDirectory(path_) : absl::OkStatus();
}

absl::StatusOr<CheckpointReader> StepFiles::Open(absl::string_view name,
                                                 ReadOptions options) const {
  options.io.file_system = options_.io.file_system;
  return CheckpointReader::Open(PathTo(name), options);
}

StepRecord StepFiles::Describe(const RunFile& file) {
  std::optional<StepRecord> record;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (const auto at = known_.find(file.name); at != known_.end()) record = at->second;
  }
  const bool is_new = !record;
  if (is_new) record = Read(file);
  const absl::Status& why = record->status;
  if (!why.ok() && !absl::IsDataLoss(why) && !IsNotAFile(why)) {
    record->is_unknown = true;  // the error may be temporary
    return *std::move(record);
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto skipped = skipped_.find(file.name);
  if (is_new) {
    known_.insert_or_assign(file.name, *record);
    if (IsNotAFile(why) && skipped == skipped_.end()) {
      ignored_ = absl::FailedPreconditionError(
          absl::StrCat("ignored ", PathTo(file.name),
                       ", which is not a checkpoint: ", why.message(), "; move it away"));
    }
  }
  if (why.ok() && skipped != skipped_.end() && IsDamage(skipped->second)) {
    record->status = skipped->second;
  }
  return *std::move(record);
}

absl::StatusOr<std::vector<StepRecord>> StepFiles::DescribeAll() {
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<RunFile> files, Files());
  ForgetOthers(files);
  std::vector<StepRecord> records;
  for (const RunFile& file : files) {
    StepRecord record = Describe(file);
    if (absl::IsNotFound(record.status)) continue;  // removed meanwhile
    records.push_back(std::move(record));
  }
  return records;
}

bool StepFiles::WasSkipped(int64_t step) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return skipped_.contains(StepFileName(step));
}

bool StepFiles::IsFoundDamaged(int64_t step) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto skipped = skipped_.find(StepFileName(step));
  return skipped != skipped_.end() && IsDamage(skipped->second);
}

bool StepFiles::TakeFoundDamage() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return std::exchange(found_damage_, false);
}

absl::Status StepFiles::TakeIgnored() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return std::exchange(ignored_, absl::OkStatus());
}

void StepFiles::Forget(int64_t step) {
  const std::lock_guard<std::mutex> lock(mutex_);
  known_.erase(StepFileName(step));
  skipped_.erase(StepFileName(step));
}

void StepFiles::ForgetOthers(absl::Span<const RunFile> files) {
  std::set<absl::string_view> names;
  for (const RunFile& file : files) names.insert(file.name);
  const std::lock_guard<std::mutex> lock(mutex_);
  std::erase_if(known_, [&names](const auto& one) { return !names.contains(one.first); });
  std::erase_if(skipped_, [&names](const auto& one) { return !names.contains(one.first); });
}

absl::StatusOr<RestoredCheckpoint> StepFiles::Restore(const RestoreQuery& query) {
  constexpr int kMaxAttempts = 20;
  for (int attempt = 1;; ++attempt) {
    LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<int64_t> steps, StepsToTry(query));
    if (steps.empty()) return NoCheckpoint();
    RestoredCheckpoint::Skipped skipped;
    LEAFSTORE_ASSIGN_OR_RETURN(std::unique_ptr<RestoredCheckpoint> restored,
                               RestoreFirst(steps, query, &skipped));
    // Files that a manager in another process has removed meanwhile are not damaged.
    LEAFSTORE_ASSIGN_OR_RETURN(const bool still_exist, StillExist(skipped));
    if (!still_exist && attempt < kMaxAttempts) continue;
    Remember(skipped);
    if (!restored) return NoneIsIntact(skipped);
    if (query.verify) Forget(restored->step);  // an intact file may have replaced a damaged one
    restored->skipped = std::move(skipped);
    return *std::move(restored);
  }
}

absl::StatusOr<std::unique_ptr<RestoredCheckpoint>> StepFiles::RestoreFirst(
    absl::Span<const int64_t> steps, const RestoreQuery& query,
    RestoredCheckpoint::Skipped* skipped) const {
  for (const int64_t step : steps) {
    absl::StatusOr<CheckpointReader> reader = Open(StepFileName(step), query.read);
    if (reader.ok()) {
      const absl::Status intact =
          query.verify ? reader->Verify() : CheckpointAccess::FileOf(*reader).OpenBases();
      if (!intact.ok()) reader = intact;
    }
    if (reader.ok()) {
      return std::make_unique<RestoredCheckpoint>(RestoredCheckpoint{step, *std::move(reader), {}});
    }
    // What another process has removed from a network disk is ABORTED there.
    const absl::Status& why = reader.status();
    if (absl::IsAborted(why)) {
      LEAFSTORE_ASSIGN_OR_RETURN(const bool listed, IsListed(StepFileName(step)));
      if (listed) return why;
    } else if (IsOfProcess(why)) {
      return why;
    }
    skipped->emplace_back(step, reader.status());
  }
  return nullptr;
}

absl::StatusOr<bool> StepFiles::StillExist(const RestoredCheckpoint::Skipped& skipped) const {
  if (skipped.empty()) return true;
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<int64_t> steps, Steps());
  return std::all_of(skipped.begin(), skipped.end(), [&steps](const auto& one) {
    return std::binary_search(steps.begin(), steps.end(), one.first);
  });
}

void StepFiles::Remember(const RestoredCheckpoint::Skipped& skipped) {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (const auto& [step, why] : skipped) {
    skipped_.insert_or_assign(StepFileName(step), why);
    found_damage_ |= IsDamage(why);
  }
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
  for (const int64_t step : steps) checkpoints.push_back(Read({step, StepFileName(step)}));
  LEAFSTORE_RETURN_IF_ERROR(CheckHaveMetric(checkpoints));
  std::sort(checkpoints.begin(), checkpoints.end(),
            [&](const auto& a, const auto& b) { return IsBetter(a, b, options_.retention); });
  std::vector<int64_t> sorted;
  for (const StepRecord& checkpoint : checkpoints) sorted.push_back(checkpoint.file.step);
  return sorted;
}

absl::Status StepFiles::CheckHaveMetric(absl::Span<const StepRecord> checkpoints) const {
  const std::string& metric = options_.retention.metric;
  std::vector<std::string> names;
  bool any_opened = false;
  for (const StepRecord& checkpoint : checkpoints) {
    any_opened |= checkpoint.status.ok();
    if (checkpoint.metrics.contains(metric)) return absl::OkStatus();
    for (const auto& [name, value] : checkpoint.metrics) names.push_back(name);
  }
  if (!any_opened) return absl::OkStatus();  // Restore reports their errors
  return WithReason(absl::NotFoundError(absl::StrCat(path_, ": no checkpoint has the metric '",
                                                     metric, "'", DidYouMean(metric, names))),
                    ErrorReason::kUnknownName);
}

absl::Status StepFiles::NoCheckpoint() const {
  const std::string none = absl::StrCat(path_, ": no checkpoint exists");
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<std::string> names, files_.List(path_));
  std::vector<std::string> others;
  std::copy_if(names.begin(), names.end(), std::back_inserter(others), [](const auto& name) {
    // "step-100.leaf", "epoch_3.leaf", but not "initial.leaf".
    return absl::EndsWith(name, ".leaf") &&
           std::any_of(name.begin(), name.end(), absl::ascii_isdigit);
  });
  if (others.empty()) return WithReason(absl::NotFoundError(none), ErrorReason::kNoCheckpoint);
  return absl::NotFoundError(absl::StrCat(none, ": expected names like ", StepFileName(100),
                                          ", found ", ListForMessage(others),
                                          "; rename those that are checkpoints of this run"));
}

absl::Status StepFiles::NoneIsIntact(const RestoredCheckpoint::Skipped& skipped) const {
  const bool any_is_newer = std::any_of(skipped.begin(), skipped.end(), [](const auto& one) {
    return absl::IsUnimplemented(one.second);
  });
  const auto code = any_is_newer ? absl::StatusCode::kUnimplemented : absl::StatusCode::kDataLoss;
  if (skipped.size() == 1) {
    const ErrorReason reason = ReasonOf(skipped[0].second);
    const absl::Status why(code, skipped[0].second.message());
    return reason == ErrorReason::kNone ? why : WithReason(why, reason);
  }
  const auto message = [](std::string* out, const auto& one) {
    absl::StrAppend(out, one.second.message());
  };
  return absl::Status(
      code, absl::StrCat(path_, ": none of ", skipped.size(),
                         " checkpoints can be read: ", absl::StrJoin(skipped, "; ", message)));
}

}  // namespace leafstore::internal
