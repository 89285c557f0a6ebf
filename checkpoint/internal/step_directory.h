// StepDirectory: the files of a managed directory, one checkpoint per step.
//
//   StepDirectory directory("run", &FileSystem::Posix());
//   for (int64_t step : directory.Steps().value()) ... directory.PathOf(step) ...
//
// Threads: const calls are safe from many threads.
#ifndef LEAFSTORE_CHECKPOINT_INTERNAL_STEP_DIRECTORY_H_
#define LEAFSTORE_CHECKPOINT_INTERNAL_STEP_DIRECTORY_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "leafstore/io/file_system.h"

namespace leafstore::internal {

// Returns the name of a step's file, such as "step-00000000000000000100.leaf". Names sort like
// steps. `step` must not be negative.
std::string StepFileName(int64_t step);
// Returns the step of such a name, or nothing for any other name.
std::optional<int64_t> StepOfFileName(absl::string_view name);

class StepDirectory {
 public:
  // `files` must outlive this.
  StepDirectory(std::string path, FileSystem* files) : path_(std::move(path)), files_(files) {}

  const std::string& path() const { return path_; }
  std::string PathOf(int64_t step) const { return PathTo(StepFileName(step)); }
  // Returns the steps of the files, ascending. O(files of the directory).
  absl::StatusOr<std::vector<int64_t>> Steps() const;

  // Creates the directory unless it exists, and locks it. error FailedPrecondition: another has
  // locked it.
  absl::StatusOr<std::shared_ptr<void>> CreateAndLock() const;
  // Removes the temporary files of unfinished saves.
  absl::Status RemoveUnfinished() const;
  // Returns OK if the file of a step exists and can be opened. error NotFound: it does not exist.
  absl::Status CheckExists(int64_t step) const { return files_->Open(PathOf(step)).status(); }
  absl::Status Remove(int64_t step) const { return files_->Remove(PathOf(step)); }
  // Renames the file of a step to `<its name>.damaged`, or if that exists to `<its name>.damaged-2`
  // and so on.
  absl::Status SetAside(int64_t step) const;
  absl::Status Sync() const { return files_->SyncDirectory(path_); }

 private:
  std::string PathTo(absl::string_view name) const;

  std::string path_;
  FileSystem* files_;
};

}  // namespace leafstore::internal

#endif  // LEAFSTORE_CHECKPOINT_INTERNAL_STEP_DIRECTORY_H_
