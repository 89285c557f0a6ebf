// Reports of real files: a run of examples/digits, two steps of it, and a published model
// (published_model.py). Each is searched, sorted and shown in both themes, and compared with the
// output of the other subcommands.
#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include <nlohmann/json.hpp>

#include "tests/report/browser_fixture.h"
#include "tests/source_dir.h"

namespace leafstore {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::StartsWith;

class ReportOfRealFilesTest : public ReportBrowserTest {
 protected:
  // Returns the output of a subcommand for the same file.
  static json Say(std::vector<std::string> args) {
    args.push_back("--json");
    const Ran ran = RunLeafstore(std::move(args));
    EXPECT_LE(ran.exit_code, 1) << ran.err;
    return json::parse(ran.out, nullptr, /*allow_exceptions=*/false);
  }

  // Returns all rows of the table, at any scroll position.
  json Paths() { return Eval("shownPaths()"); }

  // Searches for a word.
  void ExpectSearched(const std::string& word, size_t rows) {
    Search(word);
    EXPECT_THAT(std::string(Eval("byId('count').textContent")),
                StartsWith(absl::StrCat(rows, " of ")));
    const json paths = Paths();
    ASSERT_GT(paths.size(), 0u) << word;
    for (const json& path : paths) EXPECT_THAT(std::string(path), HasSubstr(word));
    Search("");
    EXPECT_GT(Paths().size(), paths.size());
  }

  // Sorts by a column of numbers in both directions; rows without a number are last.
  void ExpectSorted(const std::string& column, const std::map<std::string, double>& numbers) {
    for (const bool falling : {true, false}) {
      page_->Click(absl::StrCat(".grid-head [data-column=\"", column, "\"]"));
      EXPECT_EQ(Eval("document.querySelector('[aria-sort]').ariaSort"),
                falling ? "descending" : "ascending");
      const json paths = Paths();
      ASSERT_GT(paths.size(), 3u);
      std::vector<double> shown;
      for (const json& path : paths) {
        const auto found = numbers.find(std::string(path));
        if (found != numbers.end()) shown.push_back(found->second);
      }
      ASSERT_GT(shown.size(), 3u);
      if (falling) std::reverse(shown.begin(), shown.end());
      EXPECT_TRUE(std::is_sorted(shown.begin(), shown.end())) << column << " " << falling;
      double most = numbers.begin()->second;
      for (const auto& [path, number] : numbers) most = std::max(most, number);
      // The first row has the largest number; in ascending order the last rows are not visible.
      if (falling) {
        EXPECT_EQ(shown.back(), most);
      }
    }
  }

  void ExpectBothThemes() {
    const auto background = [this] {
      return Eval("getComputedStyle(document.body).backgroundColor");
    };
    page_->Click("input[value=light]");
    const json light = background();
    page_->Click("input[value=dark]");
    EXPECT_NE(background(), light);
    page_->WaitForFrame();
    page_->Click("input[value=auto]");
    EXPECT_EQ(background(), light);
  }

  // Returns one column of `stats`, by path.
  static std::map<std::string, double> Column(const json& stats, const std::string& column) {
    std::map<std::string, double> numbers;
    for (const json& row : stats["items"][0]["rows"]) {
      if (row[column].is_number()) numbers[std::string(row["dotted"])] = row[column];
    }
    return numbers;
  }

  // The cells of a row, in the visible columns, equal the output of `stats`.
  void ExpectRow(const json& row, const std::vector<const char*>& columns) {
    Search(row["dotted"]);
    for (const char* column : columns) {
      const double number = row[column];
      EXPECT_NEAR(NumberIn(Cell(row["dotted"], column)), number, 1e-3 * std::fabs(number))
          << row["dotted"] << " " << column;
    }
    Search("");
  }
};

class ReportOfDigitsTest : public ReportOfRealFilesTest {
 protected:
  void SetUp() override {
    ReportOfRealFilesTest::SetUp();
    if (browser_ == nullptr) return;
    const Ran ran = RunProgram({LEAFSTORE_DIGITS_PROGRAM, "--data", LEAFSTORE_DIGITS_DATA,
                                "--checkpoint-dir", run_, "--epochs", "3"});
    ASSERT_EQ(ran.exit_code, 0) << ran.err;
  }

