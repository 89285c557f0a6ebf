// Every system call of complete programs fails once: nothing that was reported as saved is lost, no
// file is incomplete, and no program ends without a message. Unlike in SystemCallTest, the calls are
// replaced from outside, so that the programs are those that users have.
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/checkpoint/checkpoint.h"
#include "leafstore/checkpoint/manager.h"

#include "tests/core/status_matchers.h"
#include "tests/dose.h"
#include "tests/faults/saved_steps.h"
#include "tests/tools/run_program.h"

namespace leafstore {
namespace {

struct Fault {
  std::string call;
  int at = 0;
  int error = 0;

  std::string ToString() const {
    return absl::StrCat(call, " number ", at, " fails with errno ", error);
  }
};

// The calls, each with the errors that it may have.
const std::vector<std::pair<std::string, std::vector<int>>>& Calls() {
  static const auto* const calls = new std::vector<std::pair<std::string, std::vector<int>>>{
      {"open", {EIO, EMFILE, ENOSPC, EINTR}},
      {"read", {EIO, EINTR}},
      {"pread", {EIO, EINTR}},
      {"write", {EIO, ENOSPC, EINTR}},
      {"pwrite", {EIO, ENOSPC, EINTR}},
      {"fsync", {EIO, ENOSPC}},
      {"fdatasync", {EIO}},
      {"close", {EIO, EINTR}},
      {"rename", {EIO, ENOSPC}},
      {"renameat", {EIO}},
      {"renameat2", {EIO, ENOSPC, EINVAL}},
      {"link", {EIO, EMLINK}},
      {"unlink", {EIO, EACCES}},
      {"ftruncate", {EIO, ENOSPC}},
      {"mkdir", {EIO, ENOSPC}},
      {"chmod", {EIO}},
      {"flock", {EINTR, ENOLCK}},
      {"fstat", {EIO}},
      {"stat", {EIO}},
      {"lstat", {EIO}},
      {"mmap", {ENOMEM}},
      {"madvise", {EIO, ENOMEM}},
      {"fcntl", {EINVAL}},
      {"opendir", {EIO, EMFILE}},
      {"readdir", {EIO}}};
  return *calls;
}

// Calls `run` with every fault that the program reaches; in a normal run, with the first error, and
// with the first few calls and every seventh of the others.
void ForEachFault(
    const std::function<void(const Fault&, const std::vector<std::string>& env)>& run) {
  int count = 0;
  for (const auto& [call, errors] : Calls()) {
    for (const int error : errors) {
      if (!kFullDose && error != errors[0]) continue;
      for (int at = 0;; at += kFullDose || at < 3 ? 1 : 7) {
        const TempDir dir;
        const std::string reached = dir.File("reached");
        const Fault fault = {call, at, error};
        run(fault,
            {"LD_PRELOAD=" LEAFSTORE_FAULT_PRELOAD, absl::StrCat("LEAFSTORE_FAULT_CALL=", call),
             absl::StrCat("LEAFSTORE_FAULT_AT=", at), absl::StrCat("LEAFSTORE_FAULT_ERRNO=", error),
             absl::StrCat("LEAFSTORE_FAULT_REACHED=", reached)});
        if (testing::Test::HasFailure()) {
          ADD_FAILURE() << fault.ToString();
          return;
        }
        if (!std::filesystem::exists(reached)) break;
        ++count;
      }
    }
  }
  std::printf("%d system calls failed\n", count);
  EXPECT_GT(count, 20);
}

// Returns the last step that the program reported as saved.
int64_t LastSaved(const std::string& out) {
  int64_t last = 0;
  for (const absl::string_view line : absl::StrSplit(out, '\n')) {
    for (int64_t step = 1; step <= kSavedSteps; ++step) {
      if (line == absl::StrCat("saved ", step)) last = step;
    }
  }
  return last;
}

void CheckSteps(const std::string& directory, int64_t saved) {
  absl::StatusOr<CheckpointManager> manager =
      CheckpointManager::Open(directory, {.read_only = true});
  ASSERT_THAT(manager, IsOk());
  const absl::StatusOr<std::vector<int64_t>> steps = manager->Steps();
  if (saved == 0 && !steps.ok()) return;  // not even the directory could be made
  ASSERT_THAT(steps, IsOk());
  for (const int64_t step : *steps) {
    const absl::StatusOr<RestoredCheckpoint> one = manager->Restore({.step = step});
    ASSERT_THAT(one, IsOk());
    ASSERT_TRUE(IsStep(step, one->reader.Load("params").value())) << step;
  }
  if (saved == 0) return;
  const absl::StatusOr<RestoredCheckpoint> newest = manager->Restore();
  ASSERT_THAT(newest, IsOk());
  EXPECT_GE(newest->step, saved);
}

class ManagerFaultsTest : public testing::TestWithParam<const char*> {};

TEST_P(ManagerFaultsTest, FailureOfAnyCall_LosesNoConfirmedStep) {
  ForEachFault([](const Fault& fault, const std::vector<std::string>& env) {
    const TempDir dir;
    const Ran ran =
        RunProgram({LEAFSTORE_FAULT_PROGRAM, GetParam(), dir.File("run")}, {.env = env});
    EXPECT_EQ(ran.signal, 0) << ran.err;
    EXPECT_LE(ran.exit_code, 1) << ran.out << ran.err;
    EXPECT_TRUE(ran.exit_code == 0 || !ran.err.empty()) << "it ends without a message";
    const int64_t saved = LastSaved(ran.out);
    EXPECT_TRUE(saved == kSavedSteps || !ran.err.empty()) << "a step is missing without a message";
    EXPECT_GE(saved, kSavedSteps - 1) << fault.ToString() << "\n" << ran.err;
    CheckSteps(dir.File("run"), saved);
  });
}

INSTANTIATE_TEST_SUITE_P(, ManagerFaultsTest, testing::Values("save", "async", "increments"),
                         [](const auto& one) { return std::string(one.param); });

class ToolFaultsTest : public testing::Test {
 protected:
  static void Save(const std::string& path, int64_t step) {
    SaveOptions options;
    options.io.durable = false;
    ASSERT_THAT(SaveCheckpoint(path, {{"params", ParamsOfStep(step)}}, options), IsOk());
  }

