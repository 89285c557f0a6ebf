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

TEST_F(ExplainTest, TheOldestAncestorThatMatchesDecides) {
  const std::string out = Out({"explain", path_, "--item", "params", "--group", "bias=**.bias",
                               "--group", "first=layers.0"});
  EXPECT_THAT(out, ContainsRegex("layers.0.bias +first +layers.0 +layers.0\n"));
  EXPECT_THAT(out, ContainsRegex("layers.1.bias +bias +\\*\\*.bias +layers.1.bias\n"));
  EXPECT_THAT(out, ContainsRegex("layers.1.weight +rest\n"));
}

TEST_F(ExplainTest, OnePathIsEnough) {
  const std::string out =
      Out({"explain", path_, "layers.1.*", "heads", "--group", "odd=not dtype:f32"});
  EXPECT_THAT(out, AllOf(ContainsRegex("layers.1.weight +odd +not dtype:f32 +\\(root\\)\n"),
                         HasSubstr("heads"), Not(HasSubstr("layers.0")), Not(HasSubstr("step"))));
}

TEST_F(ExplainTest, JsonHasTheNode) {
  const auto json = Json({"explain", path_, "layers.0.bias", "scale", "--group", "first=layers.0"});
  const auto& leaves = json["items"][0]["leaves"];
  EXPECT_EQ(leaves[0]["group"], "first");
  EXPECT_EQ(leaves[0]["at"], ".layers[0]");
  EXPECT_EQ(leaves[0]["at_dotted"], "layers.0");
  EXPECT_EQ(leaves[1]["group"], "rest");
  EXPECT_EQ(leaves[1]["filter"], nullptr);
}

TEST_F(ExplainTest, AGroupMustBeNamed) {
  EXPECT_THAT(Error({"explain", path_}, 2), HasSubstr("--group"));
  EXPECT_THAT(Error({"explain", path_, "--group", "a=dtype:f33"}, 2), HasSubstr("f33"));
  EXPECT_THAT(Error({"explain", path_, "nowhere", "--group", "a=all"}, 2), HasSubstr("nowhere"));
}

}  // namespace
}  // namespace leafstore
