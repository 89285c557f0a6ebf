// The messages and exit codes of errors.
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/checkpoint/reader.h"

#include "tests/checkpoint/forge.h"
#include "tests/io/unprivileged.h"
#include "tests/tools/run_program.h"
#include "tests/tools/sample_checkpoints.h"

namespace leafstore {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

class InspectErrorTest : public testing::Test {
 protected:
  void ExpectError(const Ran& ran, int exit_code, const testing::Matcher<std::string>& message) {
    EXPECT_EQ(ran.exit_code, exit_code);
    EXPECT_THAT(ran.out, IsEmpty());
    EXPECT_THAT(ran.err, AllOf(StartsWith("leafstore: "), message));
    // One line.
    EXPECT_EQ(ran.err.find('\n'), ran.err.size() - 1) << ran.err;
  }
  // Expects an error of the file.
  void ExpectBad(const testing::Matcher<std::string>& what) {
    ExpectError(RunLeafstore({"inspect", path_}), 1,
                AllOf(StartsWith("leafstore: " + path_ + ": "), what));
  }
  void ExpectUsage(std::vector<std::string> args, const testing::Matcher<std::string>& what) {
    ExpectError(RunLeafstore(std::move(args)), 2, AllOf(what, HasSubstr("(see --help)")));
  }

