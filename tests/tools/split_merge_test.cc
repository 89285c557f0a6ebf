// `leafstore split` and `leafstore merge`.
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/tools/tool_test.h"

namespace leafstore {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class SplitMergeTest : public ToolTest {
 protected:
  std::vector<std::string> Split(const std::string& file, const std::string& out) const {
    return {"split",   File(file),       "--group", "bias=**.bias",
            "--group", "first=layers.0", "--out",   File(out)};
  }
};

TEST_F(SplitMergeTest, PartsOfACheckpoint_MergeToTheOriginal) {
  Sample();
  Out(Split("a.leaf", "{}.leaf"));
  EXPECT_EQ(Files(), "a.leaf bias.leaf first.leaf rest.leaf ");
  EXPECT_THAT(Out({"tree", File("bias.leaf")}),
              AllOf(HasSubstr("layers"), Not(HasSubstr("progress"))));
  Out({"merge", File("rest.leaf"), File("first.leaf"), File("bias.leaf"), "--out", File("b.leaf")});
  Out({"diff", File("a.leaf"), File("b.leaf")});
  EXPECT_THAT(Out({"inspect", File("b.leaf")}),
              AllOf(HasSubstr("run: seven"), HasSubstr("GROUP (saved)")));
}

TEST_F(SplitMergeTest, TwoPartsInOneFileByLinks_AreAnError) {
  Sample();
  WriteFile(File("real"), "old");
  std::filesystem::create_symlink("real", File("bias.leaf"));
  std::filesystem::create_symlink("real", File("first.leaf"));
  std::vector<std::string> args = Split("a.leaf", "{}.leaf");
  args.insert(args.end(), {"--no-rest", "--force"});
  EXPECT_THAT(Error(args, 1), HasSubstr("first.leaf: expected a different file for each output"));
  EXPECT_EQ(ReadFile(File("real")), "old");
}

TEST_F(SplitMergeTest, MissingAndDuplicateLeaves_AreReportedTogether) {
  Sample();
  Out(Split("a.leaf", "{}.leaf"));
  const std::string error = Error(
      {"merge", File("bias.leaf"), File("rest.leaf"), File("rest.leaf"), "--out", File("b.leaf")},
      1);
  EXPECT_THAT(error, AllOf(HasSubstr("item 'params'"), HasSubstr(".layers[0].weight"),
                           HasSubstr(".scale"), HasSubstr("item 'progress'"), HasSubstr(".step")));
  EXPECT_FALSE(std::filesystem::exists(File("b.leaf")));
}

TEST_F(SplitMergeTest, PartsOfSafetensors_AreJoined) {
  Save(File("m.leaf"), ManyLeaves(20));
  Out({"convert", File("m.leaf"), File("m.safetensors"), "--structure", "never"});
  Out({"split", File("m.safetensors"), "--group", "first=layers.0", "--out",
       File("p-{}.safetensors")});
  Out({"merge", File("p-first.safetensors"), File("p-rest.safetensors"), "--out",
       File("n.safetensors")});
  EXPECT_EQ(ReadFile(File("n.safetensors")), ReadFile(File("m.safetensors")));
  EXPECT_THAT(Error({"merge", File("p-first.safetensors"), File("m.safetensors"), "--out",
                     File("o.safetensors")},
                    1),
              HasSubstr("['layers']['0']['w0']"));
  // Without structure only --like detects missing leaves.
  EXPECT_THAT(Error({"merge", File("p-first.safetensors"), "--like", File("m.safetensors"), "--out",
                     File("o.safetensors")},
                    1),
              HasSubstr("missing"));
  Out({"merge", File("p-first.safetensors"), File("p-rest.safetensors"), "--like",
       File("m.safetensors"), "--out", File("o.safetensors")});
}

TEST_F(SplitMergeTest, GroupWithoutLeaves_IsAUsageErrorUnlessAllowed) {
  Sample();
  std::vector<std::string> args = {"split",          File("a.leaf"), "--group",
                                   "odd=**.nothing", "--out",        File("{}.leaf")};
  EXPECT_THAT(Error(args, 2), HasSubstr("--group has no leaves: odd=**.nothing"));
  args.push_back("--allow-empty");
  Out(args);
  EXPECT_EQ(Files(), "a.leaf rest.leaf ");
}

TEST_F(SplitMergeTest, WithoutGroups_SplitsBySavedGroups) {
  Sample();
  Out({"split", File("a.leaf"), "--out", File("{}.leaf")});
  EXPECT_EQ(Files(), "a.leaf bias.leaf first.leaf other.leaf rest.leaf ");
  EXPECT_THAT(Out({"tree", File("rest.leaf")}), HasSubstr("step"));
  EXPECT_THAT(Out({"cat", File("first.leaf"), "**"}), HasSubstr("layers.0.weight"));
  Out({"merge", File("bias.leaf"), File("first.leaf"), File("other.leaf"), File("rest.leaf"),
       "--out", File("b.leaf")});
  Out({"diff", File("a.leaf"), File("b.leaf")});
  Save(File("plain.leaf"), ManyLeaves(3));
  EXPECT_THAT(Error({"split", File("plain.leaf"), "--out", File("{}.leaf")}, 2),
              HasSubstr("expected --group NAME=FILTER, as no groups were saved with it"));
}

TEST_F(SplitMergeTest, GroupWhoseLeavesBelongToOthers_IsAnError) {
  Sample();
  EXPECT_THAT(Error({"split", File("a.leaf"), "--group", "all=layers", "--group", "b=layers.*.bias",
                     "--out", File("{}.leaf")},
                    2),
              HasSubstr("b=layers.*.bias (other groups have the leaves that it matches)"));
  EXPECT_EQ(Files(), "a.leaf ");
}

TEST_F(SplitMergeTest, Files_AllAppearOrNone) {
  Sample();
  WriteFile(File("rest.leaf"), "mine");
  EXPECT_THAT(Error(Split("a.leaf", "{}.leaf"), 1), HasSubstr("rest.leaf: it already exists"));
  EXPECT_EQ(Files(), "a.leaf rest.leaf ");
  std::vector<std::string> no_rest = Split("a.leaf", "{}.leaf");
  no_rest.push_back("--no-rest");
  Out(no_rest);
  EXPECT_EQ(Files(), "a.leaf bias.leaf first.leaf rest.leaf ");
  EXPECT_EQ(ReadFile(File("rest.leaf")), "mine");
}

// A group's name comes from the file, which another may have written.
TEST_F(SplitMergeTest, SavedGroupThatIsNoFileName_IsAnErrorBeforeAnythingIsWritten) {
  std::filesystem::create_directory(File("parts"));
  const std::string evil("evil\0x", 6);
  for (const std::string& name : {std::string(".."), std::string("."), std::string("a/b"), evil}) {
    const ParamStore store = ManyLeaves(3);
    const Grouping grouping =
        Grouping::Compile(store, {{name, Glob("layers.0")}, {"other", Rest()}}).value();
    ASSERT_TRUE(SaveCheckpoint(File("g.leaf"), {{"params", store, {.grouping = grouping}}}).ok());
    WriteFile(File("parts/evil"), "mine");
    for (const char* out : {"parts/{}/m.leaf", "parts/{}.leaf", "parts/{}"}) {
      std::vector<std::string> args = {"split", File("g.leaf"), "--out", File(out), "--force"};
      args.insert(args.end(), {"--to", "leaf"});
      EXPECT_THAT(Error(args, 2), HasSubstr("part of a file's name")) << name;
    }
    EXPECT_EQ(Files(), "g.leaf parts ");
    EXPECT_EQ(ReadFile(File("parts/evil")), "mine");
  }
}

// Makes a file that cannot be renamed, if that is allowed here.
class ImmutableFile {
 public:
  explicit ImmutableFile(const std::string& path) : path_(path) {
    works_ = RunProgram({"/usr/bin/chattr", "+i", path}).exit_code == 0;
  }
  ~ImmutableFile() {
    if (works_) RunProgram({"/usr/bin/chattr", "-i", path_});
  }
  bool works() const { return works_; }

