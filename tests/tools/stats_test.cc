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

TEST_F(StatsToolTest, EachTensorAndTheSum_AreShown) {
  const std::string out = Stats({});
  EXPECT_THAT(out, ContainsRegex("layers.0.weight +6 +-6 +5 +-0.5 +3.862 +9.539 +0 +0 +0\n"));
  EXPECT_THAT(out, ContainsRegex("scale +2 +2 +2 +2 +0 +2 +0 +1 +0\n"));
  EXPECT_THAT(out, ContainsRegex("\\(all\\) +28 +-6 +5 "));
  EXPECT_THAT(out, Not(HasSubstr("activation")));
  EXPECT_THAT(out, HasSubstr("GROUP (saved)"));
}

TEST_F(StatsToolTest, Rows_AreSubtreesAndGroupsInSortedOrder) {
  EXPECT_THAT(Stats({"--depth", "1"}), ContainsRegex("layers +18 +-6 "));
  EXPECT_THAT(Stats({"--group", "b=**.bias"}), ContainsRegex("\n  b +6 +0 +1 "));
  const std::string sorted = Stats({"--sort", "l2", "--top", "2"});
  EXPECT_THAT(sorted, ContainsRegex("PATH [^\n]*\n  layers.0.weight [^\n]*\n  layers.1.weight "));
  EXPECT_THAT(sorted, Not(HasSubstr("embed")));
}

TEST_F(StatsToolTest, Histograms_HaveBars) {
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

TEST_F(StatsToolTest, InvalidOptions_AreUsageErrors) {
  EXPECT_THAT(Error({"stats", path_, "--histogram", "2", "--range", "1"}, 2),
              HasSubstr("--range: expected LO:HI"));
  EXPECT_THAT(Error({"stats", path_, "--histogram", "2", "--range", "2:1"}, 2),
              HasSubstr("--range: expected LO:HI or all, found '2:1'"));
  EXPECT_THAT(Error({"stats", path_, "--range", "0:1"}, 2),
              HasSubstr("--range: expected together with --histogram, found alone"));
  EXPECT_THAT(Error({"stats", path_, "--sort", "size"}, 2),
              AllOf(HasSubstr("--sort: expected path, count, min"), HasSubstr("found 'size'")));
  EXPECT_THAT(Error({"stats", path_, "--histogram", "0"}, 2),
              HasSubstr("--histogram: expected an integer from 1 to 1000, found '0'"));
  EXPECT_THAT(Error({"stats", path_, "--top", "-1"}, 2),
              HasSubstr("--top: expected an integer from 0 to"));
  EXPECT_THAT(
      Error({"stats", path_, "--match", "scael"}, 2),
      AllOf(HasSubstr("--match 'scael' matches no leaf"), HasSubstr("did you mean scale?")));
  EXPECT_THAT(Error({"stats", path_, "--group", "b=**.bais"}, 2),
              HasSubstr("--group has no leaves: b=**.bais; no key is 'bais'; did you mean bias?"));
  // A group whose leaves all belong to another group is not an error.
  EXPECT_THAT(Stats({"--group", "all=layers", "--group", "b=layers.*.bias"}),
              ContainsRegex("\n  b +0 "));
}

TEST_F(StatsToolTest, LargestF64_HaveADeviation) {
  Save(File("f.leaf"),
       ParamStore::FromEntries(
           {{Path().Item("large"), Tensor::From<double>({2}, {1e200, -1e200}).value()},
            {Path().Item("small"), Tensor::From<double>({2}, {1e-200, -1e-200}).value()}})
           .value());
  const auto rows = Json({"stats", File("f.leaf")})["items"][0]["rows"];
  EXPECT_EQ(rows[0]["std"], 1e200);
  EXPECT_NEAR(rows[0]["l2"].get<double>() / 1.4142135623730951e200, 1, 1e-15);
  EXPECT_EQ(rows[1]["std"], 1e-200);
}

TEST_F(StatsToolTest, Json_HasNumbersAndCounts) {
  const auto json = Json({"stats", path_, "--match", "scale"});
  const auto& row = json["items"][0]["rows"][0];
  EXPECT_EQ(row["dotted"], "scale");
  EXPECT_EQ(row["nan"], 1);
  EXPECT_EQ(row["max"], 2);
  EXPECT_EQ(json["verified"], true);
}

}  // namespace
}  // namespace leafstore