  static std::vector<std::string> Contents(const TempDir& dir,
                                           const std::vector<std::string>& files) {
    std::vector<std::string> contents;
    for (const std::string& file : files) contents.push_back(ReadFile(dir.File(file)));
    return contents;
  }

  // Checks that each file is the old or the new one, and that what the program says is right.
  static void Check(const Ran& ran, const std::vector<std::string>& found,
                    const std::vector<std::string>& before, const std::vector<std::string>& after) {
    EXPECT_EQ(ran.signal, 0) << ran.err;
    EXPECT_TRUE(ran.exit_code == 0 || !ran.err.empty()) << "it ends without a message";
    for (size_t i = 0; i < found.size(); ++i) {
      EXPECT_TRUE(found[i] == after[i] || found[i] == before[i]) << "file " << i << ran.err;
      EXPECT_TRUE(ran.exit_code != 0 || found[i] == after[i]) << "file " << i;
    }
  }

  // Runs a command that writes `files` with every fault. With `replace`, the files exist before.
  static void RunCommand(const std::vector<std::string>& arguments,
                         const std::vector<std::string>& files, bool replace) {
    const auto run = [&](const TempDir& dir, const std::vector<std::string>& env) {
      Save(dir.File("new.leaf"), 2);
      for (const std::string& file : files) {
        if (replace) WriteFile(dir.File(file), "old");
      }
      return RunLeafstore(arguments, {.env = env, .directory = dir.path()});
    };
    const TempDir intact;
    ASSERT_EQ(run(intact, {}).exit_code, 0);
    const std::vector<std::string> after = Contents(intact, files);
    const std::vector<std::string> before(files.size(), replace ? "old" : "");
    ForEachFault([&](const Fault&, const std::vector<std::string>& env) {
      const TempDir dir;
      const Ran ran = run(dir, env);
      Check(ran, Contents(dir, files), before, after);
    });
  }
};

TEST_F(ToolFaultsTest, Convert_WritesAllOrNothing) {
  RunCommand({"convert", "new.leaf", "out.safetensors"}, {"out.safetensors"}, /*replace=*/false);
}

TEST_F(ToolFaultsTest, ConvertForce_KeepsTheOldOrWritesTheNewFile) {
  RunCommand({"convert", "new.leaf", "out.npz", "--force"}, {"out.npz"}, /*replace=*/true);
}

TEST_F(ToolFaultsTest, Split_LeavesNoIncompleteFile) {
  RunCommand({"split", "new.leaf", "--group", "moving=moving", "--out", "{}.leaf"},
             {"moving.leaf", "rest.leaf"}, /*replace=*/false);
}

TEST_F(ToolFaultsTest, SplitForce_LeavesNoIncompleteFile) {
  RunCommand({"split", "new.leaf", "--group", "moving=moving", "--out", "{}.leaf", "--force"},
             {"moving.leaf", "rest.leaf"}, /*replace=*/true);
}

}  // namespace
}  // namespace leafstore
