#include "tests/digits/kill_and_resume.h"

#include <signal.h>
#include <sys/wait.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "data.h"
#include "gtest/gtest.h"

#include "leafstore/checkpoint/manager.h"

#include "tests/digits/program.h"
#include "tests/io/temp_dir.h"

namespace digits {
namespace {

namespace fs = std::filesystem;
using leafstore::CheckpointManager;
using leafstore::RestoredCheckpoint;
using std::chrono::milliseconds;

constexpr int kImages = 320;     // 256 of them to train on: 8 steps an epoch
constexpr int kKillEpochs = 12;  // the embedding is unfrozen after 6
constexpr int64_t kKillSteps = 8 * kKillEpochs;
constexpr int64_t kNone = -1;  // the step if no checkpoint exists

void WriteSomeImages(const std::string& path) {
  const Dataset data = LoadDigits(LEAFSTORE_DIGITS_DATA).value().train;
  std::string text;
  for (int i = 0; i < kImages; ++i) {
    for (int k = 0; k < kPixels; ++k) {
      absl::StrAppend(&text, std::lround(data.images(i, k) * 16), ",");
    }
    absl::StrAppend(&text, data.labels[static_cast<size_t>(i)], "\n");
  }
  leafstore::WriteFile(path, text);
}

bool HasEnded(pid_t pid) {
  siginfo_t info = {};
  return waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
         info.si_pid == pid;
}

// Returns the steps that have a checkpoint.
std::vector<int64_t> StepsIn(const std::string& directory) {
  if (!fs::exists(directory)) return {};
  return CheckpointManager::Open(directory, {.read_only = true}).value().Steps().value();
}

// Expects that every checkpoint in a directory is intact. Returns the step of the newest.
int64_t CheckAllAndGetNewest(const std::string& directory) {
  const std::vector<int64_t> steps = StepsIn(directory);
  if (steps.empty()) return kNone;
  CheckpointManager manager = CheckpointManager::Open(directory, {.read_only = true}).value();
  for (const int64_t step : steps) {
    EXPECT_TRUE(manager.Restore({.step = step}).ok()) << manager.Restore({.step = step}).status();
  }
  const absl::StatusOr<RestoredCheckpoint> newest = manager.Restore();
  EXPECT_TRUE(newest.ok() && newest->step == steps.back() && newest->skipped.empty());
  return steps.back();
}

bool HasUnfinishedFile(const std::string& directory) {
  if (!fs::exists(directory)) return false;
  for (const fs::directory_entry& file : fs::directory_iterator(directory)) {
    if (absl::StrContains(file.path().filename().string(), ".tmp-")) return true;
  }
  return false;
}

// The line of each epoch without its time and file name, by "epoch   3/12".
using EpochLines = std::map<std::string, std::string>;

EpochLines EpochLinesOf(const std::string& output) {
  EpochLines lines;
  for (absl::string_view line : absl::StrSplit(output, '\n')) {
    const size_t epoch_end = line.find("  loss "), path = line.find("  -> ");
    if (!absl::StartsWith(line, "epoch ") || path == line.npos) continue;
    const size_t time = line.rfind("  ", path - 1);
    lines.emplace(line.substr(0, epoch_end), line.substr(0, time));
  }
  return lines;
}

// A run that is killed again and again.
class KilledRun {
 public:
  KilledRun(std::vector<std::string> options, std::string directory, const EpochLines& expected)
      : options_(std::move(options)), directory_(std::move(directory)), expected_(expected) {
    options_.insert(options_.end(), {"--checkpoint-dir", directory_, "--resume"});
  }

  // Runs one process, and may kill it. Returns whether the run ended.
  bool RunOne(bool may_kill, std::mt19937* random, KillCounts* counts) {
    const std::string output = directory_ + ".out";
    const pid_t pid = Start(options_, {.out = output});
    if (may_kill) {
      WaitForRandomMoment(pid, random);
      kill(pid, SIGKILL);
    }
    const int status = Wait(pid);
    ExpectOutput(leafstore::ReadFile(output), WIFSIGNALED(status));
    const int64_t newest = CheckAllAndGetNewest(directory_);
    EXPECT_GE(newest, newest_) << "a checkpoint was lost";
    newest_ = newest;
    if (!WIFSIGNALED(status)) {
      EXPECT_TRUE(Succeeded(status));
      return true;
    }
    ++counts->kills;
    if (HasUnfinishedFile(directory_)) ++counts->inside_a_save;
    return false;
  }

 private:
  // Three times in four waits for some progress first.
  void WaitForRandomMoment(pid_t pid, std::mt19937* random) const {
    if ((*random)() % 4 == 0) {
      std::this_thread::sleep_for(milliseconds((*random)() % 100));
      return;
    }
    while (!HasEnded(pid)) {
      const std::vector<int64_t> steps = StepsIn(directory_);
      if (!steps.empty() && steps.back() > newest_) break;
      std::this_thread::sleep_for(milliseconds(1));
    }
    std::this_thread::sleep_for(milliseconds(20 + (*random)() % 181));
  }

  void ExpectOutput(const std::string& output, bool was_killed) const {
    const std::string from =
        newest_ == kNone ? "256 images"
                         : absl::StrCat("resuming from ", CheckpointOf(directory_, newest_), "\n");
    const bool printed_nothing = output.empty() && was_killed;
    EXPECT_TRUE(printed_nothing || absl::StartsWith(output, from)) << "expected " << from << output;
    for (const auto& [epoch, line] : EpochLinesOf(output)) {
      ASSERT_EQ(expected_.count(epoch), 1u) << line;
      EXPECT_EQ(line, expected_.at(epoch));
    }
  }

  std::vector<std::string> options_;
  const std::string directory_;
  const EpochLines& expected_;
  int64_t newest_ = kNone;  // step of the newest checkpoint
};

}  // namespace

KillCounts KillAndResume(int kills, uint32_t seed) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  const leafstore::TempDir root;
  const std::string full = root.File("full"), output = root.File("full.out");
  WriteSomeImages(root.File("images.csv"));
  const std::vector<std::string> options = {"--data",       root.File("images.csv"),
                                            "--epochs",     std::to_string(kKillEpochs),
                                            "--save-every", "1",
                                            "--keep",       "3"};
  std::vector<std::string> uninterrupted = options;
  uninterrupted.insert(uninterrupted.end(), {"--checkpoint-dir", full});
  EXPECT_TRUE(Succeeded(Wait(Start(uninterrupted, {.out = output}))));
  const EpochLines expected = EpochLinesOf(leafstore::ReadFile(output));
  EXPECT_EQ(expected.size(), static_cast<size_t>(kKillEpochs));

  std::mt19937 random(seed);
  KillCounts counts;
  while (counts.kills < kills && !testing::Test::HasFailure()) {
    const std::string directory = root.File(absl::StrCat("run-", counts.runs++));
    KilledRun run(options, directory, expected);
    while (!run.RunOne(counts.kills < kills, &random, &counts)) continue;
    ExpectSameItems(CheckpointOf(full, kKillSteps), CheckpointOf(directory, kKillSteps));
    EXPECT_FALSE(HasUnfinishedFile(directory));
    fs::remove_all(directory);
  }
  std::printf("%d kills, %d of them inside a save, in %d runs; seed %u\n", counts.kills,
              counts.inside_a_save, counts.runs, seed);
  return counts;
}

uint32_t SeedOfTheClock() {
  return static_cast<uint32_t>(std::chrono::system_clock::now().time_since_epoch().count());
}

}  // namespace digits