  const std::string run_ = dir_.File("run");
  const PageOptions wide_ = {.width = 2000, .height = 1400};
};

TEST_F(ReportOfDigitsTest, Run_ShowsNormsAndAccuracy) {
  Open({run_, "--item", "params"}, wide_);
  EXPECT_EQ(Eval("byId('title').textContent"), "run");
  EXPECT_THAT(std::string(Fact("Steps")), StartsWith("3"));
  const json stats = Say({"stats", run_, "--item", "params"});
  ASSERT_GT(stats["items"][0]["rows"].size(), 3u);
  for (const json& row : stats["items"][0]["rows"]) {
    if (row["count"] > 0) ExpectRow(row, {"l2", "mean", "std"});
  }
  ExpectSorted("l2", Column(stats, "l2"));
  // The readout of each step has the saved accuracy.
  const json report = Say({"report", run_});
  const json accuracy = report["metrics"]["accuracy"];
  ASSERT_EQ(accuracy.size(), 3u);
  EXPECT_EQ(report["steps"], json({45, 90, 135}));
  EXPECT_TRUE(report["skipped"].empty());
  Eval(
      "globalThis.chart = [...document.querySelectorAll('#steps-charts figure')].find((figure) => "
      "figure.querySelector('h3').textContent === 'accuracy'); chart.querySelector('.chart-frame')"
      ".focus(), null");
  for (size_t i = 0; i < accuracy.size(); ++i) {
    page_->Press(i == 0 ? "Home" : "ArrowRight");
    const std::string reading = Eval("chart.querySelector('.reading').textContent");
    EXPECT_THAT(reading,
                StartsWith(absl::StrCat("Step ", std::string(report["steps"][i].dump()), ": ")));
    EXPECT_NEAR(NumberIn(reading.substr(reading.find(": ") + 2)), double(accuracy[i]), 1e-4);
  }
  ExpectBothThemes();
}

TEST_F(ReportOfDigitsTest, EveryItem_IsSearchedAndOpened) {
  Open({run_}, wide_);
  const json items = Say({"report", run_})["items"];
  ASSERT_GT(items.size(), 3u);
  for (size_t i = 0; i < items.size(); ++i) {
    Choose("item", absl::StrCat(i));
    const size_t leaves = items[i]["leaves"]["node"].size();
    EXPECT_THAT(std::string(Fact("Leaves")), StartsWith(absl::StrCat(leaves)));
    if (leaves == 0) continue;
    page_->Click(".row .path-cell");
    page_->WaitForFrame();
    EXPECT_EQ(Eval("document.querySelectorAll('.detail').length"), 1) << items[i]["name"];
    page_->Click(".row .path-cell");
  }
}

TEST_F(ReportOfDigitsTest, TwoSteps_ShowTheSameAsDiff) {
  Open({run_ + "@45", run_ + "@135", "--item", "params"}, wide_);
  const json diff = Say({"diff", run_ + "@45", run_ + "@135", "--item", "params"});
  ASSERT_TRUE(diff.is_object());
  const json leaves = diff["items"][0]["leaves"];
  ASSERT_GT(leaves.size(), 3u);
  EXPECT_THAT(std::string(Fact("Leaves that differ")), StartsWith(absl::StrCat(leaves.size())));
  std::map<std::string, double> max_abs;
  for (const json& leaf : leaves) {
    const std::string path = leaf["dotted"];
    max_abs[path] = leaf["max_abs"];
    EXPECT_EQ(Cell(path, "what"), "numbers");
    EXPECT_NEAR(NumberIn(Cell(path, "max_abs")), max_abs[path], 1e-3 * max_abs[path]);
  }
  ExpectSorted("max_abs", max_abs);
  const std::string path = leaves[0]["dotted"];
  Search(path);
  page_->Click(".row .path-cell");
  EXPECT_EQ(Eval("document.querySelectorAll('.detail .bars-before').length"), 1);
  Search("");
  ExpectBothThemes();
}

TEST_F(ReportOfRealFilesTest, PublishedModel_IsSearchedAndSorted) {
  const Ran got = RunProgram({LEAFSTORE_PYTHON3, SourcePath("tests/report/published_model.py"),
                              "--folder", LEAFSTORE_MODEL_FOLDER});
  if (got.exit_code == 77) {
    browser_.reset();
    GTEST_SKIP() << got.out;
  }
  ASSERT_EQ(got.exit_code, 0) << got.out << got.err;
  const std::string model(absl::StripAsciiWhitespace(got.out));
  Open({model, "--group", "attention=leaf and encoder.layer.*.attention.**", "--group",
        "norms and biases=**.LayerNorm.* or **.bias"},
       {.width = 2000, .height = 1400});
  EXPECT_EQ(Eval("document.title"), "model.safetensors");
  EXPECT_THAT(std::string(Fact("Leaves")), StartsWith("104"));
  EXPECT_THAT(std::string(Fact("Bytes")), StartsWith("86.6 MiB"));
  EXPECT_EQ(Fact("NaN or infinite"), "none");
  EXPECT_EQ(Cell("embeddings.word_embeddings.weight", "shape"), "30522 × 384");
  const json stats = Say({"stats", model});
  const json rows = stats["items"][0]["rows"];
  ASSERT_EQ(rows.size(), 104u);
  for (size_t i = 0; i < rows.size(); i += 13) {
    if (rows[i]["count"] > 1) ExpectRow(rows[i], {"l2", "mean", "std", "min", "max"});
  }
  ExpectSearched("LayerNorm.bias", 13);
  ExpectSearched("attention.self.query.weight", 6);
  ExpectSorted("l2", Column(stats, "l2"));
  ExpectSorted("max", Column(stats, "max"));
  ExpectBothThemes();
  // Zooms into the encoder by keyboard.
  Eval("byId('treemap').focus()");
  page_->Press("Enter");
  EXPECT_THAT(std::string(Eval("byId('crumbs').textContent")),
              testing::AnyOf(HasSubstr("encoder"), HasSubstr("embeddings")));
  page_->Press("Escape");
  EXPECT_EQ(Eval("byId('count').textContent"), "104 rows");
}

}  // namespace
}  // namespace leafstore
