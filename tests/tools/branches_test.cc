// Branches of a run, as inspect shows them.
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/tools/tool_test.h"

namespace leafstore {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class BranchesTest : public ToolTest {
 protected:
  CheckpointManager Open(Retention retention = {}) {
    return CheckpointManager::Open(File("run"), {.io = {.durable = false}, .retention = retention})
        .value();
  }
  // Saves these steps with a loss.
  static void Save(CheckpointManager* manager, std::vector<int64_t> steps, double loss = 0.5) {
    for (const int64_t step : steps) {
      ASSERT_TRUE(manager->Save(step, {{"params", ManyLeaves(1)}}, {{"loss", loss}}).ok());
    }
  }
};

TEST_F(BranchesTest, RunWithoutBranches_HasNoDrawing) {
  Run(3);
  EXPECT_THAT(Out({"inspect", File("run")}), Not(HasSubstr("branches")));
  const nlohmann::json json = Json({"inspect", File("run")});
  ASSERT_EQ(json["checkpoints"].size(), 3u);
  EXPECT_EQ(json["checkpoints"][0]["parent"], nullptr);
  EXPECT_EQ(json["checkpoints"][2]["parent"], json["checkpoints"][1]["file"]);
  EXPECT_EQ(json["checkpoints"][2]["run"], json["checkpoints"][0]["run"]);
  EXPECT_EQ(json["checkpoints"][2]["run"].get<std::string>().size(), 32u);
  EXPECT_EQ(json["checkpoints"][1]["metrics"]["loss"], 0.5);
  EXPECT_EQ(json["checkpoints"][1]["abandoned"], false);
  EXPECT_FALSE(Json({"inspect", Sample()}).contains("checkpoints"));
}

TEST_F(BranchesTest, Branches_AreDrawn) {
  CheckpointManager manager = Open();
  Save(&manager, {1, 2, 3, 4});
  ASSERT_TRUE(manager.Restore({.step = 2, .and_continue = true}).ok());
  Save(&manager, {3, 6, 8}, /*loss=*/0.25);
  ASSERT_TRUE(manager.Restore({.step = 3, .and_continue = true}).ok());
  Save(&manager, {5});
  EXPECT_THAT(Out({"inspect", File("run")}),
              AllOf(HasSubstr("  branches:\n"
                              "    1 to 2 (2 checkpoints)\n"
                              "    |- 3 to 4 (2 checkpoints), abandoned\n"
                              "    3 (1 checkpoint)\n"
                              "    |- 6 to 8 (2 checkpoints), abandoned\n"
                              "    5 (1 checkpoint)\n"),
                    HasSubstr("step-00000000000000000005.leaf: ")));
  const nlohmann::json json = Json({"inspect", File("run")});
  const nlohmann::json& last = json["checkpoints"].back();
  EXPECT_EQ(last["file"], "abandoned-step-00000000000000000008.leaf");
  EXPECT_EQ(last["parent"], "abandoned-step-00000000000000000006.leaf");
  EXPECT_EQ(last["abandoned"], true);
}

// Retention removes parents.
TEST_F(BranchesTest, RemovedParents_LeaveOneSeries) {
  CheckpointManager manager = Open({.last = 1, .every = 3});
  Save(&manager, {1, 2, 3, 4, 5, 6, 7, 8});
  EXPECT_THAT(Out({"inspect", File("run")}), Not(HasSubstr("branches")));
  ASSERT_TRUE(manager.Restore({.step = 6, .and_continue = true}).ok());
  Save(&manager, {7, 8, 9, 10}, /*loss=*/0.25);  // not equal to the file that was set aside
  EXPECT_THAT(Out({"inspect", File("run")}), HasSubstr("    3 to 6 (2 checkpoints)\n"
                                                       "    |- 8 (1 checkpoint), abandoned\n"
                                                       "    9 to 10 (2 checkpoints)\n"));
  const nlohmann::json first = Json({"inspect", File("run")})["checkpoints"][0];
  EXPECT_EQ(first["parent"], nullptr);
  EXPECT_EQ(first["parent_name"], "step-00000000000000000002.leaf");
}

// The parent was deleted, and another checkpoint of its step exists.
TEST_F(BranchesTest, RemovedParent_IsNotTheOneOfItsStep) {
  CheckpointManager manager = Open();
  Save(&manager, {200, 300, 400});
  ASSERT_TRUE(manager.Restore({.step = 200, .and_continue = true}).ok());
  Save(&manager, {300}, /*loss=*/0.25);
  ASSERT_TRUE(std::filesystem::remove(File("run/abandoned-step-00000000000000000300.leaf")));
  EXPECT_THAT(Out({"inspect", File("run")}), HasSubstr("    200 (1 checkpoint)\n"
                                                       "    |- 400 (1 checkpoint), abandoned\n"
                                                       "    300 (1 checkpoint)\n"));
  const nlohmann::json last = Json({"inspect", File("run")})["checkpoints"].back();
  EXPECT_EQ(last["parent"], nullptr);
  EXPECT_EQ(last["parent_name"], "step-00000000000000000300.leaf");
}

// What was not set aside may continue what was: here somebody renamed it back.
TEST_F(BranchesTest, ParentThatWasSetAside_IsFound) {
  CheckpointManager manager = Open();
  Save(&manager, {200, 300, 400});
  ASSERT_TRUE(manager.Restore({.step = 200, .and_continue = true}).ok());
  std::filesystem::rename(File("run/abandoned-step-00000000000000000400.leaf"),
                          File("run/step-00000000000000000400.leaf"));
  EXPECT_EQ(Json({"inspect", File("run")})["checkpoints"].back()["parent"],
            "abandoned-step-00000000000000000300.leaf");
}

// Each return adds a line beside, and no indentation.
TEST_F(BranchesTest, ManyReturns_NeedNoIndentation) {
  CheckpointManager manager = Open();
  Save(&manager, {0});
  std::string drawn = "    0 (1 checkpoint)\n";
  for (int64_t step = 10; step < 150; step += 10) {
    Save(&manager, {step + 5});
    ASSERT_TRUE(manager.Restore({.step = step - 10, .and_continue = true}).ok());
    Save(&manager, {step});
    absl::StrAppend(&drawn, "    |- ", step + 5, " (1 checkpoint), abandoned\n    ", step,
                    " (1 checkpoint)\n");
  }
  EXPECT_THAT(Out({"inspect", File("run")}), HasSubstr("  branches:\n" + drawn));
}

// What was set aside has such a line, too.
TEST_F(BranchesTest, ManyReturns_InWhatWasSetAside_NeedNoIndentation) {
  CheckpointManager manager = Open();
  Save(&manager, {1});
  for (int64_t step = 2; step < 40; ++step) {
    Save(&manager, {step, step + 100});
    ASSERT_TRUE(manager.Restore({.step = step, .and_continue = true}).ok());
  }
  ASSERT_TRUE(manager.Restore({.step = 1, .and_continue = true}).ok());
  for (const absl::string_view line : absl::StrSplit(Out({"inspect", File("run")}), '\n')) {
    EXPECT_TRUE(!absl::StrContains(line, "abandoned") || line.size() < 60) << line;
  }
}

TEST_F(BranchesTest, SecondRunAndDamage_AreShown) {
  Run(2);
  CheckpointManager manager = Open();  // restores nothing
  Save(&manager, {3, 4});
  FlipBit(manager.PathOf(4), -5);
  const Ran ran = RunLeafstore({"inspect", File("run")});
  EXPECT_THAT(ran.out, testing::ContainsRegex("    1 to 2 \\(2 checkpoints\\), run [0-9a-f]{8}\n"
                                              "    3 \\(1 checkpoint\\), run [0-9a-f]{8}\n"));
  EXPECT_THAT(ran.out,
              HasSubstr("  step-00000000000000000004.leaf cannot be opened: footer: expected "));
  EXPECT_THAT(ran.err, HasSubstr("step 4 skipped"));
}

}  // namespace
}  // namespace leafstore
