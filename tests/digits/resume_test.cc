// The program killed with SIGKILL and resumed, as often as it takes: the parameters it ends with
// are those of a run that nobody disturbed, bit for bit.
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

// Returns when there is a file.
void WaitFor(const std::string& path) {
  for (int i = 0; i < 20000 && !fs::exists(path); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  ASSERT_TRUE(fs::exists(path)) << path;
}

TEST(ResumeTest, ARunThatIsKilledAndResumedEndsBitForBitAsOneThatIsNot) {
  const TempDir root;
  const std::string whole = root.File("whole"), killed = root.File("killed");
  const auto begin = std::chrono::steady_clock::now();
  ASSERT_TRUE(Succeeded(RunToEnd(whole, false)));
  const std::chrono::duration<double> length = std::chrono::steady_clock::now() - begin;

  const auto seed =
      static_cast<uint32_t>(std::chrono::system_clock::now().time_since_epoch().count());
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  int kills = 0;
  bool done = false;
  while (!done) {
    // At any moment of a run; after some kills it may go on to its end.
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
  ExpectSameItems(LastCheckpoint(whole), LastCheckpoint(killed));
  const std::vector<std::string> names = leafstore::FileSystem::Posix().List(whole).value();
  for (const std::string& name : names) {
    EXPECT_TRUE(name == "LOCK" || fs::path(name).extension() == ".leaf")
        << name << ": a leftover of a run that was not killed";
  }
}

TEST(ResumeTest, TheNewestCheckpointsAndTheBestAreKept) {
  const TempDir root;
  std::vector<std::string> options = Options(root.path(), false);
  options.insert(options.end(), {"--keep", "2", "--save-every", "100"});
  ASSERT_TRUE(Succeeded(Wait(Start(options))));
  // Every hundred steps, and the last; of these the newest two.
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

TEST(ResumeTest, ADirectoryWithARunIsNotOverwritten) {
  const TempDir root;
  ASSERT_TRUE(Succeeded(RunToEnd(root.path(), false)));
  const auto written = fs::last_write_time(LastCheckpoint(root.path()));
  const std::string said = root.File("stderr");
  EXPECT_TRUE(Exited(RunToEnd(root.path(), false, said), 1));
  EXPECT_EQ(leafstore::ReadFile(said),
            "digits: " + root.path() + " has checkpoints of a run (" + LastCheckpoint(root.path()) +
                "): say --resume to go on with it, or choose another directory\n");
  EXPECT_EQ(fs::last_write_time(LastCheckpoint(root.path())), written);
}

TEST(ResumeTest, ADirectoryInWhichARunIsAtWorkIsRefused) {
  const TempDir root;
  // Longer than the test may take.
  const pid_t first = Start({"--checkpoint-dir", root.path(), "--epochs", "9999"});
  WaitFor(CheckpointOf(root.path(), kStepsPerEpoch));
  for (const bool resume : {false, true}) {
    const std::string said = root.File("stderr");
    EXPECT_TRUE(Exited(RunToEnd(root.path(), resume, said), 1));
    EXPECT_EQ(leafstore::ReadFile(said), "digits: cannot lock " + root.path() +
                                             "/LOCK: this process or another one holds the lock\n");
  }
  kill(first, SIGKILL);
  EXPECT_TRUE(WIFSIGNALED(Wait(first))) << "the first was disturbed";
}

TEST(ResumeTest, AFailedSaveEndsTheRun) {
  const TempDir root;
  const std::string directory = root.File("run"), moved = root.File("moved");
  const std::string said = root.File("stderr");
  std::vector<std::string> options = Options(directory, false);
  options.insert(options.end(), {"--save-every", "1", "--keep", "3"});
  const pid_t pid = Start(options, {.err = said});
  WaitFor(CheckpointOf(directory, 1));
  fs::rename(directory, moved);
  EXPECT_TRUE(Exited(Wait(pid), 1));
  const std::string words = leafstore::ReadFile(said);
  // Whichever part of a save it was that failed.
  EXPECT_EQ(words.rfind("digits: ", 0), 0u) << words;
  EXPECT_NE(words.find("cannot "), std::string::npos) << words;
  EXPECT_NE(words.find(directory), std::string::npos) << words;
  EXPECT_NE(words.find("No such file or directory"), std::string::npos) << words;
  EXPECT_TRUE(Succeeded(RunToEnd(moved, /*resume=*/true))) << "what was saved before is there";
}

TEST(ResumeTest, ADamagedCheckpointIsNamedAndPassedOver) {
  const TempDir root;
  ASSERT_TRUE(Succeeded(RunToEnd(root.path(), false)));
  const std::string last = LastCheckpoint(root.path()), whole = leafstore::ReadFile(last);
  const std::string half = whole.substr(0, whole.size() / 2);
  const std::string as_it_was = root.File("as_it_was.leaf");
  leafstore::WriteFile(as_it_was, whole);
  leafstore::WriteFile(last, half);
  const std::string said = root.File("stderr");
  ASSERT_TRUE(Succeeded(RunToEnd(root.path(), true, said)));
  const std::string words = leafstore::ReadFile(said);
  EXPECT_EQ(words.rfind("digits: skipped: " + last + ": footer: expected ", 0), 0u) << words;
  ExpectSameItems(last, as_it_was);
  EXPECT_TRUE(leafstore::ReadFile(last + ".damaged") == half) << "nothing is removed";
}

TEST(ResumeTest, WhereNoCheckpointIsWholeTheRunIsNotBegunAnew) {
  const TempDir root;
  leafstore::WriteFile(CheckpointOf(root.path(), 45), "x");
  leafstore::WriteFile(CheckpointOf(root.path(), 90), "y");
  const std::string said = root.File("stderr");
  EXPECT_TRUE(Exited(RunToEnd(root.path(), true, said), 1));
  const std::string words = leafstore::ReadFile(said);
  EXPECT_EQ(words.rfind("digits: " + root.path() + ": none of 2 checkpoints can be read: ", 0), 0u)
      << words;
  EXPECT_EQ(leafstore::ReadFile(CheckpointOf(root.path(), 90)), "y");
}

TEST(ResumeTest, ADirectoryThatCannotBeReadIsNamed) {
  const TempDir dir;
  const std::string closed = dir.File("closed"), file = dir.File("file");
  ASSERT_EQ(mkdir(closed.c_str(), 0300), 0);
  ASSERT_EQ(chmod(dir.path().c_str(), 0777), 0);
  leafstore::WriteFile(file, "x");
  // What the program says there; it must fail.
  const auto message = [&dir](const std::string& directory, bool resume) {
    const std::string said = dir.File("stderr");
    EXPECT_TRUE(Exited(RunToEnd(directory, resume, said), 1));
    const std::string words = leafstore::ReadFile(said);
    fs::remove(said);
    return words;
  };
  for (const bool resume : {false, true}) {
    EXPECT_EQ(message(file, resume), "digits: " + file + ": Not a directory\n");
    const leafstore::Unprivileged unprivileged;
    if (!unprivileged.May(dir.path(), W_OK | X_OK) ||
        !unprivileged.May(LEAFSTORE_DIGITS_PROGRAM, X_OK) ||
        !unprivileged.May(LEAFSTORE_DIGITS_DATA, R_OK)) {
      GTEST_SKIP() << "no user to become who is refused something";
    }
    EXPECT_EQ(message(closed, resume),
              "digits: cannot open lock " + closed + "/LOCK: Permission denied\n");
  }
  EXPECT_EQ(leafstore::ReadFile(file), "x");
  ASSERT_EQ(chmod(closed.c_str(), 0700), 0);
  EXPECT_TRUE(fs::is_empty(closed));
}

}  // namespace
}  // namespace digits
