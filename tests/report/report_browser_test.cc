// The page in a browser: what it shows is what is in the stores, whatever is searched, sorted, opened
// and zoomed, by pointer and by keyboard; and nothing goes wrong on the way: after each test there
// must be no message in the console, no exception, no request.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include <nlohmann/json.hpp>

#include "leafstore/store/diff.h"
#include "leafstore/store/stats.h"

#include "tests/report/browser.h"
#include "tests/report/sample_reports.h"

namespace leafstore {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// What the tests ask of the page: rows by path, cells by column.
constexpr char kProbes[] = R"(
  globalThis.rowOfPath = (path) => [...document.querySelectorAll('.row')].find((row) =>
    row.querySelector('.path-cell').title === path);
  globalThis.cellOf = (path, column) =>
    rowOfPath(path)?.querySelector(`[data-column="${column}"]`)?.textContent ?? null;
  globalThis.termOf = (name) => [...document.querySelectorAll('.detail dt')].find((dt) =>
    dt.textContent === name)?.nextSibling.textContent ?? null;
  globalThis.factOf = (name) => [...document.querySelectorAll('.facts dt')].find((dt) =>
    dt.textContent === name)?.nextSibling.textContent ?? null;
  globalThis.shownPaths = () => [...document.querySelectorAll('.row')]
    .sort((a, b) => a.dataset.at - b.dataset.at).map((row) => row.querySelector('.path-cell').title);
  null)";

// A number as the page writes it.
double NumberIn(const json& text) {
  if (!text.is_string()) return std::nan("");
  double number = 0;
  const std::string plain =
      absl::StrReplaceAll(std::string(text), {{"−", "-"}, {",", ""}, {"%", ""}});
  return absl::SimpleAtod(plain, &number) ? number : std::nan("");
}

class ReportBrowserTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!Browser::IsInstalled()) GTEST_SKIP() << Browser::kHowToInstall;
    browser_ = std::make_unique<Browser>();
  }
  void TearDown() override {
    if (page_ == nullptr) return;
    EXPECT_THAT(page_->problems(), IsEmpty());
  }

  // Makes the report and opens it.
  void Open(std::vector<std::string> args, const PageOptions& options = {}) {
    args.insert(args.begin(), "report");
    args.insert(args.end(), {"--force", "-o", html_});
    const Ran ran = RunLeafstore(std::move(args));
    ASSERT_EQ(ran.exit_code, 0) << ran.err;
    OpenPage(options);
  }
  void OpenPage(const PageOptions& options = {}) {
    page_ = browser_->OpenPage(options);
    page_->Open(html_);
    page_->Eval(kProbes);
    page_->WaitForFrame();
  }
  json Eval(const std::string& expression) { return page_->Eval(expression); }
  json Cell(const std::string& path, const std::string& column) {
    return page_->Call("cellOf", {path, column});
  }
  json Term(const std::string& name) { return page_->Call("termOf", {name}); }
  json Fact(const std::string& name) { return page_->Call("factOf", {name}); }
  std::string Active() {
    return Eval("document.activeElement.id || document.activeElement.className");
  }
  void Search(const std::string& text) {
    Eval("byId('search').focus(), byId('search').select()");
    if (text.empty()) page_->Press("Backspace");
    page_->Type(text);
  }
  void Choose(const std::string& id, const std::string& value) {
    page_->Call(
        "(id, value) => { byId(id).value = value; byId(id).dispatchEvent(new Event('change')); }",
        {id, value});
    page_->WaitForFrame();
  }

  TempDir dir_;
  const std::string path_ = dir_.File("model.leaf");
  const std::string html_ = dir_.File("report.html");
  std::unique_ptr<Browser> browser_;
  std::unique_ptr<BrowserPage> page_;
};

