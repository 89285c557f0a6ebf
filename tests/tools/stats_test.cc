// `leafstore stats`.
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

class StatsToolTest : public ToolTest {
 protected:
  StatsToolTest() : path_(Sample()) {}
  std::string Stats(std::vector<std::string> args) {
    args.insert(args.begin(), {"stats", path_, "--item", "params"});
    return Out(args);
  }
  const std::string path_;
};

TEST_F(StatsToolTest, EachTensorAndAllTogether) {
  const std::string out = Stats({});
  EXPECT_THAT(out, ContainsRegex("layers.0.weight +6 +-6 +5 +-0.5 +3.862 +9.539 +0 +0 +0\n"));
  EXPECT_THAT(out, ContainsRegex("scale +2 +2 +2 +2 +0 +2 +0 +1 +0\n"));
  EXPECT_THAT(out, ContainsRegex("\\(all\\) +28 +-6 +5 "));
  EXPECT_THAT(out, Not(HasSubstr("activation")));
  EXPECT_THAT(out, HasSubstr("GROUP (saved)"));
}

TEST_F(StatsToolTest, SubtreesGroupsAndOrder) {
  EXPECT_THAT(Stats({"--depth", "1"}), ContainsRegex("layers +18 +-6 "));
  EXPECT_THAT(Stats({"--group", "b=**.bias"}), ContainsRegex("\n  b +6 +0 +1 "));
  const std::string sorted = Stats({"--sort", "l2", "--top", "2"});
  EXPECT_THAT(sorted, ContainsRegex("PATH [^\n]*\n  layers.0.weight [^\n]*\n  layers.1.weight "));
  EXPECT_THAT(sorted, Not(HasSubstr("embed")));
}

TEST_F(StatsToolTest, Histograms) {
  EXPECT_THAT(Stats({"--match", "layers.0.bias", "--histogram", "4"}), HasSubstr("|█ ██|"));
  const auto json =
      Json({"stats", path_, "--item", "params", "--histogram", "2", "--range", "all"});
  const auto& item = json["items"][0];
  EXPECT_EQ(item["all"]["histogram"]["lo"], -6);
  EXPECT_EQ(item["all"]["histogram"]["hi"], 5);
  EXPECT_EQ(item["all"]["histogram"]["bins"][0].get<int>() +
                item["all"]["histogram"]["bins"][1].get<int>(),
            27);
  const auto own = Json({"stats", path_, "--item", "params", "--histogram", "2"});
  EXPECT_FALSE(own["items"][0]["all"].contains("histogram"));
  EXPECT_TRUE(own["items"][0]["rows"][0].contains("histogram"));
}

TEST_F(StatsToolTest, BadOptionsAreUsage) {
  EXPECT_THAT(Error({"stats", path_, "--range", "1"}, 2), HasSubstr("--range: expected LO:HI"));
  EXPECT_THAT(Error({"stats", path_, "--range", "2:1"}, 2), HasSubstr("--range"));
  EXPECT_THAT(Error({"stats", path_, "--sort", "size"}, 2), HasSubstr("--sort"));
  EXPECT_THAT(Error({"stats", path_, "--histogram", "0"}, 2), HasSubstr("--histogram"));
}

TEST_F(StatsToolTest, JsonHasNumbersAndCounts) {
  const auto json = Json({"stats", path_, "--match", "scale"});
  const auto& row = json["items"][0]["rows"][0];
  EXPECT_EQ(row["dotted"], "scale");
  EXPECT_EQ(row["nan"], 1);
  EXPECT_EQ(row["max"], 2);
  EXPECT_EQ(json["verified"], true);
}

}  // namespace
}  // namespace leafstore
