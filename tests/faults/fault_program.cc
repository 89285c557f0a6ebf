// Saves some steps, as training does, and goes on after failures.
//
//   leafstore_fault_program save|async|increments DIRECTORY
//
// Prints "saved N" for each step that was reported as saved, "restored N" at the end, and each error
// on standard error.
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "leafstore/checkpoint/manager.h"

#include "tests/faults/saved_steps.h"

namespace leafstore {
namespace {

bool Report(const absl::Status& status) {
  if (!status.ok()) std::cerr << status.message() << std::endl;
  return status.ok();
}

absl::StatusOr<CheckpointManager> OpenManager(const std::string& directory, bool incremental) {
  ManagerOptions options;
  options.retention.last = 2;
  options.incremental = incremental;
  absl::StatusOr<CheckpointManager> manager = CheckpointManager::Open(directory, options);
  if (Report(manager.status())) return manager;
  return CheckpointManager::Open(directory, options);  // only one call fails
}

absl::Status SaveStep(int64_t step, const ParamStore& params, bool async,
                      CheckpointManager* manager) {
  std::vector<CheckpointItem> items;
  items.emplace_back("params", params);
  if (!async) return manager->Save(step, std::move(items));
  const absl::Status begun = manager->SaveAsync(step, std::move(items)).status();
  return begun.ok() ? manager->Wait() : begun;
}

int Run(const std::string& mode, const std::string& directory) {
  absl::StatusOr<CheckpointManager> manager = OpenManager(directory, mode == "increments");
  if (!Report(manager.status())) return 1;
  ParamStore params = ParamsOfStep(0);
  for (int64_t step = 1; step <= kSavedSteps; ++step) {
    const ParamStore next = ParamsOfStep(step);
    if (!Report(params.Set(".moving", next.leaf(0)))) return 1;
    if (Report(SaveStep(step, params, mode == "async", &*manager))) {
      std::cout << "saved " << step << std::endl;
    }
  }
  const absl::StatusOr<RestoredCheckpoint> restored = manager->Restore();
  if (!Report(restored.status())) return 1;
  const absl::StatusOr<ParamStore> loaded = restored->reader.Load("params");
  if (!Report(loaded.status())) return 1;
  if (!IsStep(restored->step, *loaded)) {
    std::cout << "wrong values" << std::endl;
    return 2;
  }
  std::cout << "restored " << restored->step << std::endl;
  return 0;
}

}  // namespace
}  // namespace leafstore

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  return leafstore::Run(argv[1], argv[2]);
}