TEST_F(ReportBrowserTest, RowsHaveTheNumbersOfTheStore) {
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

TEST_F(ReportBrowserTest, ALeafOpensIntoItsDetails) {
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
  // As many bars as bins that have a number.
  const Histogram bins = *StatsOf(weight, {.histogram_bins = 32}).value().histogram;
  const auto full =
      std::count_if(bins.bins.begin(), bins.bins.end(), [](int64_t n) { return n > 0; });
  EXPECT_EQ(Eval("document.querySelector('.detail .bars').getAttribute('d').split('M').length - 1"),
            full);
  page_->Click(".row .path-cell");
  EXPECT_EQ(Eval("document.querySelectorAll('.detail').length"), 0);
}

TEST_F(ReportBrowserTest, TiesStaticLeavesAndNaNAreSaid) {
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

TEST_F(ReportBrowserTest, GroupsHaveTheirTotalsAndNarrowTheTable) {
  const ParamStore store = NetworkStore(2, 8, 0.1f);
  Save(path_, store);
  Open({path_, "--group", "bias=**.bias", "--group", "attention=layers.*.attn.**"});
  const PartitionPlan plan =
      PartitionPlan::Compile(store, {Glob("**.bias"), Glob("layers.*.attn.**")}).value();
  const Labels labels = Labels::Create(store.layout(), plan, {"bias", "attention", "rest"}).value();
  const std::vector<TensorStats> stats = StatsOfGroups(store, labels).value();
  for (uint32_t group = 0; group < 3; ++group) {
    const std::string rows =
        absl::StrCat("document.querySelectorAll('.groups tbody')[", group, "]");
    EXPECT_EQ(Eval(rows + ".querySelector('.name').textContent"), labels.name(group));
    EXPECT_EQ(NumberIn(Eval(rows + ".rows[0].cells[1].textContent")), labels.SlotsOf(group).size());
    const std::string second = Eval(rows + ".rows[1].textContent");
    EXPECT_THAT(second, HasSubstr(" numbers"));
    const double l2 = NumberIn(
        second.substr(second.find("L2 ") + 3, second.find(" · mean") - second.find("L2 ") - 3));
    EXPECT_NEAR(l2, stats[group].l2(), 5e-3 * stats[group].l2());
  }
  page_->Click(".group-button");
  EXPECT_EQ(Eval("document.querySelector('.group-button').ariaPressed"), "true");
  EXPECT_EQ(Eval("byId('count').textContent"),
            absl::StrCat(labels.SlotsOf(0).size(), " of ", store.size(), " rows"));
  page_->Click(".scope button");
  EXPECT_EQ(Eval("byId('count').textContent"), absl::StrCat(store.size(), " rows"));
}

TEST_F(ReportBrowserTest, ASearchNarrowsTheTable) {
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

TEST_F(ReportBrowserTest, EachColumnSortsBothWays) {
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

TEST_F(ReportBrowserTest, TheThemeIsTheSystemsUntilOneIsChosen) {
  SaveSample(path_);
  Open({path_});
  const auto background = [&] { return Eval("getComputedStyle(document.body).backgroundColor"); };
  const json light = background();
  page_->Prefer("dark", true);
  const json dark = background();
  EXPECT_NE(light, dark);
  page_->Click("input[value=light]");
  EXPECT_EQ(background(), light);
  page_->Prefer("light", true);
  page_->Click("input[value=dark]");
  EXPECT_EQ(background(), dark);
  page_->Click("input[value=auto]");
  EXPECT_EQ(background(), light);
}

TEST_F(ReportBrowserTest, EverythingIsReachedByTheTabKeyInAnOrderOfSense) {
  SaveSample(path_);
  Open({path_});
  const std::string name =
      "(() => { const at = document.activeElement; return at.id || at.dataset.column || at.name || "
      "at.className; })()";
  std::vector<std::string> stops;
  for (int i = 0; i < 40; ++i) {
    page_->Press("Tab");
    if (Eval("document.activeElement === document.body") == true) break;
    stops.push_back(Eval(name));
    // Wherever the focus is, it is seen.
    const json seen = Eval(
        "(() => { const at = document.activeElement;"
        " const style = getComputedStyle(at.name === 'theme' ? at.nextSibling : at);"
        " return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2 || "
        "at.classList.contains('skip'); })()");
    EXPECT_EQ(seen, true) << stops.back();
  }
  EXPECT_THAT(stops,
              testing::IsSupersetOf({"skip", "item", "theme", "colour", "treemap", "group-button",
                                     "search", "show", "path", "l2", "row"}));
  const auto place = [&](const std::string& stop) {
    return std::find(stops.begin(), stops.end(), stop) - stops.begin();
  };
  EXPECT_EQ(place("skip"), 0);
  EXPECT_LT(place("theme"), place("treemap"));
  EXPECT_LT(place("treemap"), place("search"));
  EXPECT_LT(place("search"), place("path"));
  EXPECT_LT(place("path"), place("row"));
  // One row alone: arrows go on from there.
  EXPECT_EQ(std::count(stops.begin(), stops.end(), "row"), 1);
}

TEST_F(ReportBrowserTest, TheTableIsUsedByKeyboard) {
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

TEST_F(ReportBrowserTest, TheTreemapIsUsedByKeyboard) {
  const ParamStore store = NetworkStore(2, 16, 0.1f);
  Save(path_, store);
  Open({path_});
  Eval("byId('treemap').focus()");
  EXPECT_EQ(Eval("byId('treemap').role"), "listbox");
  const auto chosen = [&] {
    return std::string(
        Eval("byId(byId('treemap').getAttribute('aria-activedescendant')).textContent"));
  };
  // Two of the root's children; layers has more bytes.
  const double all = static_cast<double>(StatsOf(store).value().bytes);
  const double layers = static_cast<double>(StatsOfSubtree(store, ".layers").value().bytes);
  EXPECT_THAT(chosen(), testing::StartsWith("layers, 18 leaves"));
  EXPECT_NEAR(NumberIn(chosen().substr(chosen().rfind(' ') + 1)), 100 * layers / all, 0.06);
  page_->Press("ArrowRight");
  EXPECT_THAT(chosen(), testing::StartsWith("embed"));
  EXPECT_THAT(std::string(Eval("byId('readout').textContent")), HasSubstr("embed.weight"));
  page_->Press("ArrowLeft");
  page_->Press("Enter");
  EXPECT_THAT(std::string(Eval("byId('crumbs').textContent")), testing::EndsWith("layers"));
  EXPECT_EQ(Eval("byId('count').textContent"), absl::StrCat("18 of ", store.size(), " rows"));
  page_->Press("Enter");
  EXPECT_THAT(std::string(Eval("byId('crumbs').textContent")), HasSubstr("0"));
  EXPECT_EQ(Eval("byId('count').textContent"), absl::StrCat("9 of ", store.size(), " rows"));
  page_->Press("Escape");
  page_->Press("Escape");
  EXPECT_EQ(Eval("byId('count').textContent"), absl::StrCat(store.size(), " rows"));
  EXPECT_EQ(Active(), "treemap");
  // A leaf is opened in the table.
  page_->Press("End");
  page_->Press("Enter");
  EXPECT_EQ(Term("Path"), ".embed.weight");
  EXPECT_EQ(Active(), "row open");
}

TEST_F(ReportBrowserTest, TheTreemapIsUsedByPointer) {
  const ParamStore store = NetworkStore(2, 16, 0.1f);
  Save(path_, store);
  Open({path_});
  const auto at = [&](double x, double y) {
    const json box = Eval(
        "(() => { const b = byId('treemap').getBoundingClientRect(); return [b.left, b.top, "
        "b.width, b.height]; })()");
    return std::pair<double, double>(double(box[0]) + x * double(box[2]),
                                     double(box[1]) + y * double(box[3]));
  };
  // The layers, which are larger, are on the left; the embedding is on the right.
  const auto [right_x, right_y] = at(0.98, 0.5);
  page_->MoveTo(right_x, right_y);
  EXPECT_THAT(std::string(Eval("byId('readout').textContent")),
              AllOf(HasSubstr("embed.weight"), HasSubstr("f32 128 × 16")));
  const auto [left_x, left_y] = at(0.3, 0.5);
  page_->ClickAt(left_x, left_y);
  EXPECT_THAT(std::string(Eval("byId('crumbs').textContent")), testing::EndsWith("layers"));
  EXPECT_EQ(Eval("byId('count').textContent"), absl::StrCat("18 of ", store.size(), " rows"));
  page_->Click(".crumbs button");
  EXPECT_EQ(Eval("byId('count').textContent"), absl::StrCat(store.size(), " rows"));
}

// Without motion a zoom is at once; with it, it is a motion of a moment.
TEST_F(ReportBrowserTest, NothingMovesForThoseWhoDoNotWantIt) {
  Save(path_, NetworkStore(2, 16, 0.1f));
  Open({path_});
  Eval("byId('treemap').focus()");
  page_->Press("Enter");
  EXPECT_EQ(Eval("document.getAnimations().length"), 0);
  page_->Press("Escape");
  page_->Prefer("light", false);
  page_->Eval(
      "globalThis.moved = 0; Element.prototype.animate = new Proxy(Element.prototype.animate, "
      "{apply: (f, self, args) => { ++moved; return f.apply(self, args); }}); null");
  page_->Press("Enter");
  EXPECT_EQ(Eval("moved"), 1);
}

TEST_F(ReportBrowserTest, TwoFilesShowWhatChangedAndByHowMuch) {
  const ParamStore before = NetworkStore(1, 8, 0.1f);
  ParamStore after = before.Snapshot().value();
  {
    auto weight = after.Mutate(".layers[0].mlp.weight").value();
    const auto numbers = weight.data<float>().value();
    for (float& number : numbers) number *= 1.5f;
  }
  {
    auto bias = after.Mutate(".layers[0].mlp.bias").value();
    bias.data<float>().value()[3] += 2;
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
  // What changed the most stands first.
  EXPECT_EQ(Eval("shownPaths()[0]"), "layers.0.mlp.bias");
  EXPECT_EQ(Eval("shownPaths()[1]"), "layers.0.mlp.weight");
  Choose("show", "changed");
  EXPECT_EQ(Eval("shownPaths().length"), 2);
  page_->Click(".row .path-cell");
  EXPECT_THAT(std::string(Term("Changed")), HasSubstr("1 of 32 numbers"));
  EXPECT_EQ(Eval("document.querySelectorAll('.detail .bars-before').length"), 1);
}

TEST_F(ReportBrowserTest, ADirectoryShowsNormsOverItsSteps) {
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
  const PartitionPlan plan = PartitionPlan::Compile(stores[1], {Glob("**.bias")}).value();
  const Labels labels = Labels::Create(stores[1].layout(), plan, {"bias", "rest"}).value();
  const std::vector<TensorStats> groups = StatsOfGroups(stores[1], labels).value();
  EXPECT_THAT(reading, testing::StartsWith("Step 20: "));
  for (uint32_t group = 0; group < 2; ++group) {
    const size_t at = reading.find(labels.name(group) + " ") + labels.name(group).size() + 1;
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

TEST_F(ReportBrowserTest, TenThousandLeavesAreQuick) {
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
  // From a letter to the table, with layout; of several the median.
  Eval("new Promise((done) => setTimeout(done, 500))");
  std::vector<double> times;
  for (const char* text : {"l", "la", "layers", "layers.7", "bias", "attn 99", "w", "we"}) {
    // The best of three: other processes must not be measured.
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
  // 24 on a machine with nothing else to do; what it must never be is what sorting all rows anew is.
  EXPECT_LT(times[times.size() / 2], 150);
  Search("");
  Eval("document.querySelector('.row').focus()");
  page_->Press("End");
  EXPECT_EQ(Eval("document.activeElement.querySelector('.path-cell').title"),
            "layers.1111.norm.scale");
  page_->Press("Enter");
  EXPECT_EQ(Term("Path"), ".layers[1111].norm.scale");
}

TEST_F(ReportBrowserTest, NamesAreTextWhateverTheySay) {
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
  // No character that turns text around is left anywhere.
  EXPECT_EQ(Eval("/[\\u202a-\\u202e\\u2066-\\u2069\\u2028]/.test(document.body.innerText)"), false);
  EXPECT_EQ(Eval("typeof alert.called"), "undefined");
}

// All text on what is behind it, by WCAG 2.1: 4.5 to 1, and 3 to 1 for large text.
constexpr char kLowContrast[] = R"((() => {
  const pen = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgb = (text) => {
    pen.clearRect(0, 0, 1, 1);
    pen.fillStyle = text;
    pen.fillRect(0, 0, 1, 1);
    return [...pen.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => {
    const linear = [r, g, b].map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  };
  const contrast = (a, b) => {
    const [x, y] = [light(a), light(b)];
    return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = rgb(getComputedStyle(at).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255, 255];
  };
  const low = [];
  const check = (text, ink, ground, least) => {
    const found = contrast(rgb(ink), ground);
    if (found < least) low.push(`${text.slice(0, 40)}: ${found.toFixed(2)}`);
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let checked = 0;
  while (walker.nextNode()) {
    const node = walker.currentNode;
    const element = node.parentElement;
    const box = element.getBoundingClientRect();
    if (!node.data.trim() || !box.width || element.closest('svg, script, style, noscript, .sr-only, option')) continue;
    const style = getComputedStyle(element);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
    check(node.data, style.color, behind(element), large ? 3 : 4.5);
    ++checked;
  }
  // In the treemap text stands on fills: every ink on every fill that it is for.
  const value = (name) => { const probe = document.createElement('i'); probe.style.color = `var(${name})`;
    document.body.append(probe); const colour = getComputedStyle(probe).color; probe.remove(); return colour; };
  for (let i = 0; i < 8; ++i) check(`fill c${i}`, value('--fill-ink'), rgb(value(`--c${i}`)), 4.5);
  check('fill rest', value('--fill-ink'), rgb(value('--c-rest')), 4.5);
  for (let i = 0; i < 6; ++i) check(`fill s${i}`, value('--s-low-ink'), rgb(value(`--s${i}`)), 4.5);
  check('fill s6', value('--s-high-ink'), rgb(value('--s6')), 4.5);
  check('fill warn', value('--on-accent'), rgb(value('--warn')), 4.5);
  check('box', value('--ink'), rgb(value('--surface')), 4.5);
  check('tick', value('--muted'), rgb(value('--surface')), 4.5);
  check('tick in details', value('--muted'), rgb(value('--accent-soft')), 4.5);
  for (let i = 0; i < 8; ++i) for (const ground of ['--surface', '--accent-soft']) check(`line ${i} on ${ground}`, value(`--l${i}`), rgb(value(ground)), 3);
  for (const name of ['--accent', '--strong-line', '--bar-before']) check(name, value(name), rgb(value('--surface')), 3);
  return {low: [...new Set(low)], checked};
})())";

TEST_F(ReportBrowserTest, TextHasTheContrastOfWcagAA) {
  const std::string second = dir_.File("b.leaf");
  SaveSample(path_);
  Save(second, NetworkStore(1, 4, 1));
  for (const bool dark : {false, true}) {
    for (const std::vector<std::string>& files :
         {std::vector<std::string>{path_}, {path_, second}}) {
      Open(files, {.dark = dark});
      page_->Press("/");
      page_->Press("a");
      page_->Press("ArrowDown");
      page_->Press("Enter");
      const json found = Eval(kLowContrast);
      EXPECT_GT(found["checked"], 80);
      EXPECT_EQ(found["low"], json::array()) << (dark ? "dark" : "light");
      EXPECT_THAT(page_->problems(), IsEmpty());
    }
  }
}

TEST_F(ReportBrowserTest, NoTextOfTheTreemapLeavesItsRectangle) {
  Save(path_, NetworkStore(6, 16, 0.1f));
  for (const int width : {1440, 800, 400}) {
    Open({path_}, {.width = width, .height = 900});
    const json out = Eval(
        "(() => { const frame = byId('treemap').getBoundingClientRect();"
        " const texts = [...document.querySelectorAll('#treemap text')].map((t) => "
        "t.getBoundingClientRect());"
        " let wrong = texts.filter((t) => t.right > frame.right + 1 || t.bottom > frame.bottom + "
        "1).length;"
        " texts.forEach((a, i) => texts.forEach((b, j) => { if (i < j && a.left < b.right - 1 && "
        "b.left < a.right - 1"
        " && a.top + 3 < b.bottom - 3 && b.top + 3 < a.bottom - 3) ++wrong; }));"
        " return [wrong, texts.length]; })()");
    EXPECT_EQ(out[0], 0) << width;
    EXPECT_GT(out[1], 3) << width;
  }
}

TEST_F(ReportBrowserTest, ANarrowWindowScrollsDownAlone) {
  const std::string run = dir_.File("run");
  SaveSteps(run, {1, 2}, GrowingStores(2, 2, 8));
  for (const int width : {320, 480, 768, 1024}) {
    Open({run}, {.width = width, .height = 800});
    EXPECT_LE(Eval("document.documentElement.scrollWidth"), width);
    page_->Click(".row .path-cell");
    EXPECT_LE(Eval("document.documentElement.scrollWidth"), width);
    EXPECT_GT(Eval("document.querySelector('.row .path-cell').clientWidth"), 90) << width;
  }
}

TEST_F(ReportBrowserTest, PaperHasTheRowsThatTheScreenHasNot) {
  Save(path_, NetworkStore(20, 4, 0.1f));
  Open({path_}, {.dark = true});
  const size_t on_screen = Eval("document.querySelectorAll('.row').length");
  Eval(
      "addEventListener('beforeprint', () => setTimeout(() => 0)); "
      "globalThis.printed = 0; addEventListener('beforeprint', () => { printed = "
      "document.querySelectorAll('.row').length; }); null");
  EXPECT_GT(page_->PrintedBytes(), 20000u);
  EXPECT_EQ(Eval("printed"), 181);
  EXPECT_LT(on_screen, 100u);
  EXPECT_LT(Eval("document.querySelectorAll('.row').length"), 100);
  page_->Prefer("dark", true, "print");
  EXPECT_EQ(Eval("getComputedStyle(document.documentElement).colorScheme"), "light");
  EXPECT_EQ(Eval("getComputedStyle(document.querySelector('.masthead-tools')).display"), "none");
}

TEST_F(ReportBrowserTest, NothingToShowIsSaid) {
  const ParamStore empty = ParamStore::FromEntries({}).value();
  ASSERT_TRUE(SaveCheckpoint(path_, {{"empty", empty}}, {.durable = false}).ok());
  Open({path_});
  EXPECT_THAT(std::string(Eval("byId('treemap').textContent")), HasSubstr("no leaves"));
  EXPECT_THAT(std::string(Eval("byId('table').innerText")), HasSubstr("There are no leaves"));
  EXPECT_THAT(std::string(Eval("byId('groups-body').textContent")),
              HasSubstr("No groups were saved"));
}

TEST_F(ReportBrowserTest, DataThatIsDamagedIsSaid) {
  SaveSample(path_);
  Open({path_});
  std::string page = ReadFile(html_);
  page.replace(page.find("\"schema\":1"), 10, "\"schema\":}");
  WriteFile(html_, page);
  OpenPage();
  EXPECT_EQ(Eval("byId('failure').hidden"), false);
  EXPECT_THAT(std::string(Eval("byId('failure').textContent")),
              HasSubstr("data of this page is damaged"));
  EXPECT_EQ(Eval("byId('leaves').hidden"), true);
}

TEST_F(ReportBrowserTest, EveryItemCanBeChosen) {
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

TEST_F(ReportBrowserTest, WhatHasARoleHasAName) {
  SaveSample(path_);
  Open({path_});
  const json nameless = Eval(
      "[...document.querySelectorAll('button, select, input, [role=listbox], [role=treegrid], "
      "[role=img], [role=region], section')]"
      ".filter((e) => !(e.ariaLabel || e.getAttribute('aria-labelledby') || e.textContent.trim() "
      "|| e.labels?.length))"
      ".map((e) => e.outerHTML.slice(0, 100))");
  EXPECT_EQ(nameless, json::array());
  // Whatever names another element by its id finds one.
  EXPECT_EQ(Eval("[...document.querySelectorAll('[aria-labelledby], "
                 "[aria-activedescendant]')].filter((e) => "
                 "!byId(e.getAttribute('aria-labelledby') ?? "
                 "e.getAttribute('aria-activedescendant'))).length"),
            0);
  EXPECT_EQ(Eval("new Set([...document.querySelectorAll('[id]')].map((e) => e.id)).size === "
                 "document.querySelectorAll('[id]').length"),
            true);
  EXPECT_EQ(Eval("document.documentElement.lang"), "en");
}

}  // namespace
}  // namespace leafstore
