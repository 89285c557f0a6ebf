// `leafstore explain`.
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/tools/tool_test.h"

namespace leafstore {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

class ExplainTest : public ToolTest {
 protected:
  ExplainTest() : path_(Sample()) {}
  const std::string path_;
};

TEST_F(ExplainTest, OutermostMatchingAncestor_Decides) {
  const std::string out = Out({"explain", path_, "--item", "params", "--group", "bias=**.bias",
                               "--group", "first=layers.0"});
  EXPECT_THAT(out, ContainsRegex("layers.0.bias +first +layers.0 +layers.0\n"));
  EXPECT_THAT(out, ContainsRegex("layers.1.bias +bias +\\*\\*.bias +layers.1.bias\n"));
  EXPECT_THAT(out, ContainsRegex("layers.1.weight +rest\n"));
}

TEST_F(ExplainTest, Path_SelectsOneLeaf) {
  const std::string out =
      Out({"explain", path_, "layers.1.*", "heads", "--group", "odd=not dtype:f32"});
  EXPECT_THAT(out, AllOf(ContainsRegex("layers.1.weight +odd +not dtype:f32 +\\(root\\)\n"),
                         HasSubstr("heads"), Not(HasSubstr("layers.0")), Not(HasSubstr("step"))));
}

TEST_F(ExplainTest, Json_HasTheMatchedNode) {
  const auto json = Json({"explain", path_, "layers.0.bias", "scale", "--group", "first=layers.0"});
  const auto& leaves = json["items"][0]["leaves"];
  EXPECT_EQ(leaves[0]["group"], "first");
  EXPECT_EQ(leaves[0]["at"], ".layers[0]");
  EXPECT_EQ(leaves[0]["at_dotted"], "layers.0");
  EXPECT_EQ(leaves[1]["group"], "rest");
  EXPECT_EQ(leaves[1]["filter"], nullptr);
}

TEST_F(ExplainTest, WithoutGroups_ShowsTheSavedGroups) {
  const std::string out = Out({"explain", path_, "layers", "step"});
  EXPECT_THAT(
      out, AllOf(HasSubstr("GROUP (saved)"), ContainsRegex("layers.1.bias +bias\n"),
                 ContainsRegex("layers.0.weight +first\n"), ContainsRegex("step +\\(none\\)\n")));
  const auto item = Json({"explain", path_, "layers.1.bias"})["items"][0];
  EXPECT_EQ(item["groups_saved"], true);
  EXPECT_EQ(item["leaves"][0]["group"], "bias");
  EXPECT_EQ(item["leaves"][0]["filter"], nullptr);
}

TEST_F(ExplainTest, FilterThatMatchedTheRoot_IsNoted) {
  const std::vector<std::string> args = {"explain", path_, "heads", "--group", "odd=not dtype:f32"};
  EXPECT_THAT(Out(args), HasSubstr("note: the filter of group 'odd' matched the root"));
  EXPECT_EQ(Json(args)["items"][0]["root_group"], "odd");
}

TEST_F(ExplainTest, Match_SelectsLeaves) {
  const std::string out =
      Out({"explain", path_, "--match", "layers.*.bias", "--group", "first=layers.0"});
  EXPECT_THAT(out, AllOf(HasSubstr("layers.1.bias"), Not(HasSubstr("weight"))));
  EXPECT_THAT(Error({"explain", path_, "heads", "--match", "layers", "--group", "a=all"}, 2),
              HasSubstr("--match matches none of the named leaves"));
}

TEST_F(ExplainTest, InvalidArguments_AreUsageErrors) {
  Save(File("plain.leaf"), ManyLeaves(3));
  EXPECT_THAT(Error({"explain", File("plain.leaf")}, 2),
              HasSubstr("expected --group NAME=FILTER, as no groups were saved with it"));
  EXPECT_THAT(Error({"explain", path_, "--group", "a=**.bais"}, 2),
              HasSubstr("--group has no leaves: a=**.bais; no key is 'bais'; did you mean bias?"));
  EXPECT_THAT(Error({"explain", path_, "layers.0.weight[0]", "--group", "a=all"}, 2),
              HasSubstr("expected a path, found one with a slice"));
  EXPECT_THAT(Error({"explain", path_, "--group", "a=dtype:f33"}, 2), HasSubstr("f33"));
  EXPECT_THAT(Error({"explain", path_, "nowhere", "--group", "a=all"}, 2), HasSubstr("nowhere"));
}

}  // namespace
}  // namespace leafstore
