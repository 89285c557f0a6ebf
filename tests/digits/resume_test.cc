// The program killed with SIGKILL and resumed until it is done, and its errors.
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

#include "tests/digits/program.h"
#include "tests/io/temp_dir.h"
#include "tests/io/unprivileged.h"

namespace digits {
namespace {

namespace fs = std::filesystem;
using leafstore::TempDir;

constexpr int kEpochs = 10;
constexpr int64_t kStepsPerEpoch = 45;

std::vector<std::string> Options(const std::string& directory, bool resume) {
  std::vector<std::string> options = {"--checkpoint-dir", directory, "--epochs",
                                      std::to_string(kEpochs)};
  if (resume) options.push_back("--resume");
  return options;
}

int RunToEnd(const std::string& directory, bool resume, const std::string& stderr_to = "") {
  return Wait(Start(Options(directory, resume), {.err = stderr_to}));
}

std::string LastCheckpoint(const std::string& directory) {
  return CheckpointOf(directory, kEpochs * kStepsPerEpoch);
}

// Waits until a file exists.
void WaitFor(const std::string& path) {
  for (int i = 0; i < 20000 && !fs::exists(path); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  ASSERT_TRUE(fs::exists(path)) << path;
}

TEST(ResumeTest, KilledRun_EndsWithTheSameBitsAsAnUninterruptedRun) {
  const TempDir root;
  const std::string full = root.File("full"), killed = root.File("killed");
  const auto begin = std::chrono::steady_clock::now();
  ASSERT_TRUE(Succeeded(RunToEnd(full, false)));
  const std::chrono::duration<double> length = std::chrono::steady_clock::now() - begin;

  const auto seed =
      static_cast<uint32_t>(std::chrono::system_clock::now().time_since_epoch().count());
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  int kills = 0;
  bool done = false;
  while (!done) {
    // Kill it at a random moment; after some kills let it run to the end.
    const pid_t pid = Start(Options(killed, /*resume=*/true));
    if (kills < 8) {
      const double share = std::uniform_real_distribution<double>(0.02, 0.5)(random);
      std::this_thread::sleep_for(share * length);
      kill(pid, SIGKILL);
    }
    const int status = Wait(pid);
    if (WIFSIGNALED(status)) {
      ++kills;
    } else {
      ASSERT_TRUE(Succeeded(status));
      done = true;
    }
  }
  EXPECT_GE(kills, 1);
  ExpectSameItems(LastCheckpoint(full), LastCheckpoint(killed));
  const std::vector<std::string> names = leafstore::FileSystem::Posix().List(full).value();
  for (const std::string& name : names) {
    EXPECT_TRUE(name == "LOCK" || fs::path(name).extension() == ".leaf")
        << name << ": left behind by a run that was not killed";
  }
}

TEST(ResumeTest, Keep_KeepsTheNewestCheckpointsAndTheBest) {
  const TempDir root;
  std::vector<std::string> options = Options(root.path(), false);
  options.insert(options.end(), {"--keep", "2", "--save-every", "100"});
  ASSERT_TRUE(Succeeded(Wait(Start(options))));
  // Saved every hundred steps and after the last one; the newest two are kept.
  EXPECT_TRUE(fs::exists(CheckpointOf(root.path(), 400)));
  EXPECT_TRUE(fs::exists(CheckpointOf(root.path(), 450)));
  double best = 0, best_kept = 0;
  for (const int64_t step : {100, 200, 300, 400, 450}) {
    const auto reader = leafstore::CheckpointReader::Open(CheckpointOf(root.path(), step));
    if (reader.ok()) best_kept = std::max(best_kept, reader->metrics().at("accuracy"));
  }
  options = Options(root.File("all"), false);
  options.insert(options.end(), {"--keep", "9", "--save-every", "100"});
  ASSERT_TRUE(Succeeded(Wait(Start(options))));
  for (const int64_t step : {100, 200, 300, 400, 450}) {
    const auto reader = leafstore::CheckpointReader::Open(CheckpointOf(root.File("all"), step));
    ASSERT_TRUE(reader.ok()) << reader.status();
    best = std::max(best, reader->metrics().at("accuracy"));
  }
  EXPECT_EQ(best_kept, best);
  ExpectSameItems(LastCheckpoint(root.path()), LastCheckpoint(root.File("all")));
}

TEST(ResumeTest, NewRun_DirectoryHasCheckpoints_IsAnError) {
  const TempDir root;
  ASSERT_TRUE(Succeeded(RunToEnd(root.path(), false)));
  const auto written = fs::last_write_time(LastCheckpoint(root.path()));
  const std::string errors = root.File("stderr");
  EXPECT_TRUE(Exited(RunToEnd(root.path(), false, errors), 1));
  EXPECT_EQ(leafstore::ReadFile(errors), "digits: " + root.path() +
                                             " has checkpoints already (the newest is " +
                                             LastCheckpoint(root.path()) +
                                             "); use --resume to continue, or another directory\n");
  EXPECT_EQ(fs::last_write_time(LastCheckpoint(root.path())), written);
}

TEST(ResumeTest, AnyRun_LockedDirectory_IsAnError) {
  const TempDir root;
  // This run lasts longer than the test may take.
  const pid_t first = Start({"--checkpoint-dir", root.path(), "--epochs", "9999"});
  WaitFor(CheckpointOf(root.path(), kStepsPerEpoch));
  for (const bool resume : {false, true}) {
    const std::string errors = root.File("stderr");
    EXPECT_TRUE(Exited(RunToEnd(root.path(), resume, errors), 1));
    EXPECT_EQ(leafstore::ReadFile(errors),
              "digits: cannot lock " + root.path() +
                  "/LOCK: this process or another one holds the lock\n");
  }
  kill(first, SIGKILL);
  EXPECT_TRUE(WIFSIGNALED(Wait(first))) << "the first run ended by itself";
}

TEST(ResumeTest, FailedSave_EndsTheRunWithItsMessage) {
  const TempDir root;
  const std::string directory = root.File("run"), moved = root.File("moved");
  const std::string errors = root.File("stderr");
  std::vector<std::string> options = Options(directory, false);
  options.insert(options.end(), {"--save-every", "1", "--keep", "3"});
  const pid_t pid = Start(options, {.err = errors});
  WaitFor(CheckpointOf(directory, 1));
  fs::rename(directory, moved);
  EXPECT_TRUE(Exited(Wait(pid), 1));
  const std::string message = leafstore::ReadFile(errors);
  // Any part of a save may have failed.
  EXPECT_EQ(message.rfind("digits: ", 0), 0u) << message;
  EXPECT_NE(message.find("cannot "), std::string::npos) << message;
  EXPECT_NE(message.find(directory), std::string::npos) << message;
  EXPECT_NE(message.find("No such file or directory"), std::string::npos) << message;
  EXPECT_TRUE(Succeeded(RunToEnd(moved, /*resume=*/true))) << "earlier checkpoints can be resumed";
}

TEST(ResumeTest, DamagedCheckpoint_IsNamedAndSkipped) {
  const TempDir root;
  ASSERT_TRUE(Succeeded(RunToEnd(root.path(), false)));
  const std::string last = LastCheckpoint(root.path()), contents = leafstore::ReadFile(last);
  const std::string half = contents.substr(0, contents.size() / 2);
  const std::string intact = root.File("intact.leaf");
  leafstore::WriteFile(intact, contents);
  leafstore::WriteFile(last, half);
  const std::string errors = root.File("stderr");
  ASSERT_TRUE(Succeeded(RunToEnd(root.path(), true, errors)));
  const std::string message = leafstore::ReadFile(errors);
  EXPECT_EQ(message.rfind("digits: skipped: " + last + ": footer: expected ", 0), 0u) << message;
  ExpectSameItems(last, intact);
  const std::string aside =
      fs::path(last).parent_path() / ("abandoned-" + fs::path(last).filename().string());
  EXPECT_TRUE(leafstore::ReadFile(aside) == half) << "nothing is removed";
}

TEST(ResumeTest, Resume_AllCheckpointsDamaged_IsAnErrorAndStartsNoRun) {
  const TempDir root;
  leafstore::WriteFile(CheckpointOf(root.path(), 45), "x");
  leafstore::WriteFile(CheckpointOf(root.path(), 90), "y");
  const std::string errors = root.File("stderr");
  EXPECT_TRUE(Exited(RunToEnd(root.path(), true, errors), 1));
  const std::string message = leafstore::ReadFile(errors);
  EXPECT_EQ(message.rfind("digits: " + root.path() + ": none of 2 checkpoints can be read: ", 0),
            0u)
      << message;
  EXPECT_EQ(leafstore::ReadFile(CheckpointOf(root.path(), 90)), "y");
}

TEST(ResumeTest, AnyRun_UnreadableDirectory_IsNamed) {
  const TempDir dir;
  const std::string closed = dir.File("closed"), file = dir.File("file");
  ASSERT_EQ(mkdir(closed.c_str(), 0300), 0);
  ASSERT_EQ(chmod(dir.path().c_str(), 0777), 0);
  leafstore::WriteFile(file, "x");
  // Runs the program, which must fail, and returns its message.
  const auto error_of = [&dir](const std::string& directory, bool resume) {
    const std::string errors = dir.File("stderr");
    EXPECT_TRUE(Exited(RunToEnd(directory, resume, errors), 1));
    const std::string message = leafstore::ReadFile(errors);
    fs::remove(errors);
    return message;
  };
  for (const bool resume : {false, true}) {
    EXPECT_EQ(error_of(file, resume), "digits: " + file + ": Not a directory\n");
    const leafstore::Unprivileged unprivileged;
    if (!unprivileged.May(dir.path(), W_OK | X_OK) ||
        !unprivileged.May(LEAFSTORE_DIGITS_PROGRAM, X_OK) ||
        !unprivileged.May(LEAFSTORE_DIGITS_DATA, R_OK)) {
      GTEST_SKIP() << "no user without permissions is available";
    }
    EXPECT_EQ(error_of(closed, resume),
              "digits: cannot open lock " + closed + "/LOCK: Permission denied\n");
  }
  EXPECT_EQ(leafstore::ReadFile(file), "x");
  ASSERT_EQ(chmod(closed.c_str(), 0700), 0);
  EXPECT_TRUE(fs::is_empty(closed));
}

}  // namespace
}  // namespace digits
