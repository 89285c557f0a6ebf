// Behaviour of every subcommand: missing, damaged, unreadable files and files of another kind, a
// closed pipe, a full disk, help.
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/io/unprivileged.h"
#include "tests/tools/tool_test.h"

namespace leafstore {
namespace {

using testing::AllOf;
using testing::AnyOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

// A subcommand and how to run it on a file.
struct Command {
  std::string name;
  // Returns the arguments after the name, for a file to read and one to write.
  std::function<std::vector<std::string>(const std::string& file, const std::string& out)> args;
  bool writes = false;
  int bad_file = 1;  // its exit code where a file is bad
  // The beginning of the file that it writes, if that is not a checkpoint: it then prints nothing, and
  // prints the file where no output is named.
  std::string other_format = "";
  std::string label = "";  // of this way to run it, where there are several

  std::vector<std::string> On(const std::string& file, const std::string& out = "") const {
    std::vector<std::string> all = args(file, out);
    all.insert(all.begin(), name);
    return all;
  }
  // Returns arguments with which it prints something.
  std::vector<std::string> PrintingOn(const std::string& file, const std::string& out) const {
    return On(file, other_format.empty() ? out : "");
  }
};

// Names the parameter in the list of tests.
void PrintTo(const Command& command, std::ostream* out) { *out << command.name; }

using Args = std::vector<std::string>;

std::vector<Command> Commands() {
  return {
      {"inspect",
       [](auto& file, auto&) {
         return Args{file, "--stats"};
       }},
      {"tree", [](auto& file, auto&) { return Args{file}; }},
      {"cat",
       [](auto& file, auto&) {
         return Args{file, "**"};
       }},
      {"stats", [](auto& file, auto&) { return Args{file}; }},
      {"diff",
       [](auto& file, auto&) {
         return Args{file, file};
       },
       false, 2},
      {"verify", [](auto& file, auto&) { return Args{file}; }},
      {"explain",
       [](auto& file, auto&) {
         return Args{file, "--group", "b=**.bias"};
       }},
      {"convert",
       [](auto& file, auto& out) {
         return Args{file, out};
       },
       true},
      {"split",
       [](auto& file, auto& out) {
         return Args{file, "--group", "b=**.bias", "--no-rest", "--out", out + "{}.leaf"};
       },
       true},
#ifdef LEAFSTORE_HAS_REPORT
      {"report",
       [](auto& file, auto& out) {
         return out.empty() ? Args{file, "-o", "-"} : Args{file, "-o", out};
       },
       true, 1, "<!DOCTYPE html>"},
#endif
      {"merge",
       [](auto& file, auto& out) {
         return Args{file, "--out", out};
       },
       true},
      {"cat",
       [](auto& file, auto& out) {
         return out.empty() ? Args{file, "scale"} : Args{file, "scale", "--npy", out};
       },
       true, 1, "\x93NUMPY", "cat_npy"},
      {"rename",
       [](auto& file, auto& out) {
         return out.empty() ? Args{file, "embed=tokens"}
                            : Args{file, "embed=tokens", "--write", out};
       },
       true},
  };
}

class EveryCommandTest : public ToolTest, public testing::WithParamInterface<Command> {
 protected:
  // Runs it on an invalid file: it must print one line, and leave no file.
  void ExpectBad(const std::string& file, const testing::Matcher<std::string>& what) {
    const std::string before = Files();
    const Ran ran = RunLeafstore(GetParam().On(file, File("out.leaf")));
    EXPECT_EQ(ran.exit_code, GetParam().bad_file) << ran.err;
    // verify prints errors on standard output, and their count on standard error.
    const std::string& said = GetParam().name == "verify" ? ran.out : ran.err;
    EXPECT_FALSE(ran.err.empty());
    EXPECT_THAT(said, what);
    EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << said;
    EXPECT_EQ(Files(), before);
  }
};

class EveryWritingCommandTest : public EveryCommandTest {
 protected:
  // Returns arguments with which it writes more than a few blocks.
  Args OnALargeFile(const std::string& out) const {
    Save(File("large.leaf"), ManyLeaves(400));
    if (GetParam().name == "cat") {
      const Tensor large = Tensor::Zeros(DType::kF32, {100'000}).value();
      Save(File("large.leaf"), ParamStore::FromEntries({{Path().Item("scale"), large}}).value());
    }
    Args args = GetParam().On(File("large.leaf"), out);
    for (std::string& arg : args) {
      if (arg == "b=**.bias") arg = "b=**";
      if (arg == "embed=tokens") arg = "layers.**=blocks.**";
    }
    return args;
  }
};

// Mounts a disk of 16 KiB at a directory, visible only to this process and its children, if the system
// allows it.
class SmallDisk {
 public:
  explicit SmallDisk(const std::string& directory) : directory_(directory) {
    mounted_ = unshare(CLONE_NEWNS) == 0 &&
               mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
               mount("none", directory_.c_str(), "tmpfs", 0, "size=16k") == 0;
  }
  ~SmallDisk() {
    if (mounted_) umount(directory_.c_str());
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  bool mounted() const { return mounted_; }

 private:
  std::string directory_;
  bool mounted_ = false;
};

std::vector<Command> WritingCommands() {
  std::vector<Command> writing = Commands();
  writing.erase(std::remove_if(writing.begin(), writing.end(),
                               [](const Command& command) { return !command.writes; }),
                writing.end());
  return writing;
}

std::string LabelOf(const testing::TestParamInfo<Command>& one) {
  return one.param.label.empty() ? one.param.name : one.param.label;
}

INSTANTIATE_TEST_SUITE_P(Tool, EveryCommandTest, testing::ValuesIn(Commands()), LabelOf);
INSTANTIATE_TEST_SUITE_P(Tool, EveryWritingCommandTest, testing::ValuesIn(WritingCommands()),
                         LabelOf);

TEST_P(EveryCommandTest, MissingFile_IsAnError) {
  ExpectBad(File("none.leaf"), AllOf(HasSubstr("none.leaf: "), HasSubstr("No such file"),
                                     HasSubstr("check the name")));
  ExpectBad(File("none/a.leaf"), HasSubstr("No such file"));
}

TEST_P(EveryCommandTest, FileOfAnotherKind_IsAnError) {
  WriteFile(File("text"), std::string(100, 'x'));
  ExpectBad(File("text"), AllOf(HasSubstr("a checkpoint"), HasSubstr("safetensors"),
                                HasSubstr("npz"), HasSubstr("begins with 'xxxx")));
  WriteFile(File("empty"), "");
  ExpectBad(File("empty"), HasSubstr("found an empty file"));
}

TEST_P(EveryCommandTest, DamagedFile_IsAnError) {
  FlipBit(Sample(), -60);
  ExpectBad(File("a.leaf"), AllOf(HasSubstr("footer: "), HasSubstr("use another copy")));
  WriteFile(File("b.safetensors"), std::string("\x08\0\0\0\0\0\0\0{\"a\":1}}", 16));
  ExpectBad(File("b.safetensors"), HasSubstr("b.safetensors: "));
}

TEST_P(EveryCommandTest, DirectoryWithoutAModel_IsAnError) {
  std::filesystem::create_directory(File("nothing"));
  ExpectBad(File("nothing"),
            AllOf(HasSubstr("/nothing: "), HasSubstr("expected a directory of checkpoints"),
                  HasSubstr("safetensors")));
}

TEST_P(EveryCommandTest, UnreadableFile_IsAnError) {
  Sample();
  ASSERT_EQ(chmod(dir_.path().c_str(), 0755), 0);
  ASSERT_EQ(chmod(File("a.leaf").c_str(), 0), 0);
  const Unprivileged unprivileged;
  if (!unprivileged.May(dir_.path(), X_OK) || !unprivileged.May(LEAFSTORE_TOOL, X_OK) ||
      !unprivileged.May(testing::TempDir(), W_OK | X_OK)) {
    GTEST_SKIP() << "no user to become who is refused something";
  }
  const Ran ran = RunLeafstore(GetParam().On(File("a.leaf"), File("out.leaf")));
  EXPECT_EQ(ran.exit_code, GetParam().bad_file) << ran.err;
  EXPECT_THAT(ran.out + ran.err,
              AllOf(HasSubstr("Permission denied"), HasSubstr("check its permissions")));
}

TEST_P(EveryWritingCommandTest, UnwritableDirectory_IsAnError) {
  Sample();
  std::filesystem::create_directory(File("closed"));
  ASSERT_EQ(chmod(dir_.path().c_str(), 0755), 0);
  ASSERT_EQ(chmod(File("closed").c_str(), 0555), 0);
  ASSERT_EQ(chmod(File("a.leaf").c_str(), 0644), 0);
  {
    const Unprivileged unprivileged;
    if (!unprivileged.May(dir_.path(), X_OK) || !unprivileged.May(LEAFSTORE_TOOL, X_OK) ||
        !unprivileged.May(testing::TempDir(), W_OK | X_OK)) {
      GTEST_SKIP() << "no user to become who is refused something";
    }
    const Ran ran = RunLeafstore(GetParam().On(File("a.leaf"), File("closed/out.leaf")));
    EXPECT_EQ(ran.exit_code, 1);
    EXPECT_THAT(ran.err, AllOf(HasSubstr("closed/"), HasSubstr("Permission denied")));
  }
  EXPECT_TRUE(std::filesystem::is_empty(File("closed")));
}

TEST_P(EveryCommandTest, FullDiskOfStandardOutput_IsAnError) {
  Sample();
  std::vector<std::string> args = GetParam().PrintingOn(File("a.leaf"), File("out.leaf"));
  if (GetParam().name == "diff") {  // it prints nothing of two equal files
    Save(File("b.leaf"), ManyLeaves(3));
    args[2] = File("b.leaf");
  }
  const Ran ran = RunLeafstore(args, {.stdout_to = "/dev/full"});
  EXPECT_EQ(ran.exit_code, GetParam().bad_file);
  EXPECT_THAT(ran.err,
              HasSubstr("leafstore: cannot write to standard output: No space left on device\n"));
}

// The answer is printed first: where that fails, no file has changed.
TEST_P(EveryWritingCommandTest, FullDiskOfStandardOutput_ReplacesNothing) {
  Sample();
  const std::string out = File("out.leaf");
  const std::string made = GetParam().name == "split" ? File("out.leafb.leaf") : out;
  if (!GetParam().other_format.empty()) GTEST_SKIP() << "it prints nothing";
  WriteFile(made, "mine");
  std::vector<std::string> args = GetParam().On(File("a.leaf"), out);
  args.push_back("--force");
  const std::string before = Files();
  const Ran ran = RunLeafstore(args, {.stdout_to = "/dev/full"});
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(ran.err, HasSubstr("cannot write to standard output"));
  EXPECT_EQ(ReadFile(made), "mine");
  EXPECT_EQ(Files(), before);
}

// Each limit of memory ends it with an exit code and a message, or it succeeds.
TEST_P(EveryCommandTest, NoMemory_IsAnError) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers reserve more than any limit";
#endif
  Save(File("large.leaf"), ManyLeaves(10'000));
  for (int kib = 24'000; kib <= 120'000; kib += 24'000) {
    std::string line = absl::StrCat("ulimit -c 0; ulimit -v ", kib, "; \"$LEAFSTORE\"");
    Args args = GetParam().PrintingOn(File("large.leaf"), File("out.leaf"));
    for (std::string& arg : args) {
      if (arg == "embed=tokens") arg = "layers.**=blocks.**";
      if (arg == "b=**.bias") arg = "b=**.w1";
      if (arg == "scale") arg = "layers.0.w1";
      line += " '" + arg + "'";
    }
    const Ran ran = RunShell(line + " && echo DONE");
    if (absl::StrContains(ran.out, "DONE") || ran.exit_code == 127) {  // 127: not even loaded
      std::filesystem::remove(File("out.leaf"));
      std::filesystem::remove(File("out.leafb.leaf"));
      continue;
    }
    EXPECT_EQ(ran.exit_code, GetParam().bad_file) << kib << ": " << ran.err;
    EXPECT_THAT(ran.out + ran.err, HasSubstr("memory")) << kib;
    EXPECT_EQ(Files(), "large.leaf ") << kib;
  }
}

TEST_P(EveryWritingCommandTest, FileSizeLimit_LeavesNoFile) {
  Sample();
  std::string line = "ulimit -f 1; \"$LEAFSTORE\"";  // no file may grow beyond a block
  for (const std::string& arg : OnALargeFile(File("out.leaf"))) line += " '" + arg + "'";
  const Ran ran = RunShell(line);
  EXPECT_EQ(ran.exit_code, 1) << ran.err;
  EXPECT_THAT(ran.err, AllOf(HasSubstr("out.leaf"), HasSubstr("to it: File too large")));
  EXPECT_EQ(Files(), "a.leaf large.leaf ");
}

TEST_P(EveryWritingCommandTest, FullDisk_LeavesNoFile) {
  std::filesystem::create_directory(File("disk"));
  const SmallDisk disk(File("disk"));
  if (!disk.mounted()) GTEST_SKIP() << "mounting a small disk is not allowed here";
  const Ran ran = RunLeafstore(OnALargeFile(File("disk/out.leaf")));
  EXPECT_EQ(ran.exit_code, 1) << ran.err;
  EXPECT_THAT(ran.err, AllOf(HasSubstr("disk/out.leaf"), HasSubstr("No space left on device")));
  EXPECT_TRUE(std::filesystem::is_empty(File("disk")));
}

TEST_P(EveryWritingCommandTest, ExistingOutput_IsReplacedOnlyWithForce) {
  Sample();
  // The name of split's file has the group.
  const std::string out = File("out.leaf");
  const std::string made = GetParam().name == "split" ? File("out.leafb.leaf") : out;
  WriteFile(made, "mine");
  const Ran refused = RunLeafstore(GetParam().On(File("a.leaf"), out));
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr(made + ": it already exists; --force replaces it"));
  EXPECT_EQ(ReadFile(made), "mine");
  std::vector<std::string> forced = GetParam().On(File("a.leaf"), out);
  forced.push_back("--force");
  EXPECT_EQ(RunLeafstore(forced).exit_code, 0);
  const std::string& other = GetParam().other_format;
  EXPECT_THAT(ReadFile(made), StartsWith(other.empty() ? "\x89LEAF" : other));
}

// Uses a pipe, so that no device of the system is at risk.
TEST_P(EveryWritingCommandTest, NonRegularFile_IsNeverReplaced) {
  Sample();
  const std::string out = File("out.leaf");
  const std::string made = GetParam().name == "split" ? File("out.leafb.leaf") : out;
  ASSERT_EQ(mkfifo(made.c_str(), 0600), 0);
  for (const bool force : {false, true}) {
    std::vector<std::string> args = GetParam().On(File("a.leaf"), out);
    if (force) args.emplace_back("--force");
    const Ran ran = RunLeafstore(args);
    EXPECT_EQ(ran.exit_code, 1);
    EXPECT_THAT(ran.err, HasSubstr(made + ": expected a regular file to write to, or none, found a "
                                          "pipe"));
    EXPECT_TRUE(std::filesystem::is_fifo(made));
  }
}

TEST_P(EveryCommandTest, ClosedPipe_EndsItSilently) {
  Save(File("many.leaf"), ManyLeaves(30));
  Save(File("other.leaf"), ManyLeaves(3));
  // The reader ends before the first output.
  std::string line = "{ sleep 0.1; \"$LEAFSTORE\"";
  std::vector<std::string> args = GetParam().PrintingOn(File("many.leaf"), File("out.leaf"));
  for (size_t i = 0; i < args.size(); ++i) {
    if (args[i] == "embed=tokens") args[i] = "layers.**=blocks.**";
    if (args[i] == "b=**.bias") args[i] = "b=**.w1";
    if (args[i] == "scale") args[i] = "layers.0.w1";
    if (GetParam().name == "diff" && i == 2) args[i] = File("other.leaf");
    line += " '" + args[i] + "'";
  }
  const Ran ran = RunShell(line + "; echo $? >&2; } | true");
  EXPECT_EQ(ran.err, "141\n");
}

TEST_P(EveryCommandTest, Help_HasExamplesAndExitCodes) {
  const std::string help = Out({GetParam().name, "--help"});
  EXPECT_THAT(help, AllOf(HasSubstr("Examples:\n  leafstore " + GetParam().name),
                          HasSubstr("Exit codes"), HasSubstr("--json")));
  if (GetParam().other_format.empty()) {
    EXPECT_THAT(help, HasSubstr("--color"));
  }
  for (size_t at = 0; at < help.size();) {
    const size_t end = help.find('\n', at);
    // Descriptions of options may be longer.
    if (help.compare(at, 2, "  ") != 0) {
      EXPECT_LE(end - at, 105u) << help.substr(at, end - at);
    }
    at = end + 1;
  }
}

TEST_P(EveryCommandTest, UnknownOption_IsAUsageError) {
  Sample();
  std::vector<std::string> args = GetParam().On(File("a.leaf"), File("out.leaf"));
  args.push_back("--jsn");
  EXPECT_THAT(Error(args, 2), AllOf(HasSubstr("'--jsn'"), HasSubstr("did you mean --json?")));
  EXPECT_EQ(Error({GetParam().name}, 2).find("(see --help)") == std::string::npos, false);
  if (GetParam().other_format == "<!DOCTYPE html>") return;  // it has no colours
  args.back() = "--color=pink";
  EXPECT_EQ(Error(args, 2),
            "leafstore: --color: expected auto, always or never, found 'pink' (see --help)\n");
}

// Subcommands that read no file.
TEST(CommandsWithoutAFileTest, FullDiskAndClosedPipe_AreReported) {
  for (const Args& args : {Args{"completion", "bash"}, Args{"completion", "zsh"}, Args{"manual"},
                           Args{"--help"}, Args{"--version"}}) {
    const Ran full = RunLeafstore(args, {.stdout_to = "/dev/full"});
    EXPECT_EQ(full.exit_code, 1) << args[0];
    EXPECT_EQ(full.err, "leafstore: cannot write to standard output: No space left on device\n");
    std::string line = "{ sleep 0.1; \"$LEAFSTORE\"";
    for (const std::string& arg : args) line += " " + arg;
    EXPECT_EQ(RunShell(line + "; echo $? >&2; } | true").err, "141\n") << args[0];
  }
}

TEST_P(EveryCommandTest, EveryFormat_IsRead) {
  Sample();
  std::filesystem::create_directory(File("set"));
  std::filesystem::create_directory(File("out"));
  EXPECT_EQ(RunLeafstore({"convert", File("a.leaf"), File("a.safetensors"), "--item", "params"})
                .exit_code,
            0);
  EXPECT_EQ(RunLeafstore({"convert", File("a.leaf"), File("set/a.safetensors"), "--item", "params",
                          "--shard-size", "40"})
                .exit_code,
            0);
  EXPECT_EQ(RunLeafstore({"convert", File("a.leaf"), File("a.npz"), "--item", "params",
                          "--drop-static", "--raw-bits"})
                .exit_code,
            0);
  EXPECT_EQ(RunLeafstore(
                {"convert", File("a.leaf"), File("w.npy"), "--match", "scale", "--item", "params"})
                .exit_code,
            0);
  for (const char* file :
       {"a.safetensors", "set", "set/a.safetensors.index.json", "a.npz", "w.npy"}) {
    std::vector<std::string> args = GetParam().On(File(file), File("out/o.leaf"));
    if (std::string(file) == "w.npy") {
      if (GetParam().name == "rename") continue;  // its one leaf has no name
      // The leaf has no name to give.
      args.erase(std::remove(args.begin(), args.end(), "scale"), args.end());
      std::replace(args.begin(), args.end(), std::string("b=**.bias"), std::string("b=all"));
    }
    if (GetParam().writes) args.push_back("--force");
    const Ran ran = RunLeafstore(args);
    EXPECT_EQ(ran.exit_code, 0) << file << ": " << ran.err;
    const bool silent = GetParam().name == "diff" || !GetParam().other_format.empty();
    EXPECT_EQ(ran.out.empty(), silent) << file << ": " << ran.out;
  }
}

}  // namespace
}  // namespace leafstore
