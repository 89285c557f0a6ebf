// Every system call of complete programs fails once: nothing that was reported as saved is lost, no
// file is incomplete, and no program ends without a message. Unlike in SystemCallTest, the calls are
// replaced from outside, so that the programs are those that users have.
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <functional>
#include <iterator>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
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
      {"mincore", {ENOMEM}},
      {"posix_fadvise", {EINVAL, EIO}},
      {"fstatfs", {EIO}},
      {"fcntl", {EINVAL}},
      {"opendir", {EIO, EMFILE}},
      {"readdir", {EIO}}};
  return *calls;
}

// Calls `run` with every fault that the program reaches; in a normal run, with the first error, and
// with the first few calls and every seventh of the others.
void ForEachFault(
    const std::function<void(const Fault&, const std::vector<std::string>& env)>& run) {
  std::map<std::string, int> counts;
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
        ++counts[call];
      }
    }
  }
  std::string text;
  for (const auto& [call, count] : counts) absl::StrAppend(&text, " ", call, " ", count);
  std::printf("failed:%s\n", text.c_str());
  EXPECT_GT(counts.size(), 3u) << "the library does not replace them";
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
  // The files of a directory, by name.
  using Contents = std::map<std::string, std::string>;

  static void Save(const std::string& path, int64_t step) {
    SaveOptions options;
    options.io.durable = false;
    ASSERT_THAT(SaveCheckpoint(path, {{"params", ParamsOfStep(step)}}, options), IsOk());
  }

  static Contents ContentsOf(const TempDir& dir) {
    Contents contents;
    for (const std::string& name : dir.List()) contents[name] = ReadFile(dir.File(name));
    return contents;
  }

  static std::vector<std::string> NamesOf(const Contents& contents) {
    std::vector<std::string> names;
    for (const auto& [name, bytes] : contents) names.push_back(name);
    return names;
  }

  // Runs a command with every fault. Before, the directory has new.leaf, old.leaf and what
  // `prepare` writes; after it, all files are as before, or all as after a run without a fault.
  static void RunCommand(const std::vector<std::string>& arguments,
                         const std::vector<std::string>& prepare = {}) {
    const auto make = [&](const TempDir& dir) {
      Save(dir.File("old.leaf"), 1);
      Save(dir.File("new.leaf"), 2);
      if (prepare.empty()) return;
      ASSERT_EQ(RunLeafstore(prepare, {.directory = dir.path()}).exit_code, 0);
    };
    const TempDir intact;
    make(intact);
    const Contents before = ContentsOf(intact);
    const Ran expected = RunLeafstore(arguments, {.directory = intact.path()});
    ASSERT_EQ(expected.exit_code, 0) << expected.err;
    const Contents after = ContentsOf(intact);
    ASSERT_NE(before, after);
    ForEachFault([&](const Fault& fault, const std::vector<std::string>& env) {
      const TempDir dir;
      make(dir);
      const Ran ran = RunLeafstore(arguments, {.env = env, .directory = dir.path()});
      Contents found = ContentsOf(dir);
      EXPECT_EQ(ran.signal, 0) << ran.err;
      EXPECT_TRUE(ran.exit_code == 0 || !ran.err.empty()) << "it ends without a message";
      // A file that could not be removed, or is kept as the last sync failed, remains under a name
      // that no reader uses.
      const bool keeps_old = absl::StrContains(ran.err, "the old files are kept");
      if ((fault.call == "unlink" || keeps_old) && found != before) EraseLeftovers(after, &found);
      EXPECT_TRUE(found == before || found == after)
          << "a mixture of " << testing::PrintToString(NamesOf(found)) << ran.err;
      EXPECT_TRUE(ran.exit_code != 0 || found == after) << "nothing was written";
      EXPECT_TRUE(ran.exit_code == 0 || found == before || absl::StrContains(ran.err, "in place"))
          << "the message does not say that the files are there: " << ran.err;
    });
  }

 private:
  // Erases temporary files, and shards that no index names.
  static void EraseLeftovers(const Contents& after, Contents* contents) {
    for (auto it = contents->begin(); it != contents->end();) {
      const bool leftover = absl::StrContains(it->first, ".tmp-") ||
                            absl::StrContains(it->first, ".old-") ||
                            (absl::StrContains(it->first, "-of-") && after.count(it->first) == 0);
      it = leftover ? contents->erase(it) : std::next(it);
    }
  }
};

