// The program killed with SIGKILL and resumed, as often as it takes: the parameters it ends with are
// those of a run that nobody disturbed, bit for bit.
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
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

namespace digits {
namespace {

namespace fs = std::filesystem;
using leafstore::CheckpointReader;
using leafstore::ParamStore;

constexpr int kEpochs = 10;

pid_t Start(const fs::path& directory, bool resume) {
  std::vector<std::string> words = {LEAFSTORE_DIGITS_PROGRAM, "--checkpoint-dir", directory,
                                    "--epochs", std::to_string(kEpochs)};
  if (resume) words.push_back("--resume");
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
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
  const int status = Wait(Start(root, false));
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 1);
  EXPECT_EQ(fs::last_write_time(LastCheckpoint(root)), written);
  fs::remove_all(root);
}

}  // namespace
}  // namespace digits
