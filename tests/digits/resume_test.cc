// The program killed with SIGKILL and resumed, as often as it takes: the parameters it ends with are
// those of a run that nobody disturbed, bit for bit.
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

#include "leafstore/checkpoint/reader.h"
#include "leafstore/store/param_store.h"

#include "tests/checkpoint/temp_dir.h"
#include "tests/checkpoint/unprivileged.h"

namespace digits {
namespace {

namespace fs = std::filesystem;
using leafstore::CheckpointReader;
using leafstore::ParamStore;

constexpr int kEpochs = 10;

pid_t Start(const fs::path& directory, bool resume, const std::string& stderr_to = "") {
  std::vector<std::string> words = {LEAFSTORE_DIGITS_PROGRAM, "--checkpoint-dir", directory,
                                    "--epochs", std::to_string(kEpochs)};
  if (resume) words.push_back("--resume");
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  if (!stderr_to.empty()) {
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, stderr_to.c_str(),
                                     O_WRONLY | O_CREAT | O_TRUNC, 0666);
  }
  pid_t pid = -1;
  EXPECT_EQ(
      posix_spawn(&pid, LEAFSTORE_DIGITS_PROGRAM, &actions, nullptr, arguments.data(), environ), 0);
  posix_spawn_file_actions_destroy(&actions);
  return pid;
}

// The status that waitpid gives.
int Wait(pid_t pid) {
  int status = -1;
  EXPECT_EQ(waitpid(pid, &status, 0), pid);
  return status;
}

bool Succeeded(int status) { return WIFEXITED(status) && WEXITSTATUS(status) == 0; }

std::string LastCheckpoint(const fs::path& directory) {
  char name[32];
  std::snprintf(name, sizeof name, "epoch-%04d.leaf", kEpochs);
  return directory / name;
}

void ExpectSameCheckpoints(const std::string& a, const std::string& b) {
  const CheckpointReader left = CheckpointReader::Open(a).value();
  const CheckpointReader right = CheckpointReader::Open(b).value();
  ASSERT_EQ(left.items(), right.items());
  for (const std::string& item : left.items()) {
    const ParamStore l = left.Load(item).value();
    const ParamStore r = right.Load(item).value();
    ASSERT_EQ(l.layout(), r.layout()) << item;
    ASSERT_EQ(l.size(), r.size()) << item;
    for (uint32_t place = 0; place < l.size(); ++place) {
      EXPECT_EQ(l.leaf(place), r.leaf(place)) << item << " " << l.PathText(place);
    }
  }
}

TEST(ResumeTest, ARunThatIsKilledAndResumedEndsBitForBitAsOneThatIsNot) {
  const fs::path root = fs::path(testing::TempDir()) / ("digits-" + std::to_string(getpid()));
  const fs::path whole = root / "whole", killed = root / "killed";
  const auto begin = std::chrono::steady_clock::now();
  ASSERT_TRUE(Succeeded(Wait(Start(whole, false))));
  const std::chrono::duration<double> length = std::chrono::steady_clock::now() - begin;

  const auto seed =
      static_cast<uint32_t>(std::chrono::system_clock::now().time_since_epoch().count());
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  int kills = 0;
  bool done = false;
  while (!done) {
    // At any moment of a run; after some kills it may go on to its end.
    const pid_t pid = Start(killed, /*resume=*/true);
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
  ExpectSameCheckpoints(LastCheckpoint(whole), LastCheckpoint(killed));
  for (const fs::directory_entry& file : fs::directory_iterator(whole)) {
    EXPECT_EQ(file.path().extension(), ".leaf") << "a leftover of a run that was not killed";
  }
  fs::remove_all(root);
}

TEST(ResumeTest, ADirectoryWithARunIsNotOverwritten) {
  const fs::path root = fs::path(testing::TempDir()) / ("digits-again-" + std::to_string(getpid()));
  ASSERT_TRUE(Succeeded(Wait(Start(root, false))));
  const auto written = fs::last_write_time(LastCheckpoint(root));
  const fs::path said = root / "stderr";
  const int status = Wait(Start(root, false, said));
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 1);
  EXPECT_EQ(leafstore::ReadFile(said),
            "digits: " + root.string() + " has checkpoints of a run (" + LastCheckpoint(root) +
                "): say --resume to go on with it, or choose another directory\n");
  EXPECT_EQ(fs::last_write_time(LastCheckpoint(root)), written);
  fs::remove_all(root);
}

TEST(ResumeTest, ADamagedCheckpointIsNamedAndPassedOver) {
  const fs::path root =
      fs::path(testing::TempDir()) / ("digits-damaged-" + std::to_string(getpid()));
  ASSERT_TRUE(Succeeded(Wait(Start(root, false))));
  const std::string last = LastCheckpoint(root), whole = leafstore::ReadFile(last);
  leafstore::WriteFile(last, whole.substr(0, whole.size() / 2));
  const fs::path said = root / "stderr";
  ASSERT_TRUE(Succeeded(Wait(Start(root, true, said))));
  const std::string words = leafstore::ReadFile(said);
  EXPECT_EQ(words.rfind("digits: passed over: " + last + ": footer: expected ", 0), 0u) << words;
  EXPECT_TRUE(leafstore::ReadFile(last) == whole) << "made again, as it was";
  fs::remove_all(root);
}

TEST(ResumeTest, ADirectoryThatCannotBeReadIsNamed) {
  const leafstore::TempDir dir;
  const std::string closed = dir.File("closed"), file = dir.File("file");
  ASSERT_EQ(mkdir(closed.c_str(), 0300), 0);
  ASSERT_EQ(chmod(dir.path().c_str(), 0777), 0);
  leafstore::WriteFile(file, "x");
  // What the program says there; it must fail.
  const auto message = [&dir](const std::string& directory, bool resume) {
    const std::string said = dir.File("stderr");
    const int status = Wait(Start(directory, resume, said));
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 1);
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
    EXPECT_EQ(message(closed, resume), "digits: " + closed + ": Permission denied\n");
  }
  EXPECT_EQ(leafstore::ReadFile(file), "x");
  ASSERT_EQ(chmod(closed.c_str(), 0700), 0);
  EXPECT_TRUE(fs::is_empty(closed));
}

}  // namespace
}  // namespace digits