TEST_F(ToolFaultsTest, Convert_WritesAllOrNothing) {
  RunCommand({"convert", "new.leaf", "out.safetensors"});
}

TEST_F(ToolFaultsTest, ConvertForce_KeepsTheOldOrWritesTheNewFile) {
  RunCommand({"convert", "new.leaf", "out.npz", "--force"}, {"convert", "old.leaf", "out.npz"});
}

TEST_F(ToolFaultsTest, ConvertForceOfShards_ReplacesAllOrNone) {
  const std::vector<std::string> old = {"convert", "old.leaf", "out.safetensors", "--shard-size",
                                        "1K"};
  RunCommand({"convert", "new.leaf", "out.safetensors", "--shard-size", "1K", "--force"}, old);
  RunCommand({"convert", "new.leaf", "out.safetensors", "--force"}, old);
}

TEST_F(ToolFaultsTest, MergeForceToShards_ReplacesAllOrNone) {
  RunCommand({"merge", "new.leaf", "--out", "out.safetensors", "--shard-size", "1K", "--force"},
             {"convert", "old.leaf", "out.safetensors"});
}

TEST_F(ToolFaultsTest, Split_WritesAllOrNothing) {
  RunCommand({"split", "new.leaf", "--group", "moving=moving", "--out", "{}.leaf"});
}

TEST_F(ToolFaultsTest, SplitForce_ReplacesAllOrNone) {
  RunCommand({"split", "new.leaf", "--group", "moving=moving", "--out", "{}.leaf", "--force"},
             {"split", "old.leaf", "--group", "moving=moving", "--out", "{}.leaf"});
}

TEST_F(ToolFaultsTest, CommandsThatRead_SayWhyTheyFail) {
  const TempDir dir;
  Save(dir.File("a.leaf"), 1);
  ASSERT_EQ(
      RunLeafstore({"convert", "a.leaf", "a.safetensors"}, {.directory = dir.path()}).exit_code, 0);
  ASSERT_EQ(RunLeafstore({"convert", "a.leaf", "run/", "--step", "1"}, {.directory = dir.path()})
                .exit_code,
            0);
  for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{
           {"inspect", "a.leaf", "--stats"},
           {"inspect", "run", "--json"},
           {"tree", "a.leaf"},
           {"cat", "a.leaf", "**"},
           {"stats", "a.leaf"},
           {"diff", "a.leaf", "a.safetensors"},
           {"verify", "a.leaf", "a.safetensors"},
           {"verify", "run", "--json"},
           {"explain", "a.leaf", "--group", "moving=moving"},
           {"rename", "a.leaf", "moving=moved"},
           {"inspect", "a.safetensors", "--stats"},
#ifdef LEAFSTORE_HAS_REPORT
           {"report", "a.leaf", "-o", "-"},
#endif
       }) {
    ASSERT_EQ(RunLeafstore(arguments, {.directory = dir.path()}).exit_code, 0) << arguments[0];
    ForEachFault([&](const Fault&, const std::vector<std::string>& env) {
      const Ran ran = RunLeafstore(arguments, {.env = env, .directory = dir.path()});
      EXPECT_EQ(ran.signal, 0) << ran.err;
      EXPECT_TRUE(ran.exit_code == 0 || !ran.err.empty())
          << arguments[0] << " ends without a message: " << ran.out;
    });
  }
  EXPECT_THAT(dir.List(), testing::ElementsAre("a.leaf", "a.safetensors", "run"));
}

}  // namespace
}  // namespace leafstore
