// Inputs of the command line: files by content, managed directories and their steps, sets of
// safetensors.
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/tools/tool_test.h"

namespace leafstore {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

class SourceTest : public ToolTest {
 protected:
  // Returns the only element of a step's model.
  std::string Number(std::vector<std::string> args) {
    args.insert(args.begin(), "cat");
    args.push_back("w");
    return Out(args);
  }
  std::string StepFile(int step) const {
    return File("run/step-" + std::string(19, '0') + std::to_string(step) + ".leaf");
  }
};

TEST_F(SourceTest, Directory_OpensItsNewestCheckpoint) {
  const std::string run = Run(3);
  EXPECT_EQ(Number({run}), "3.\n");
  EXPECT_EQ(Number({run + "/"}), "3.\n");
  EXPECT_EQ(Number({run, "--step", "latest"}), "3.\n");
}

TEST_F(SourceTest, Step_IsChosenByNumberOrMetric) {
  const std::string run = Run(3);
  EXPECT_EQ(Number({run + "@2"}), "2.\n");
  EXPECT_EQ(Number({run, "--step", "2"}), "2.\n");
  EXPECT_EQ(Number({run, "--step", "best=loss"}), "1.\n");
  EXPECT_EQ(Number({run, "--step", "lowest=loss"}), "3.\n");
  EXPECT_EQ(Number({run + "@best=loss"}), "1.\n");
}

TEST_F(SourceTest, MissingStep_IsAUsageError) {
  const std::string run = Run(3);
  EXPECT_THAT(Error({"tree", run + "@7"}, 2),
              HasSubstr("no checkpoint of step 7; existing: 1, 2, 3"));
  EXPECT_THAT(
      Error({"tree", run, "--step", "best=lss"}, 2),
      AllOf(HasSubstr("no checkpoint has the metric 'lss'"), HasSubstr("did you mean loss?")));
  EXPECT_THAT(Error({"tree", run, "--step", "newest"}, 2), HasSubstr("expected a step's number"));
  EXPECT_THAT(Error({"tree", run, "--step", "-1"}, 2), HasSubstr("expected a step's number"));
  EXPECT_THAT(Error({"tree", Sample(), "--step", "1"}, 2), HasSubstr("--step is for a directory"));
  EXPECT_THAT(Error({"tree", run + "@2", "--step", "3"}, 2),
              HasSubstr("expected one step, found '@2' and --step 3"));
  EXPECT_THAT(Error({"tree", run + "@"}, 2), HasSubstr("expected a step after the '@'"));
  EXPECT_THAT(Error({"verify", run + "@"}, 2), HasSubstr("expected a step after the '@'"));
}

// Damage in one item does not affect another, as in a file.
TEST_F(SourceTest, NamedStep_VerifiesOnlyWhatIsRead) {
  const std::string run = File("run");
  CheckpointManager manager = CheckpointManager::Open(run, {.io = {.durable = false}}).value();
  std::vector<CheckpointItem> items;
  for (const char* name : {"optimizer", "params"}) {
    items.emplace_back(name, ParamStore::FromEntries(
                                 {{Path().Item(std::string(name) + ".w"), Tensor::Scalar(1.0f)}})
                                 .value());
  }
  ASSERT_TRUE(manager.Save(1, std::move(items), {}).ok());
  FlipBit(StepFile(1), 64);
  const Ran of_optimizer = RunLeafstore({"cat", run + "@1", "--item", "optimizer"});
  const Ran of_params = RunLeafstore({"cat", run + "@1", "--item", "params"});
  // One of the two has the damaged bit.
  EXPECT_EQ(of_optimizer.exit_code + of_params.exit_code, 1);
  EXPECT_EQ(of_optimizer.out + of_params.out, "1.\n");
  EXPECT_EQ(RunLeafstore({"cat", run, "--item", "params"}).exit_code, 1);
}

TEST_F(SourceTest, DamagedNewestCheckpoint_IsSkippedWithANote) {
  const std::string run = Run(3);
  FlipBit(StepFile(3), 64);
  const Ran ran = RunLeafstore({"cat", run, "w"});
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_EQ(ran.out, "2.\n");
  EXPECT_THAT(ran.err, AllOf(StartsWith("leafstore: " + run + ": step 3 skipped: "),
                             HasSubstr("expected checksum")));
  // A named step is not replaced by another one.
  EXPECT_THAT(Error({"cat", run + "@3", "w"}, 1), HasSubstr("expected checksum"));
  // Opening reads no tensor.
  EXPECT_EQ(Number({run, "--no-verify"}).substr(0, 1), "3");
  FlipBit(StepFile(2), 64);
  FlipBit(StepFile(1), 64);
  const Ran none = RunLeafstore({"cat", run, "w"});
  EXPECT_EQ(none.exit_code, 1);
  EXPECT_EQ(none.out, "");
  EXPECT_THAT(none.err, HasSubstr("none of 3 checkpoints can be read"));
}

TEST_F(SourceTest, Format_DoesNotDependOnTheName) {
  Sample("model.bin");
  EXPECT_THAT(Out({"inspect", File("model.bin")}), HasSubstr("format version 1"));
  Out({"convert", File("model.bin"), File("b.safetensors"), "--item", "params"});
  std::filesystem::rename(File("b.safetensors"), File("b.leaf"));
  EXPECT_THAT(Out({"inspect", File("b.leaf")}), HasSubstr(", safetensors, 1 item"));
}

TEST_F(SourceTest, FileNamedLikeAStep_IsAFile) {
  Sample("run@1");
  EXPECT_THAT(Out({"inspect", File("run@1")}), StartsWith(File("run@1") + ": "));
}

TEST_F(SourceTest, DirectoryOfSafetensors_OpensItsIndexOrItsOnlyFile) {
  Sample();
  std::filesystem::create_directory(File("one"));
  Out({"convert", File("a.leaf"), File("one/m.safetensors"), "--item", "params"});
  EXPECT_THAT(Out({"inspect", File("one")}), StartsWith(File("one/m.safetensors") + ": "));
  Out({"convert", File("a.leaf"), File("one/n.safetensors"), "--item", "params"});
  EXPECT_THAT(Error({"inspect", File("one")}, 1), AllOf(HasSubstr("expected one *.safetensors"),
                                                        HasSubstr("m.safetensors, n.safetensors")));
  Out({"convert", File("a.leaf"), File("one/s.safetensors"), "--item", "params", "--shard-size",
       "40"});
  const Ran set = RunLeafstore({"inspect", File("one")});
  EXPECT_EQ(set.exit_code, 0);
  EXPECT_THAT(set.out, AllOf(StartsWith(File("one/s.safetensors.index.json") + ": "),
                             HasSubstr(" shards, 1 item"), HasSubstr("shard: s-00001-of-0000")));
  EXPECT_THAT(set.err, HasSubstr("s.safetensors.index.json, which is read, and m.safetensors, "
                                 "which is not (and 1 more)"));
}

TEST_F(SourceTest, Names_ChooseHowSafetensorsNamesBecomePaths) {
  Sample();
  Out({"convert", File("a.leaf"), File("a.safetensors"), "--item", "params", "--structure", "never",
       "--drop-static"});
  const std::string file = File("a.safetensors");
  const auto first = [&](const char* style) {
    return Json({"tree", file, "--names", style})["items"][0]["nodes"].back()["path"];
  };
  EXPECT_EQ(first("split"), "['scale']");
  EXPECT_THAT(Out({"tree", file, "--names", "lists"}), testing::ContainsRegex("layers +list of 2"));
  EXPECT_THAT(Out({"tree", file, "--names", "split"}), testing::ContainsRegex("layers +dict of 2"));
  EXPECT_THAT(Out({"tree", file, "--names", "flat"}), HasSubstr("layers.1.weight"));
  EXPECT_THAT(Error({"tree", file, "--names", "dots"}, 2),
              HasSubstr("--names: expected split, lists, flat, canonical or slash, found 'dots'"));
}

}  // namespace
}  // namespace leafstore