 private:
  std::string path_;
  bool works_ = false;
};

TEST_F(SplitMergeTest, FailureOfOneFile_RestoresTheOthers) {
  if (!std::filesystem::exists("/usr/bin/chattr")) GTEST_SKIP() << "chattr is not installed";
  Sample();
  for (const char* name : {"bias.leaf", "first.leaf", "rest.leaf"}) WriteFile(File(name), "mine");
  std::vector<std::string> args = Split("a.leaf", "{}.leaf");
  args.push_back("--force");
  {
    const ImmutableFile immutable(File("first.leaf"));
    if (!immutable.works()) GTEST_SKIP() << "chattr is not allowed here";
    const Ran ran = RunLeafstore(args);
    EXPECT_EQ(ran.exit_code, 1);
    EXPECT_THAT(ran.err, AllOf(HasSubstr("first.leaf"), HasSubstr("not permitted")));
  }
  EXPECT_EQ(Files(), "a.leaf bias.leaf first.leaf rest.leaf ");
  for (const char* name : {"bias.leaf", "first.leaf", "rest.leaf"}) {
    EXPECT_EQ(ReadFile(File(name)), "mine") << name;
  }
  Out(args);
  EXPECT_EQ(Files(), "a.leaf bias.leaf first.leaf rest.leaf ");
  EXPECT_NE(ReadFile(File("bias.leaf")), "mine");
}

TEST_F(SplitMergeTest, FileNames_AreChecked) {
  Sample();
  EXPECT_THAT(Error({"split", File("a.leaf"), "--group", "b=all", "--out", File("b.leaf")}, 2),
              HasSubstr("{}"));
  EXPECT_THAT(Error({"split", File("a.leaf"), "--group", "../b=all", "--out", File("{}.leaf")}, 2),
              HasSubstr("without a slash"));
  EXPECT_THAT(
      Error({"split", File("a.leaf"), "--group", "b=all", "--out", File("none/{}.leaf")}, 1),
      AllOf(HasSubstr("none/b.leaf"), HasSubstr("--mkdirs")));
  EXPECT_THAT(Error({"merge", File("a.leaf"), "--item", "parms", "--out", File("b.leaf")}, 2),
              HasSubstr("none of the files has an item 'parms'"));
}

TEST_F(SplitMergeTest, Json_ListsTheFiles) {
  Sample();
  const auto json = Json(Split("a.leaf", "{}.leaf"));
  EXPECT_EQ(json["files"].size(), 3u);
  EXPECT_EQ(json["files"][0]["file"], File("bias.leaf"));
}

TEST_F(SplitMergeTest, APartOfASet_IsNotMergedAsTheWhole) {
  Save(File("m.leaf"), ManyLeaves(6));
  Out({"convert", File("m.leaf"), File("m.safetensors"), "--shard-size", "32", "--structure",
       "never"});
  const std::vector<std::string> some = {"merge", File("m-00001-of-00003.safetensors"),
                                         File("m-00003-of-00003.safetensors"), "--out",
                                         File("b.leaf")};
  EXPECT_THAT(Error(some, 2), AllOf(HasSubstr("expected 3 shards, found 2: m-00001-of-00003"),
                                    HasSubstr("missing: m-00002-of-00003.safetensors; --one-shard "
                                              "merges what is there")));
  EXPECT_FALSE(std::filesystem::exists(File("b.leaf")));
  std::vector<std::string> anyway = some;
  anyway.push_back("--one-shard");
  Out(anyway);
  Out({"merge", File("m-00001-of-00003.safetensors"), File("m-00002-of-00003.safetensors"),
       File("m-00003-of-00003.safetensors"), "--out", File("c.leaf")});
}

TEST_F(SplitMergeTest, AllShardsThatAReaderAccepts_AreMerged) {
  Save(File("m.leaf"), ManyLeaves(4));
  Out({"convert", File("m.leaf"), File("m.safetensors"), "--shard-size", "32", "--structure",
       "never"});
  // Counted from 0.
  std::filesystem::create_directory(File("d"));
  const std::string first = File("d/m-00000-of-00002.safetensors");
  const std::string second = File("d/m-00001-of-00002.safetensors");
  std::filesystem::rename(File("m-00001-of-00002.safetensors"), first);
  std::filesystem::rename(File("m-00002-of-00002.safetensors"), second);
  EXPECT_EQ(RunLeafstore({"inspect", File("d")}).exit_code, 0);
  Out({"merge", first, second, "--out", File("all.safetensors")});
  EXPECT_THAT(Error({"merge", first, second, first, "--out", File("twice.safetensors")}, 1),
              HasSubstr("duplicate"));
  EXPECT_THAT(Error({"merge", second, "--out", File("one.leaf")}, 2),
              HasSubstr("missing: m-00002-of-00002.safetensors"));
}

}  // namespace
}  // namespace leafstore
