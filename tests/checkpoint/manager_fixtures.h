// The fixtures of tests of CheckpointManager on the file system of this machine.
#ifndef LEAFSTORE_TESTS_CHECKPOINT_MANAGER_FIXTURES_H_
#define LEAFSTORE_TESTS_CHECKPOINT_MANAGER_FIXTURES_H_

#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

#include "leafstore/checkpoint/manager.h"

#include "tests/checkpoint/hooked_files.h"
#include "tests/checkpoint/models.h"
#include "tests/core/status_matchers.h"
#include "tests/io/temp_dir.h"
#include "tests/store/sample_models.h"

namespace leafstore {

inline void FlipBitOf(const std::string& path) {
  std::string bytes = ReadFile(path);
  bytes[70] = static_cast<char>(bytes[70] ^ 1);
  WriteFile(path, bytes);
}

class ManagerTest : public testing::Test {
 protected:
  static ParamStore Params(float value) {
    return StoreAt({{".w", Filled(value, 100)}, {".name", Value("x")}});
  }
  static std::vector<CheckpointItem> Items(const ParamStore& params) {
    std::vector<CheckpointItem> items;
    items.emplace_back("params", params);
    return items;
  }
  CheckpointManager Open(ManagerOptions options = {}) {
    return CheckpointManager::Open(dir_.File("run"), std::move(options)).value();
  }
  float Loaded(const RestoredCheckpoint& restored) {
    const Leaf leaf = restored.reader.LoadLeaf("params", ".w").value();
    return leaf.tensor().span<float>()[0];
  }
  static void Damage(const std::string& path) { FlipBitOf(path); }

  TempDir dir_;
};

// A directory whose calls can be made to fail.
class RunDirectoryTest : public testing::Test {
 protected:
  CheckpointManager Open(ManagerOptions options = {}) {
    options.io.file_system = &files_;
    return CheckpointManager::Open(dir_.File("run"), std::move(options)).value();
  }
  std::string PathOf(const std::string& name) { return dir_.File("run/" + name); }
  std::vector<std::string> Names() { return FileSystem::Posix().List(dir_.File("run")).value(); }
  static void Damage(const std::string& path) { FlipBitOf(path); }

  TempDir dir_;
  HookedFiles files_;
};

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_CHECKPOINT_MANAGER_FIXTURES_H_