  TempDir dir_;
  const std::string path_ = dir_.File("a.leaf");
};

TEST_F(InspectErrorTest, MissingFile_IsNamed) {
  ExpectBad(
      AllOf(HasSubstr("cannot open: No such file or directory"), HasSubstr("check the name")));
}

TEST_F(InspectErrorTest, Directory_IsNotAModel) {
  ASSERT_EQ(mkdir(path_.c_str(), 0700), 0);
  ExpectBad(AllOf(HasSubstr("expected a directory of checkpoints"), HasSubstr("found neither"),
                  HasSubstr("name a checkpoint's file")));
}

TEST_F(InspectErrorTest, DeadLink_IsMissing) {
  std::filesystem::create_symlink("nowhere", path_);
  ExpectBad(HasSubstr("No such file"));
}

TEST_F(InspectErrorTest, FileUsedAsADirectory_IsNamed) {
  WriteFile(path_, "x");
  ExpectError(RunLeafstore({"inspect", path_ + "/b.leaf"}), 1, HasSubstr("Not a directory"));
}

TEST_F(InspectErrorTest, UnreadableFile_IsNamed) {
  SaveSample(path_);
  const std::string whole = ReadFile(path_);
  ASSERT_EQ(mkdir(dir_.File("closed").c_str(), 0), 0);
  ASSERT_EQ(chmod(dir_.path().c_str(), 0755), 0);
  ASSERT_EQ(chmod(path_.c_str(), 0), 0);
  {
    const Unprivileged unprivileged;
    if (!unprivileged.May(dir_.path(), X_OK) || !unprivileged.May(LEAFSTORE_TOOL, X_OK) ||
        !unprivileged.May(testing::TempDir(), W_OK | X_OK)) {
      GTEST_SKIP() << "no user to become who is refused something";
    }
    ExpectBad(HasSubstr(": cannot open: Permission denied; check its permissions\n"));
    const std::string below = dir_.File("closed/a.leaf");
    ExpectError(
        RunLeafstore({"inspect", below}), 1,
        "leafstore: " + below + ": cannot open: Permission denied; check its permissions\n");
  }
  ASSERT_EQ(chmod(path_.c_str(), 0600), 0);
  EXPECT_EQ(ReadFile(path_), whole);
}

TEST_F(InspectErrorTest, FileOfANewerVersion_NeedsANewerProgram) {
  SaveSample(path_);
  const std::string newer = WithVersions(ReadFile(path_), {.producer = 9, .min_reader = 4});
  WriteFile(path_, newer);
  ExpectBad(
      HasSubstr("preamble: the file has format version 9 and requires a reader of version "
                "4; this reader has version 3; use a newer leafstore to read it\n"));
  EXPECT_EQ(ReadFile(path_), newer);
}

TEST_F(InspectErrorTest, EmptyFile_IsNotACheckpoint) {
  WriteFile(path_, "");
  ExpectBad(AllOf(HasSubstr("expected 64 bytes"), HasSubstr("its beginning is damaged")));
}

TEST_F(InspectErrorTest, TextFile_IsNotACheckpoint) {
  WriteFile(path_, std::string(1000, 'x') + "\x1b[31m");
  ExpectBad(AllOf(HasSubstr("expected a checkpoint"),
                  HasSubstr("found text that begins with 'xxxx"), Not(HasSubstr("\x1b"))));
}

TEST_F(InspectErrorTest, TruncatedFile_IsDamaged) {
  SaveSample(path_);
  const std::string whole = ReadFile(path_);
  for (const size_t size : {whole.size() - 1, whole.size() / 2, size_t{64}, size_t{3}}) {
    WriteFile(path_, whole.substr(0, size));
    ExpectBad(AllOf(HasSubstr(size < 64 ? ": preamble: expected " : ": footer: expected "),
                    HasSubstr(", found "), HasSubstr("; the file is truncated")));
    EXPECT_EQ(ReadFile(path_), whole.substr(0, size));
  }
}

TEST_F(InspectErrorTest, FlippedBitInTheManifest_IsDamage) {
  SaveSample(path_);
  std::string bytes = ReadFile(path_);
  char& in_manifest = bytes[static_cast<size_t>(FooterOf(bytes).manifest_offset) + 5];
  in_manifest = static_cast<char>(in_manifest ^ 1);
  WriteFile(path_, bytes);
  ExpectBad(AllOf(HasSubstr(": manifest: expected checksum "), HasSubstr(", found "),
                  HasSubstr("use another copy")));
  EXPECT_EQ(ReadFile(path_), bytes);
}

TEST_F(InspectErrorTest, FlippedBitInATensor_IsFoundByStats) {
  SaveSample(path_);
  const auto offset = static_cast<size_t>([this] {
    const CheckpointReader reader = CheckpointReader::Open(path_).value();
    const CheckpointItemInfo item = reader.GetItem("params").value();
    for (uint32_t place = 0;; ++place) {
      if (item.PathText(place) == ".layers[1].weight") return item.entry(place).offset;
    }
  }());
  std::string bytes = ReadFile(path_);
  bytes[offset] = static_cast<char>(bytes[offset] ^ 1);
  WriteFile(path_, bytes);
  EXPECT_EQ(RunLeafstore({"inspect", path_}).exit_code, 0);
  ExpectError(RunLeafstore({"inspect", path_, "--stats"}), 1,
              AllOf(HasSubstr(".layers[1].weight"), HasSubstr("expected checksum"),
                    HasSubstr("use another copy")));
  EXPECT_EQ(RunLeafstore({"inspect", path_, "--stats", "--no-verify"}).exit_code, 0);
  // Only listed leaves are read.
  EXPECT_EQ(RunLeafstore({"inspect", path_, "--stats", "--match", "layers.0"}).exit_code, 0);
}

TEST_F(InspectErrorTest, UnknownItem_HasSuggestions) {
  SaveSample(path_);
  ExpectUsage({"inspect", path_, "--item", "parms"},
              AllOf(HasSubstr("no item 'parms'"), HasSubstr("did you mean params?")));
}

TEST_F(InspectErrorTest, InvalidFilter_NamesTheColumn) {
  SaveSample(path_);
  ExpectUsage({"inspect", path_, "--group", "a=dtype:f32 and ("}, HasSubstr("column 16"));
  ExpectUsage({"inspect", path_, "--group", "a=re:x["},
              HasSubstr("filter 're:x[', column 4: regular expression 'x[', column 2: missing ]"));
  ExpectUsage({"inspect", path_, "--group", "dtype:f32"}, HasSubstr("found no '='"));
  ExpectUsage({"inspect", path_, "--group", "=all"}, HasSubstr("expected a name"));
  ExpectUsage({"inspect", path_, "--group", "rest=all"}, HasSubstr("expected a different name"));
  ExpectUsage({"inspect", path_, "--group", "a=all", "--group", "a=leaf"},
              HasSubstr("that of another group"));
}

TEST_F(InspectErrorTest, InvalidGlob_NamesTheColumn) {
  SaveSample(path_);
  ExpectUsage({"inspect", path_, "--match", "a..b"}, HasSubstr("column 3"));
  ExpectUsage(
      {"inspect", path_, "--match", "laiers"},
      HasSubstr("--match 'laiers' matches no leaf; no key is 'laiers'; did you mean layers?"));
  ExpectUsage({"inspect", path_, "--group", "b=**.bais"},
              HasSubstr("--group has no leaves: b=**.bais; no key is 'bais'; did you mean bias?"));
}

TEST_F(InspectErrorTest, InvalidOptions_AreUsageErrors) {
  ExpectUsage({"inspect", path_, "--dept", "1"}, HasSubstr("did you mean --depth?"));
  ExpectUsage({"inspect", path_, "--depth", "-1"},
              HasSubstr("--depth: expected an integer from 0 to 4294967295, found '-1'"));
  ExpectUsage({"inspect", path_, "--depth", "many"}, HasSubstr("found 'many'"));
  ExpectUsage({"inspect", path_, "--depth", "1", "--depth", "2"},
              HasSubstr("--depth: expected once, found 2 times"));
  ExpectUsage({"inspect", path_, "--depth"}, HasSubstr("--depth: expected a value, found none"));
  ExpectUsage({"inspect", path_, "--color", "pink"},
              HasSubstr("--color: expected auto, always or never, found 'pink'"));
  ExpectUsage({"inspect", path_, "--color", "allways"}, HasSubstr("did you mean always?"));
  ExpectUsage({"inspect", path_, "another.leaf"}, HasSubstr("another.leaf"));
  ExpectUsage({"inspect"}, HasSubstr("expected FILE, found nothing"));
  ExpectUsage({}, HasSubstr("expected a subcommand, found none"));
  ExpectUsage({"completion", "fish"}, HasSubstr("SHELL: expected bash or zsh, found 'fish'"));
  ExpectUsage({"inspekt", path_}, HasSubstr("did you mean inspect?"));
}

TEST_F(InspectErrorTest, UnusedArguments_AreUsageErrors_AlsoWithHelp) {
  ExpectUsage({"inspekt", "--help"}, HasSubstr("expected a subcommand, found 'inspekt'; did you"));
  ExpectUsage({"help", "tree"}, HasSubstr("expected a subcommand, found 'help'"));
  ExpectUsage({"--bogus", "tree", "x"}, HasSubstr("expected an option, found '--bogus'"));
  ExpectUsage({"tree", "x", "tree"}, HasSubstr("expected an option, found 'tree'"));
  ExpectUsage({"tree", "--help", "x", "y"}, HasSubstr("expected an option, found 'y'"));
  ExpectUsage({"tree", "--depth", "x", "--", path_}, HasSubstr("--depth: expected an integer"));
  EXPECT_EQ(RunLeafstore({"tree", "--help", "--", "x"}).exit_code, 0);
}

TEST_F(InspectErrorTest, HelpAndVersion_Succeed) {
  for (const std::vector<std::string>& args :
       std::vector<std::vector<std::string>>{{"--help"}, {"inspect", "--help"}}) {
    const Ran help = RunLeafstore(args);
    EXPECT_EQ(help.exit_code, 0);
    EXPECT_THAT(help.out, AllOf(HasSubstr("Examples:"), HasSubstr("Exit codes:")));
    EXPECT_THAT(help.err, IsEmpty());
  }
  const Ran version = RunLeafstore({"--version"});
  EXPECT_EQ(version.exit_code, 0);
  EXPECT_THAT(version.out, StartsWith("leafstore "));
}

TEST_F(InspectErrorTest, ClosedPipe_EndsItSilently) {
  Save(path_, ManyLeaves(10'000));
  const Ran ran = RunShell("{ $LEAFSTORE inspect " + path_ + "; echo $? >&2; } | head -1");
  EXPECT_THAT(ran.out, StartsWith(path_));
  EXPECT_EQ(ran.err, "141\n");
  // The same where SIGPIPE is ignored.
  const Ran ignored =
      RunShell("trap '' PIPE; { $LEAFSTORE inspect " + path_ + " --json; echo $? >&2; } | head -1");
  EXPECT_EQ(ignored.err, "141\n");
}

TEST_F(InspectErrorTest, FullDisk_IsReported) {
  SaveSample(path_);
  for (const std::vector<std::string>& args : std::vector<std::vector<std::string>>{
           {"inspect", path_}, {"inspect", path_, "--json"}, {"--help"}}) {
    const Ran full = RunLeafstore(args, {.stdout_to = "/dev/full"});
    EXPECT_EQ(full.exit_code, 1);
    EXPECT_EQ(full.err, "leafstore: cannot write to standard output: No space left on device\n");
    const Ran closed = RunLeafstore(args, {.stdout_to = "-"});
    EXPECT_EQ(closed.exit_code, 1);
    EXPECT_THAT(closed.err, HasSubstr("cannot write to standard output"));
  }
}

TEST_F(InspectErrorTest, FileNames_AreEscaped) {
  const Ran ran = RunLeafstore({"inspect", dir_.File("\x1b[31m\xff.leaf")});
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(ran.err, HasSubstr("/\\x1b[31m\\xff.leaf: cannot open"));
  Save(dir_.File("\xff\n.leaf"), ParamStore());
  const Ran as_json = RunLeafstore({"inspect", dir_.File("\xff\n.leaf"), "--json"});
  EXPECT_EQ(as_json.exit_code, 0);
  EXPECT_THAT(as_json.out, HasSubstr("\\ufffd\\n.leaf"));
}

}  // namespace
}  // namespace leafstore
