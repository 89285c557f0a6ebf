// Commands that write look at what their place reads as.
#include <filesystem>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "leafstore/interop/safetensors/reader.h"

#include "tests/interop/safetensors_files.h"
#include "tests/tools/tool_test.h"

namespace leafstore {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

using Args = std::vector<std::string>;

constexpr char kIndexFile[] = "model.safetensors.index.json";

class WritePlacesTest : public ToolTest {
 protected:
  WritePlacesTest() { WriteFile(File("small.safetensors"), SmallFile({{"new", 8}, {"new2", 8}})); }

  void MakeSet() const {
    WriteTwoShards(File("out"));
    WriteFile(File("out/") + kIndexFile, IndexOfTwo());
  }
  std::string NamesInOut() const {
    std::string text;
    const std::vector<std::string> names = FileSystem::Posix().List(File("out")).value();
    for (const std::string& name : names) {
      text += name + " ";
    }
    return text;
  }
};

TEST_F(WritePlacesTest, FileBesideASet_NeedsForceAndReplacesIt) {
  const std::string target = File("out/model.safetensors");
  const std::vector<Args> commands = {
      {"convert", File("small.safetensors"), target},
      {"merge", File("small.safetensors"), "--out", target},
      {"split", File("small.safetensors"), "--group", "model=**", "--out",
       File("out/{}.safetensors")},
      {"rename", File("small.safetensors"), "new=newer", "--write", target}};
  for (Args args : commands) {
    std::filesystem::remove_all(File("out"));
    MakeSet();
    const std::string before = NamesInOut();
    EXPECT_THAT(Error(args, 1), AllOf(HasSubstr(File("out/") + kIndexFile + ": already exists"),
                                      HasSubstr("--force replaces it")));
    EXPECT_EQ(NamesInOut(), before);
    args.push_back("--force");
    std::string removed;
    for (const std::string& name :
         {std::string(kIndexFile), ShardNameOf(1, 2), ShardNameOf(2, 2)}) {
      removed += File("out/") + name + ": removed\n";
    }
    EXPECT_THAT(Out(args), HasSubstr(removed));
    EXPECT_EQ(NamesInOut(), "model.safetensors ");
    EXPECT_THAT(Out({"tree", File("out")}), HasSubstr("new"));
    std::filesystem::remove_all(File("out"));
    MakeSet();
    EXPECT_THAT(Json(args)["removed"],
                testing::ElementsAre(File("out/") + kIndexFile, File("out/") + ShardNameOf(1, 2),
                                     File("out/") + ShardNameOf(2, 2)));
  }
}

TEST_F(WritePlacesTest, SetBesideAFile_NeedsForceAndReplacesIt) {
  std::filesystem::create_directory(File("out"));
  WriteFile(File("out/model.safetensors"), SmallFile({{"old", 4}}));
  Args args = {"convert", File("small.safetensors"), File("out/model.safetensors"), "--shard-size",
               "8"};
  EXPECT_THAT(
      Error(args, 1),
      AllOf(HasSubstr("out/model.safetensors: already exists; with model.safetensors.index"),
            HasSubstr("--force replaces it")));
  EXPECT_EQ(NamesInOut(), "model.safetensors ");
  args.push_back("--force");
  Out(args);
  EXPECT_EQ(NamesInOut(), ShardNameOf(1, 2) + " " + ShardNameOf(2, 2) + " " + kIndexFile + " ");
  EXPECT_EQ(SafetensorsReader::Open(File("out"))->size(), 2u);
}

TEST_F(WritePlacesTest, AnotherModel_IsNotReplacedByForce) {
  // A set of another name, shards without an index, and a run.
  std::filesystem::create_directory(File("out"));
  Out({"convert", File("small.safetensors"), File("out/lora.safetensors"), "--shard-size", "8"});
  WriteFile(File("out/model.safetensors"), SmallFile({{"old", 4}}));
  WriteTwoShards(File("shards"));
  const std::string run = Run(2);
  struct Write {
    std::string target;
    std::string other;
  };
  for (const auto& [target, other] :
       {Write{File("out/model.safetensors"), File("out/lora.safetensors.index.json")},
        Write{File("shards/all.safetensors"), File("shards/") + ShardNameOf(1, 2)},
        Write{run + "/model.safetensors", run + "/step-00000000000000000001.leaf"}}) {
    const std::vector<std::string> before = FileSystem::Posix().List(DirectoryOf(target)).value();
    EXPECT_THAT(Error({"convert", File("small.safetensors"), target, "--force"}, 1),
                AllOf(HasSubstr(other + ": already exists"), HasSubstr("move it, or write to"),
                      testing::Not(HasSubstr("--force"))));
    EXPECT_EQ(FileSystem::Posix().List(DirectoryOf(target)).value(), before);
  }
}

TEST_F(WritePlacesTest, StepIntoADirectoryWithAModel_IsAnError) {
  MakeSet();
  WriteTwoShards(File("shards"));
  for (const char* const flag : {"--zstd", "--force"}) {
    EXPECT_THAT(
        Error({"convert", File("small.safetensors"), File("out"), "--step", "0", flag}, 1),
        AllOf(HasSubstr(File("out/") + kIndexFile + ": already exists"), HasSubstr("two models")));
    EXPECT_THAT(
        Error({"convert", File("small.safetensors"), File("shards/"), "--step", "0", flag}, 1),
        HasSubstr(ShardNameOf(1, 2) + ": already exists"));
    EXPECT_THAT(Error({"convert", File("small.safetensors"),
                       File("out/step-00000000000000000000.leaf"), flag},
                      1),
                HasSubstr(File("out/") + kIndexFile + ": already exists"));
  }
  EXPECT_THAT(Out({"inspect", File("out")}), HasSubstr(kIndexFile));
  // A file that is read by its own name is not in the way.
  std::filesystem::create_directory(File("start"));
  WriteFile(File("start/pretrained.safetensors"), SmallFile({{"a", 4}}));
  Out({"convert", File("start/pretrained.safetensors"), File("start/"), "--step", "0"});
}

TEST_F(WritePlacesTest, StepIntoANewDirectory_MakesItAndThoseAboveIt) {
  const Args args = {"convert", File("small.safetensors"), File("n1/n2/run/"), "--step", "0"};
  EXPECT_THAT(Error(args, 1), HasSubstr("--mkdirs makes it"));
  Args mkdirs = args;
  mkdirs.push_back("--mkdirs");
  Out(mkdirs);
  EXPECT_THAT(Out({"inspect", File("n1/n2/run")}), HasSubstr("step-00000000000000000000"));
}

TEST_F(WritePlacesTest, StepWrittenByHand_IsAnErrorThatSaysWhatToDo) {
  const std::string run = Run(2);
  Args args = {"convert", File("small.safetensors"), run + "/step-00000000000000000007.leaf"};
  EXPECT_THAT(Error(args, 1), AllOf(HasSubstr("found that of step 7"),
                                    HasSubstr("convert FILE " + run + "/ --step 7")));
  args.push_back("--force");
  Out(args);
  // Elsewhere the name means nothing.
  Out({"convert", File("small.safetensors"), File("step-00000000000000000007.leaf")});
  Out({"convert", File("small.safetensors"), run + "/mine.leaf"});
}

TEST_F(WritePlacesTest, ConvertIntoADirectoryOfCheckpoints_SavesAStep) {
  const std::string run = Run(2);
  EXPECT_THAT(Out({"convert", File("small.safetensors"), run, "--step", "7"}),
              StartsWith(run + "/step-00000000000000000007.leaf: "));
  EXPECT_THAT(Out({"inspect", run}),
              AllOf(HasSubstr("step-00000000000000000007"), HasSubstr("params")));
  EXPECT_THAT(Error({"convert", File("small.safetensors"), run + "/", "--step", "5"}, 1),
              HasSubstr("step above 7"));
  EXPECT_THAT(Error({"convert", File("small.safetensors"), run}, 2),
              HasSubstr("expected --step with the step to save"));
  EXPECT_THAT(Error({"convert", File("small.safetensors"), run, "--step", "8", "--deflate"}, 2),
              HasSubstr("--deflate is only for .npz"));
  // A new directory, from another run.
  Out({"convert", run + "@2", File("new/"), "--step", "0"});
  EXPECT_THAT(Out({"cat", File("new"), "w"}), HasSubstr("2"));
  EXPECT_EQ(FileSystem::Posix().List(run)->size(), 4u);  // and LOCK
}

TEST_F(WritePlacesTest, DirectoryOfCheckpointsWithAModel_SaysWhichIsRead) {
  const std::string run = Run(2);
  WriteFile(run + "/other.safetensors", SmallFile({{"a", 4}}));
  Out({"inspect", run});
  WriteFile(run + "/model.safetensors", SmallFile({{"a", 4}}));
  const Ran ran = RunLeafstore({"inspect", run});
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_THAT(ran.err, HasSubstr("found checkpoints, which are read, and model.safetensors, which "
                                 "is not"));
}

TEST_F(WritePlacesTest, FileKeptAside_IsNamedByTheErrorOfAReader) {
  for (const char* name : {"b.leaf", "b.safetensors", "b.npz"}) {
    const std::string kept = File(name) + ".old-123-0";
    WriteFile(kept, "old");
    EXPECT_THAT(Error({"inspect", File(name)}, 1),
                AllOf(HasSubstr("No such file"), HasSubstr("the old file is " + kept)));
  }
}

}  // namespace
}  // namespace leafstore
