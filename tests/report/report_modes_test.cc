// Comparisons, runs, and empty or damaged files, in a browser.
#include <cstdint>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include <nlohmann/json.hpp>

#include "leafstore/numeric/diff.h"
#include "leafstore/numeric/stats.h"
#include "leafstore/select/grouping.h"

#include "tests/report/browser_fixture.h"
#include "tests/report/sample_reports.h"

namespace leafstore {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

TEST_F(ReportBrowserTest, TwoFiles_ShowTheChanges) {
  const ParamStore before = NetworkStore(1, 8, 0.1f);
  ParamStore after = before.Snapshot().value();
  {
    auto weight = after.Mutate(".layers[0].mlp.weight").value();
    const auto numbers = weight.span<float>();
    for (float& number : numbers) number *= 1.5f;
  }
  {
    auto bias = after.Mutate(".layers[0].mlp.bias").value();
    bias.span<float>()[3] += 2;
  }
  const std::string second = dir_.File("after.leaf");
  Save(path_, before);
  Save(second, after);
  Open({path_, second}, {.width = 1640, .height = 1100});
  const StoreDiff diff = DiffStores(before, after).value();
  ASSERT_EQ(diff.leaves.size(), 2u);
  EXPECT_THAT(std::string(Fact("Leaves that differ")), testing::StartsWith("2"));
  for (const LeafDiff& leaf : diff.leaves) {
    const std::string path = before.layout().Dotted(*before.layout().Find(leaf.path));
    EXPECT_EQ(Cell(path, "what"), "numbers");
    EXPECT_NEAR(NumberIn(Cell(path, "max_abs")), leaf.max_abs, 1e-3 * leaf.max_abs);
    EXPECT_NEAR(NumberIn(Cell(path, "differing")),
                100.0 * static_cast<double>(leaf.differing) / static_cast<double>(leaf.count), 0.1);
  }
  EXPECT_NEAR(NumberIn(Cell("layers.0.mlp.weight", "relative")), 50, 0.1);
  EXPECT_EQ(Cell("embed.weight", "what"), "the same");
  // The largest change is first.
  EXPECT_EQ(Eval("shownPaths()[0]"), "layers.0.mlp.bias");
  EXPECT_EQ(Eval("shownPaths()[1]"), "layers.0.mlp.weight");
  Choose("show", "changed");
  EXPECT_EQ(Eval("shownPaths().length"), 2);
  page_->Click(".row .path-cell");
  EXPECT_THAT(std::string(Term("Changed")), HasSubstr("1 of 32 numbers"));
  EXPECT_EQ(Eval("document.querySelectorAll('.detail .bars-before').length"), 1);
}

TEST_F(ReportBrowserTest, ItemOfOneFile_IsShown) {
  const std::string second = dir_.File("after.leaf");
  Save(path_, NetworkStore(1, 4, 1), "old");
  Save(second, NetworkStore(1, 4, 1), "new");
  Open({path_, second});
  for (const std::string change : {"only after", "only before"}) {
    Choose("item", change == "only after" ? "0" : "1");
    EXPECT_EQ(Cell("embed.weight", "what"), change);
    EXPECT_THAT(std::string(Fact("Leaves")), testing::StartsWith("10"));
  }
}

TEST_F(ReportBrowserTest, Directory_ShowsNormsOverItsSteps) {
  const std::string run = dir_.File("run");
  const std::vector<ParamStore> stores = GrowingStores(4, 1, 8);
  SaveSteps(run, {10, 20, 30, 40}, stores);
  Open({run, "--group", "bias=**.bias"});
  EXPECT_EQ(Eval("byId('steps').hidden"), false);
  EXPECT_EQ(Eval("document.querySelectorAll('#steps-charts figure').length"), 2);
  // Read step by step.
  Eval("document.querySelector('#steps-charts .chart-frame').focus()");
  page_->Press("ArrowRight");
  page_->Press("ArrowRight");
  const std::string reading = Eval("document.querySelector('#steps-charts .reading').textContent");
  const Grouping grouping =
      Grouping::Compile(stores[1], {{"bias", Glob("**.bias")}, {"rest", Rest()}}).value();
  const std::vector<TensorStats> groups = StatsOfGroups(grouping.Split(stores[1]).value()).value();
  EXPECT_THAT(reading, testing::StartsWith("Step 20: "));
  for (uint32_t group = 0; group < 2; ++group) {
    const size_t at = reading.find(grouping.name(group) + " ") + grouping.name(group).size() + 1;
    EXPECT_NEAR(NumberIn(reading.substr(at, reading.find(',', at) - at)), groups[group].l2(),
                1e-3 * groups[group].l2());
  }
  EXPECT_THAT(
      std::string(Eval("document.querySelectorAll('#steps-charts .chart-frame')[1].ariaLabel")),
      HasSubstr("accuracy: 0.5 to 0.8"));
  Choose("steps-what", "relative");
  Eval("document.querySelector('#steps-charts .chart-frame').focus()");
  page_->Press("Home");
  EXPECT_THAT(std::string(Eval("document.querySelector('#steps-charts .reading').textContent")),
              AllOf(HasSubstr("bias 1"), HasSubstr("rest 1")));
  Search("embed");
  page_->Click(".row .path-cell");
  page_->WaitForFrame();
  EXPECT_THAT(std::string(Eval("document.querySelector('.detail').textContent")),
              HasSubstr("Norm of the change since the step before"));
}

TEST_F(ReportBrowserTest, HostileNames_AreText) {
  Save(path_, HostileStore());
  Open({path_, "--title", "</script><img src=x onerror=alert(9)>"},
       {.width = 1400, .height = 1600});
  EXPECT_EQ(Eval("document.querySelectorAll('img, iframe, object, [onload], [onerror]').length"),
            0);
  EXPECT_EQ(Eval("document.querySelectorAll('script').length"), 2);
  EXPECT_EQ(Eval("document.title"), "</script><img src=x onerror=alert(9)>");
  EXPECT_EQ(Eval("byId('title').textContent"), "</script><img src=x onerror=alert(9)>");
  Search("onerror");
  EXPECT_EQ(Eval("shownPaths()"),
            json({"names.<img src=x onerror=alert(1)>.w", "values.<img src=x onerror=alert(1)>"}));
  page_->Click(".row .path-cell");
  EXPECT_EQ(Term("Path"), "['names']['<img src=x onerror=alert(1)>']['w']");
  Search("alert(2)");
  EXPECT_EQ(Eval("shownPaths().length"), 2);
  Search("xxxxx");
  EXPECT_EQ(Eval("shownPaths().length"), 2);
  EXPECT_EQ(Eval("document.documentElement.scrollWidth <= innerWidth"), true);
  // No character that changes the direction of text is left.
  EXPECT_EQ(Eval("/[\\u202a-\\u202e\\u2066-\\u2069\\u2028]/.test(document.body.innerText)"), false);
  EXPECT_EQ(Eval("typeof alert.called"), "undefined");
}

TEST_F(ReportBrowserTest, EmptyReport_SaysSo) {
  const ParamStore empty = ParamStore::FromEntries({}).value();
  ASSERT_TRUE(SaveCheckpoint(path_, {{"empty", empty}}, {.io = {.durable = false}}).ok());
  Open({path_});
  EXPECT_THAT(std::string(Eval("byId('treemap').textContent")), HasSubstr("no leaves"));
  EXPECT_THAT(std::string(Eval("byId('table').innerText")), HasSubstr("There are no leaves"));
  EXPECT_THAT(std::string(Eval("byId('groups-body').textContent")),
              HasSubstr("No groups were saved"));
}

TEST_F(ReportBrowserTest, DamagedData_IsReported) {
  SaveSample(path_);
  Open({path_});
  std::string page = ReadFile(html_);
  page.replace(page.find("\"schema\":2"), 10, "\"schema\":}");
  WriteFile(html_, page);
  OpenPage();
  EXPECT_EQ(Eval("byId('failure').hidden"), false);
  EXPECT_THAT(std::string(Eval("byId('failure').textContent")),
              HasSubstr("data of this page is damaged"));
  EXPECT_EQ(Eval("byId('leaves').hidden"), true);
}

}  // namespace
}  // namespace leafstore
