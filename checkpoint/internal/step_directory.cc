#include "leafstore/checkpoint/internal/step_directory.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"

#include "leafstore/core/status_macros.h"

namespace leafstore::internal {
namespace {

constexpr absl::string_view kPrefix = "step-";
constexpr absl::string_view kSuffix = ".leaf";
constexpr absl::string_view kLockFile = "LOCK";

// Returns whether this is the name of the temporary file of a step (see AtomicFile).
bool IsUnfinished(absl::string_view name) {
  const size_t end = name.find(".tmp-");
  return end != absl::string_view::npos && StepOfFileName(name.substr(0, end)).has_value();
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

std::string StepDirectory::PathTo(absl::string_view name) const {
  return absl::StrCat(path_, "/", name);
}

absl::StatusOr<std::vector<int64_t>> StepDirectory::Steps() const {
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<std::string> names, files_->List(path_));
  std::vector<int64_t> steps;
  for (const std::string& name : names) {
    if (const std::optional<int64_t> step = StepOfFileName(name)) steps.push_back(*step);
  }
  return steps;  // ascending, as the names are
}

absl::StatusOr<std::shared_ptr<void>> StepDirectory::CreateAndLock() const {
  LEAFSTORE_RETURN_IF_ERROR(files_->CreateDirectory(path_));
  return files_->Lock(PathTo(kLockFile));
}

absl::Status StepDirectory::RemoveUnfinished() const {
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<std::string> names, files_->List(path_));
  for (const std::string& name : names) {
    if (IsUnfinished(name)) LEAFSTORE_RETURN_IF_ERROR(files_->Remove(PathTo(name)));
  }
  return absl::OkStatus();
}

absl::Status StepDirectory::SetAside(int64_t step) const {
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<std::string> names, files_->List(path_));
  const std::string first = absl::StrCat(StepFileName(step), ".damaged");
  std::string name = first;
  for (int count = 2; std::binary_search(names.begin(), names.end(), name); ++count) {
    name = absl::StrCat(first, "-", count);
  }
  return files_->Rename(PathOf(step), PathTo(name));
}

}  // namespace leafstore::internal
