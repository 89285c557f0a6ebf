// The table of leaves in a browser: search, order and rows.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include <nlohmann/json.hpp>

#include "leafstore/numeric/stats.h"
#include "leafstore/select/grouping.h"

#include "tests/report/browser_fixture.h"
#include "tests/report/sample_reports.h"

namespace leafstore {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

TEST_F(ReportBrowserTest, Rows_EqualTheStore) {
  const ParamStore store = NetworkStore(1, 8, 0.1f);
  Save(path_, store);
  Open({path_}, {.width = 1640, .height = 1200});
  const std::vector<TensorStats> stats = StatsOfLeaves(store).value();
  for (uint32_t i = 0; i < store.size(); ++i) {
    const std::string path = store.layout().Dotted(i);
    EXPECT_EQ(Cell(path, "dtype"), "f32");
    EXPECT_EQ(NumberIn(Cell(path, "parameters")), stats[i].count);
    const std::map<std::string, double> numbers = {{"l2", stats[i].l2()},
                                                   {"mean", stats[i].mean},
                                                   {"std", stats[i].stddev()},
                                                   {"min", stats[i].min},
                                                   {"max", stats[i].max}};
    for (const auto& [column, number] : numbers) {
      EXPECT_NEAR(NumberIn(Cell(path, column)), number, 1e-3 * std::fabs(number))
          << path << " " << column;
    }
    EXPECT_EQ(page_->Call("(path) => rowOfPath(path).querySelectorAll('.bars').length", {path}), 1);
  }
  const TensorStats all = StatsOf(store).value();
  EXPECT_THAT(std::string(Fact("Leaves")), testing::StartsWith(absl::StrCat(store.size())));
  EXPECT_THAT(std::string(Fact("Bytes")), HasSubstr("KiB"));
  EXPECT_NEAR(NumberIn(Eval("byId('facts').querySelectorAll('dd')[3].firstChild.textContent")),
              all.l2(), 1e-3 * all.l2());
  EXPECT_EQ(Fact("NaN or infinite"), "none");
  EXPECT_EQ(Eval("document.title"), "model.leaf");
}

TEST_F(ReportBrowserTest, Row_OpensToDetails) {
  SaveSample(path_);
  Open({path_});
  const Flattened model = SampleParams();
  const Tensor& weight = model.params.Find(".layers[1].weight")->tensor();
  const TensorStats stats = StatsOf(weight).value();
  Search("layers.1.weight");
  page_->Click(".row .path-cell");
  EXPECT_EQ(Term("Path"), ".layers[1].weight");
  EXPECT_EQ(Term("Shape"), "2 × 3");
  EXPECT_EQ(Term("Group"), "other");
  EXPECT_EQ(NumberIn(Term("Min")), stats.min);
  EXPECT_NEAR(NumberIn(Term("L2")), stats.l2(), 1e-5 * stats.l2());
  EXPECT_NEAR(NumberIn(Term("Std")), stats.stddev(), 1e-5 * stats.stddev());
  EXPECT_THAT(std::string(Eval("document.querySelector('.detail svg').ariaLabel")),
              HasSubstr("Histogram in 32 bins from −6 to 5"));
  // There is a bar for each non-empty bin.
  const Histogram bins = *StatsOf(weight, {.histogram_bins = 32}).value().histogram;
  const auto full =
      std::count_if(bins.bins.begin(), bins.bins.end(), [](int64_t n) { return n > 0; });
  EXPECT_EQ(Eval("document.querySelector('.detail .bars').getAttribute('d').split('M').length - 1"),
            full);
  page_->Click(".row .path-cell");
  EXPECT_EQ(Eval("document.querySelectorAll('.detail').length"), 0);
}

TEST_F(ReportBrowserTest, TiesStaticLeavesAndNaN_AreShown) {
  SaveSample(path_);
  Open({path_});
  EXPECT_EQ(Cell("head", "shape"), "= embed");
  EXPECT_EQ(Cell("head", "notes"), "alias");
  EXPECT_THAT(std::string(Cell("embed", "notes")), AllOf(HasSubstr("tied"), HasSubstr("all zero")));
  EXPECT_EQ(Cell("activation", "shape"), "gelu");
  EXPECT_EQ(Cell("activation", "l2"), "");
  EXPECT_THAT(std::string(Cell("scale", "notes")), HasSubstr("1 NaN"));
  EXPECT_THAT(std::string(Cell("layers.0.bias", "notes")), HasSubstr("no_decay"));
  EXPECT_THAT(std::string(Fact("NaN or infinite")), HasSubstr("1 leaf"));
  page_->Click("#warnings button");
  EXPECT_EQ(Eval("shownPaths()"), json({"scale"}));
  EXPECT_THAT(std::string(Eval("byId('more-body').textContent")), HasSubstr("Tied parameters"));
}

TEST_F(ReportBrowserTest, InfiniteValue_IsShown) {
  const Value infinite(std::numeric_limits<double>::infinity());
  Save(path_, ParamStore::FromEntries({{Path().Attribute("limit"), infinite}}).value());
  Open({path_});
  EXPECT_EQ(Cell("limit", "shape"), "inf");
}

TEST_F(ReportBrowserTest, Groups_HaveTotalsAndFilterTheTable) {
  const ParamStore store = NetworkStore(2, 8, 0.1f);
  Save(path_, store);
  Open({path_, "--group", "bias=**.bias", "--group", "attention=layers.*.attn.**"});
  const Grouping grouping = Grouping::Compile(store, {{"bias", Glob("**.bias")},
                                                      {"attention", Glob("layers.*.attn.**")},
                                                      {"rest", Rest()}})
                                .value();
  const std::vector<TensorStats> stats = StatsOfGroups(grouping.Split(store).value()).value();
  for (uint32_t group = 0; group < 3; ++group) {
    const std::string rows =
        absl::StrCat("document.querySelectorAll('.groups tbody')[", group, "]");
    EXPECT_EQ(Eval(rows + ".querySelector('.name').textContent"), grouping.name(group));
    EXPECT_EQ(NumberIn(Eval(rows + ".rows[0].cells[1].textContent")),
              grouping.SlotsOf(group).size());
    const std::string second = Eval(rows + ".rows[1].textContent");
    EXPECT_THAT(second, HasSubstr(" numbers"));
    const double l2 = NumberIn(
        second.substr(second.find("L2 ") + 3, second.find(" · mean") - second.find("L2 ") - 3));
    EXPECT_NEAR(l2, stats[group].l2(), 5e-3 * stats[group].l2());
  }
  page_->Click(".group-button");
  EXPECT_EQ(Eval("document.querySelector('.group-button').ariaPressed"), "true");
  EXPECT_EQ(Eval("byId('count').textContent"),
            absl::StrCat(grouping.SlotsOf(0).size(), " of ", store.size(), " rows"));
  page_->Click(".scope button");
  EXPECT_EQ(Eval("byId('count').textContent"), absl::StrCat(store.size(), " rows"));
}

TEST_F(ReportBrowserTest, Search_FiltersTheTable) {
  const ParamStore store = NetworkStore(3, 4, 0.1f);
  Save(path_, store);
  Open({path_});
  Search("layers.1 BIAS");
  EXPECT_EQ(Eval("shownPaths()"), json({"layers.1.attn.key.bias", "layers.1.attn.query.bias",
                                        "layers.1.attn.value.bias", "layers.1.mlp.bias"}));
  EXPECT_EQ(Eval("byId('count').textContent"), absl::StrCat("4 of ", store.size(), " rows"));
  EXPECT_THAT(std::string(Eval("document.querySelector('.row mark').textContent")),
              testing::AnyOf("layers.1", "bias"));
  Search("nothing has this name");
  EXPECT_EQ(Eval("shownPaths()"), json::array());
  EXPECT_THAT(std::string(Eval("document.querySelector('#table .empty').innerText")),
              HasSubstr("No leaf is like that"));
  page_->Press("Escape");
  EXPECT_EQ(Eval("byId('count').textContent"), absl::StrCat(store.size(), " rows"));
}

TEST_F(ReportBrowserTest, Columns_SortInBothDirections) {
  const ParamStore store = NetworkStore(1, 8, 0.1f);
  Save(path_, store);
  Open({path_}, {.width = 1640, .height = 1200});
  const std::vector<TensorStats> stats = StatsOfLeaves(store).value();
  const auto order = [&](auto value, bool falling) {
    std::vector<uint32_t> places(store.size());
    for (uint32_t i = 0; i < places.size(); ++i) places[i] = i;
    std::stable_sort(places.begin(), places.end(), [&](uint32_t a, uint32_t b) {
      return falling ? value(stats[a]) > value(stats[b]) : value(stats[a]) < value(stats[b]);
    });
    json paths = json::array();
    for (const uint32_t place : places) paths.push_back(store.layout().Dotted(place));
    return paths;
  };
  const auto head = [](const std::string& column) {
    return absl::StrCat(".grid-head [data-column=\"", column, "\"]");
  };
  const std::map<std::string, double (*)(const TensorStats&)> columns = {
      {"l2", [](const TensorStats& s) { return s.l2(); }},
      {"mean", [](const TensorStats& s) { return s.mean; }},
      {"min", [](const TensorStats& s) { return s.min; }},
      {"bytes", [](const TensorStats& s) { return static_cast<double>(s.bytes); }}};
  for (const auto& [column, value] : columns) {
    page_->Click(head(column));
    EXPECT_EQ(Eval("shownPaths()"), order(value, true)) << column;
    EXPECT_EQ(Eval("document.querySelector('[aria-sort]').ariaSort"), "descending");
    page_->Click(head(column));
    EXPECT_EQ(Eval("shownPaths()"), order(value, false)) << column;
    EXPECT_EQ(Eval("document.querySelector('[aria-sort]').ariaSort"), "ascending");
  }
  page_->Click(head("path"));
  EXPECT_EQ(Eval("shownPaths()[0]"), store.layout().Dotted(0));
}

TEST_F(ReportBrowserTest, Table_WorksByKeyboard) {
  const ParamStore store = NetworkStore(8, 4, 0.1f);
  Save(path_, store);
  Open({path_}, {.width = 1200, .height = 700});
  page_->Press("/");
  EXPECT_EQ(Active(), "search");
  page_->Press("ArrowDown");
  EXPECT_EQ(Active(), "row");
  const auto focused = [&] {
    return Eval("document.activeElement.querySelector('.path-cell')?.title ?? null");
  };
  EXPECT_EQ(focused(), store.layout().Dotted(0));
  page_->Press("ArrowDown");
  page_->Press("ArrowDown");
  EXPECT_EQ(focused(), store.layout().Dotted(2));
  page_->Press("Enter");
  EXPECT_EQ(Eval("document.activeElement.ariaExpanded"), "true");
  EXPECT_EQ(Term("Path"), store.layout().PathText(2));
  page_->Press("ArrowDown");
  EXPECT_EQ(focused(), store.layout().Dotted(3));
  page_->Press("End");
  EXPECT_EQ(focused(), store.layout().Dotted(store.size() - 1));
  const json seen = Eval(
      "(() => { const row = document.activeElement.getBoundingClientRect();"
      " const body = document.querySelector('.grid-body').getBoundingClientRect();"
      " return row.top >= body.top - 1 && row.bottom <= body.bottom + 1; })()");
  EXPECT_EQ(seen, true);
  page_->Press("PageUp");
  page_->Press("Home");
  EXPECT_EQ(focused(), store.layout().Dotted(0));
  page_->Press("ArrowDown");
  page_->Press("ArrowDown");
  page_->Press("Escape");
  EXPECT_EQ(Eval("document.activeElement.ariaExpanded"), "false");
  EXPECT_EQ(Eval("document.querySelectorAll('.detail').length"), 0);
  page_->Press("ArrowRight");
  EXPECT_EQ(Eval("document.activeElement.ariaExpanded"), "true");
}

TEST_F(ReportBrowserTest, TenThousandLeaves_AreFast) {
  Save(path_, NetworkStore(1112, 4, 0.1f));
  Open({path_, "--group", "bias=**.bias"});
  const auto bytes = std::filesystem::file_size(html_);
  EXPECT_LT(bytes, 6 << 20);
  const double first_paint =
      Eval("performance.getEntriesByName('first-contentful-paint')[0].startTime");
  EXPECT_LT(first_paint, 3000);  // some 250 where nothing else runs
  EXPECT_EQ(Eval("byId('count').textContent"), "10,009 rows");
  EXPECT_LT(Eval("document.querySelectorAll('.row').length"), 60);
  EXPECT_LT(Eval("document.querySelectorAll('#treemap svg *').length"), 2500);
  // Measures the time from a letter to the layout of the table; the median of several.
  Eval("new Promise((done) => setTimeout(done, 500))");
  std::vector<double> times;
  for (const char* text : {"l", "la", "layers", "layers.7", "bias", "attn 99", "w", "we"}) {
    // The best of three, to exclude the effect of other processes.
    times.push_back(
        page_->Call("(text) => Math.min(...[0, 1, 2].map(() => { const box = byId('search');"
                    " const show = (words) => { box.value = words;"
                    " box.dispatchEvent(new Event('input')); document.body.offsetHeight; };"
                    " show(''); const t = performance.now(); show(text);"
                    " return performance.now() - t; }))",
                    {text}));
  }
  std::sort(times.begin(), times.end());
  RecordProperty("first_paint_ms", absl::StrCat(first_paint));
  RecordProperty("search_ms", absl::StrCat(times[times.size() / 2]));
  std::printf("page %zu bytes, first paint %.0f ms, search %.1f ms\n", static_cast<size_t>(bytes),
              first_paint, times[times.size() / 2]);
  // 24 ms on an idle machine; sorting all rows again would take much longer.
  EXPECT_LT(times[times.size() / 2], 150);
  Search("");
  Eval("document.querySelector('.row').focus()");
  page_->Press("End");
  EXPECT_EQ(Eval("document.activeElement.querySelector('.path-cell').title"),
            "layers.1111.norm.scale");
  page_->Press("Enter");
  EXPECT_EQ(Term("Path"), ".layers[1111].norm.scale");
}

TEST_F(ReportBrowserTest, Items_CanBeChosen) {
  SaveSample(path_);
  Open({path_});
  EXPECT_EQ(Eval("byId('item').value"), "0");
  Choose("item", "1");
  EXPECT_EQ(Eval("shownPaths()"), json({"step"}));
  EXPECT_THAT(std::string(Fact("Leaves")), testing::StartsWith("1"));
  for (const json& colour : Eval("[...byId('colour').options].map((option) => option.value)")) {
    Choose("colour", colour);
    EXPECT_GT(Eval("document.querySelectorAll('#treemap path').length"), 0) << colour;
  }
}

}  // namespace
}  // namespace leafstore
