// Charts in a browser of unusual metrics: one step, one value, numbers that differ in their last
// bit, gaps, the largest and smallest numbers.
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include <nlohmann/json.hpp>

#include "tests/report/browser_fixture.h"
#include "tests/report/sample_reports.h"

namespace leafstore {
namespace {

using nlohmann::json;
using testing::HasSubstr;

constexpr double kLargest = std::numeric_limits<double>::max();
constexpr double kSmallest = std::numeric_limits<double>::denorm_min();

class ReportChartsTest : public ReportBrowserTest {
 protected:
  // Makes a run with these metrics, per step; NaN leaves the metric out.
  void OpenRun(const std::vector<Metrics>& metrics) {
    CheckpointManager manager =
        CheckpointManager::Open(run_, {.io = {.durable = false}, .retention = {.last = 1000}})
            .value();
    const ParamStore store = NetworkStore(1, 4, 0.1f);
    for (size_t i = 0; i < metrics.size(); ++i) {
      ASSERT_TRUE(manager.Save(static_cast<int64_t>(i) + 1, {{"params", store}}, metrics[i]).ok());
    }
    Open({run_});
  }
  void OpenRunOf(const std::string& name, const std::vector<double>& values) {
    std::vector<Metrics> metrics;
    for (const double value : values) metrics.push_back(Metrics{{name, value}});
    OpenRun(metrics);
  }
  // Selects the chart of the first metric, which follows that of the norms.
  std::string Chart(const std::string& what) {
    return absl::StrCat("document.querySelectorAll('#steps-charts figure')[1]", what);
  }
  // No drawing has NaN, and every chart has a line.
  void ExpectDrawn() {
    EXPECT_EQ(Eval("[...document.querySelectorAll('svg *')].filter((e) => [...e.attributes]"
                   ".some((a) => /NaN|Infinity|undefined/.test(a.value))).map((e) => e.outerHTML)"),
              json::array());
    EXPECT_GT(Eval(Chart(".querySelectorAll('path.series').length")), 0);
  }
  json Ticks(double low, double high, int count = 4) {
    return page_->Call("(low, high, count) => roundTicks(low, high, count)", {low, high, count});
  }

  const std::string run_ = dir_.File("run");
};

TEST_F(ReportChartsTest, MetricThatHardlyChanges_IsANearlyHorizontalLine) {
  OpenRunOf("accuracy", {0.3, 0.1 + 0.2, 0.3});
  ExpectDrawn();
  const json labels = Eval("[..." + Chart(".querySelectorAll('text.tick')]"
                                          ".filter((e) => e.getAttribute('text-anchor') === 'end')"
                                          ".map((e) => e.textContent)"));
  EXPECT_EQ(labels, json({"0.299", "0.3", "0.301"}));
}

TEST_F(ReportChartsTest, ConstantMetric_IsInTheMiddle) {
  for (const double value : {0.5, 0.0, -3.0, 1e300, kSmallest, kLargest}) {
    OpenRunOf("loss", {value, value});
    ExpectDrawn();
    std::filesystem::remove_all(run_);
  }
}

TEST_F(ReportChartsTest, LargestNumbers_AreDrawn) {
  for (const std::vector<double>& values : {std::vector<double>{-kLargest, kLargest, 0},
                                            {0, kSmallest},
                                            {-kSmallest, kSmallest},
                                            {kLargest / 4, kLargest},
                                            {9007199254740992, 9007199254740994}}) {
    OpenRunOf("loss", values);
    ExpectDrawn();
    std::filesystem::remove_all(run_);
  }
}

TEST_F(ReportChartsTest, Gaps_InterruptTheLine) {
  OpenRun({{{"loss", 4}}, {}, {{"loss", 2}}, {{"loss", 1}}, {{"other", 7}}});
  ExpectDrawn();
  const std::string line = Eval(Chart(".querySelector('path.series').getAttribute('d')"));
  // The isolated point is a cross of two strokes, and the other two points are one line.
  EXPECT_EQ(std::count(line.begin(), line.end(), 'L'), 1);
  EXPECT_EQ(std::count(line.begin(), line.end(), 'h'), 1);
  Eval(Chart(".querySelector('.chart-frame').focus()"));
  page_->Press("Home");
  page_->Press("ArrowRight");
  EXPECT_EQ(Eval(Chart(".querySelector('.reading').textContent")), "Step 2: –");
}

TEST_F(ReportChartsTest, OneStep_IsAPoint) {
  OpenRunOf("loss", {0.25});
  ExpectDrawn();
  EXPECT_THAT(std::string(Eval(Chart(".querySelector('.chart-frame').ariaLabel"))),
              HasSubstr("from step 1 to 1. loss: 0.25 to 0.25"));
}

TEST_F(ReportChartsTest, Ticks_AreRoundNumbersInTheRange) {
  OpenRunOf("loss", {1, 2});
  EXPECT_EQ(Ticks(0, 1), json({0, 0.25, 0.5, 0.75, 1}));
  EXPECT_EQ(Ticks(-3, 1000), json({0, 500, 1000}));
  EXPECT_EQ(Ticks(-kLargest, kLargest), json({-1e308, 0, 1e308}));
}

TEST_F(ReportChartsTest, Ticks_AreFewForAnyRange) {
  OpenRunOf("loss", {1, 2});
  const double next = 1 + std::numeric_limits<double>::epsilon();
  for (const auto& [low, high] : {std::pair<double, double>{0.3, 0.1 + 0.2},
                                  {1, next},
                                  {9007199254740992, 9007199254740994},
                                  {9007199254740992, 9007199254740992},
                                  {0, kSmallest},
                                  {kSmallest, 2 * kSmallest},
                                  {kLargest / 2, kLargest},
                                  {2, 1},
                                  {0, 0}}) {
    for (const int count : {0, 3, 8, 1000}) {
      const json ticks = Ticks(low, high, count);
      EXPECT_LE(ticks.size(), 16u) << low << " " << high << " " << count;
      for (size_t i = 0; i < ticks.size(); ++i) {
        ASSERT_TRUE(ticks[i].is_number()) << ticks.dump();
        if (i == 0) continue;
        EXPECT_LT(double(ticks[i - 1]), double(ticks[i])) << low << " " << high;
      }
    }
  }
}

TEST_F(ReportChartsTest, Histograms_ReachTheLargestNumbers) {
  const std::vector<std::vector<double>> leaves = {{-kLargest, 0, kLargest},
                                                   {-kSmallest, kSmallest},
                                                   {0, 0},
                                                   {kLargest, kLargest},
                                                   {0.3, 0.1 + 0.2}};
  std::vector<std::pair<Path, Leaf>> entries;
  for (const std::vector<double>& leaf : leaves) {
    entries.emplace_back(Path().Attribute(absl::StrCat("w", entries.size())),
                         Tensor::From<double>({static_cast<int64_t>(leaf.size())}, leaf).value());
  }
  Save(path_, ParamStore::FromEntries(std::move(entries)).value());
  Open({path_}, {.width = 1640, .height = 1600});
  for (size_t i = 0; i < leaves.size(); ++i) {
    Search(absl::StrCat("w", i));
    page_->Click(".row .path-cell");
    EXPECT_EQ(Eval("document.querySelectorAll('.detail svg .bars').length"), 1) << i;
  }
  Search("");
  EXPECT_EQ(Eval("[...document.querySelectorAll('svg *')].filter((e) => [...e.attributes]"
                 ".some((a) => /NaN|Infinity/.test(a.value))).length"),
            0);
}

}  // namespace
}  // namespace leafstore
