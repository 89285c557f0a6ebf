// Branches of a run, as inspect shows them.
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
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
                              "    `- 3 (1 checkpoint)\n"
                              "       |- 5 (1 checkpoint)\n"
                              "       `- 6 to 8 (2 checkpoints), abandoned\n"),
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
  Save(&manager, {7, 8, 9, 10});
  EXPECT_THAT(Out({"inspect", File("run")}), HasSubstr("    3 to 6 (2 checkpoints)\n"
                                                       "    |- 8 (1 checkpoint), abandoned\n"
                                                       "    `- 9 to 10 (2 checkpoints)\n"));
  EXPECT_EQ(Json({"inspect", File("run")})["checkpoints"][0]["parent"],
            "step-00000000000000000002.leaf");
}

TEST_F(BranchesTest, SecondRunAndDamage_AreShown) {
  Run(2);
  CheckpointManager manager = Open();  // restores nothing
  Save(&manager, {3, 4});
  FlipBit(manager.PathOf(4), -5);
  const Ran ran = RunLeafstore({"inspect", File("run")});
  EXPECT_THAT(ran.out, testing::ContainsRegex("    1 to 2 \\(2 checkpoints\\), run [0-9a-f]{8}\n"
                                              "    3 \\(1 checkpoint\\), run [0-9a-f]{8}\n"));
  EXPECT_THAT(ran.out, HasSubstr("  cannot be opened: step-00000000000000000004.leaf\n"));
  EXPECT_THAT(ran.err, HasSubstr("step 4 skipped"));
}

}  // namespace
}  // namespace leafstore
