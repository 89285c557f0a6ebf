// An interrupted program leaves no partly written file.
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/tools/tool_test.h"

namespace leafstore {
namespace {

using testing::HasSubstr;

class InterruptTest : public ToolTest {
 protected:
  // Makes a file that takes seconds to compress with kSlow.
  InterruptTest() {
    std::mt19937 random(1);
    std::vector<float> values(size_t{1} << 20);
    for (float& value : values) value = static_cast<float>(random() % 997);
    const Tensor tensor =
        Tensor::From<float>({4, int64_t{1} << 18}, absl::MakeConstSpan(values)).value();
    std::vector<std::pair<Path, Leaf>> entries;
    for (const char* name : {"u", "v", "w"}) entries.emplace_back(Path().Item(name), tensor);
    Save(File("a.leaf"), ParamStore::FromEntries(std::move(entries)).value());
  }

  // Starts it, and waits for a temporary file; returns -1 if none appears.
  pid_t StartAndWait(std::vector<std::string> args, bool ignore_hup = false) {
    args.insert(args.begin(), LEAFSTORE_TOOL);
    std::vector<char*> arguments = internal::Pointers(args);
    const pid_t pid = fork();
    if (pid == 0) {
      if (ignore_hup) signal(SIGHUP, SIG_IGN);
      const rlimit no_core = {0, 0};
      setrlimit(RLIMIT_CORE, &no_core);
      const int err = open(File(kErrors).c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
      dup2(err, 2);
      execv(arguments[0], arguments.data());
      _exit(127);
    }
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (Files().find(".tmp-") == std::string::npos) {
      if (waitpid(pid, nullptr, WNOHANG) == pid || std::chrono::steady_clock::now() > deadline) {
        ADD_FAILURE() << "it ended before it wrote anything";
        return -1;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return pid;
  }

  Ran End(pid_t pid) {
    Ran ran;
    internal::WaitFor(pid, &ran);
    ran.err = ReadFile(File(kErrors));
    std::filesystem::remove(File(kErrors));
    return ran;
  }

  // Sends the signal while it writes.
  Ran Interrupt(std::vector<std::string> args, int number) {
    const pid_t pid = StartAndWait(std::move(args));
    if (pid < 0) return {};
    kill(pid, number);
    return End(pid);
  }

  static constexpr char kErrors[] = "errors";
  const std::vector<std::string> slow_ = {"--zstd", "--zstd-level", "19"};
  std::vector<std::string> Slow(std::vector<std::string> args) const {
    args.insert(args.end(), slow_.begin(), slow_.end());
    return args;
  }
};

TEST_F(InterruptTest, Signal_LeavesNoFileAndEndsByThatSignal) {
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGALRM, SIGUSR1, SIGXCPU}) {
    const Ran ran = Interrupt(Slow({"convert", File("a.leaf"), File("b.leaf")}), number);
    EXPECT_EQ(ran.signal, number);
    EXPECT_EQ(Files(), "a.leaf ");
  }
}

TEST_F(InterruptTest, MergeAndRename_LeaveNoFile) {
  for (const std::vector<std::string>& args : std::vector<std::vector<std::string>>{
           {"merge", File("a.leaf"), "--out", File("b.leaf")},
           {"rename", File("a.leaf"), "u=n", "--write", File("b.leaf")}}) {
    const Ran ran = Interrupt(Slow(args), SIGINT);
    EXPECT_EQ(ran.signal, SIGINT) << args[0];
    EXPECT_EQ(Files(), "a.leaf ") << args[0];
  }
}

// Reading the lost bytes of a truncated mapped file raises SIGBUS.
TEST_F(InterruptTest, TruncatedInput_IsAnErrorThatLeavesNoFile) {
  const pid_t pid = StartAndWait(Slow({"convert", File("a.leaf"), File("b.leaf")}));
  ASSERT_GT(pid, 0);
  std::filesystem::resize_file(File("a.leaf"), 4096);
  const Ran ran = End(pid);
  EXPECT_EQ(ran.signal, 0);
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(ran.err, testing::ContainsRegex("^leafstore: .*(was truncated|was shortened)"));
  EXPECT_EQ(Files(), "a.leaf ");
}

TEST_F(InterruptTest, FileToBeReplaced_IsUnchanged) {
  WriteFile(File("b.leaf"), "mine");
  const Ran ran = Interrupt(Slow({"convert", File("a.leaf"), File("b.leaf"), "--force"}), SIGINT);
  EXPECT_EQ(ran.signal, SIGINT);
  EXPECT_EQ(ReadFile(File("b.leaf")), "mine");
  EXPECT_EQ(Files(), "a.leaf b.leaf ");
}

TEST_F(InterruptTest, SeveralFiles_AreAllAbsent) {
  const Ran ran = Interrupt(
      Slow({"split", File("a.leaf"), "--group", "u=u", "--group", "v=v", "--out", File("{}.leaf")}),
      SIGINT);
  EXPECT_EQ(ran.signal, SIGINT);
  EXPECT_EQ(Files(), "a.leaf ");
}

TEST_F(InterruptTest, IgnoredSignal_StaysIgnored) {
  const pid_t pid =
      StartAndWait(Slow({"convert", File("a.leaf"), File("b.leaf")}), /*ignore_hup=*/true);
  ASSERT_GT(pid, 0);
  kill(pid, SIGHUP);
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_EQ(waitpid(pid, nullptr, WNOHANG), 0) << "an ignored signal ended it";
  kill(pid, SIGTERM);
  EXPECT_EQ(End(pid).signal, SIGTERM);
  EXPECT_EQ(Files(), "a.leaf ");
}

TEST_F(InterruptTest, FileCreatedMeanwhile_IsNotReplacedAndNoOtherFileAppears) {
  const pid_t pid = StartAndWait({"split", File("a.leaf"), "--group", "u=u", "--group", "v=v",
                                  "--out", File("{}.leaf"), "--zstd", "--zstd-level", "15"});
  ASSERT_GT(pid, 0);
  WriteFile(File("v.leaf"), "mine");
  const Ran ran = End(pid);
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(ran.err, HasSubstr("v.leaf: it already exists; --force replaces it"));
  EXPECT_EQ(ReadFile(File("v.leaf")), "mine");
  EXPECT_EQ(Files(), "a.leaf v.leaf ");
}

TEST_F(InterruptTest, Progress_IsShownOnlyOnATerminal) {
  if (!HaveTerminals()) GTEST_SKIP() << "this system has no pseudo-terminal to give";
  const std::vector<std::string> args =
      Slow({"convert", File("a.leaf"), File("b.leaf"), "--match", "u", "--match", "v"});
  const Ran ran = RunOnTerminal(args, 80);
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_THAT(ran.out, HasSubstr("\r\x1b[Kwriting "));
  // The answer is on a line without remains of the progress.
  EXPECT_THAT(ran.out, HasSubstr("\r\x1b[K" + std::string("\x1b[1m") + File("b.leaf")));
}

}  // namespace
}  // namespace leafstore
