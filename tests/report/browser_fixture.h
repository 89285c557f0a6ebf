// The fixture of tests of the page in a browser: the program makes a report, which is opened and
// queried. It must show the data of the stores after each search, sort, opening and zoom, by
// pointer and by keyboard. After each test, no page may have a message in the console, an exception
// or a request.
//
//   TEST_F(ReportBrowserTest, Search_FiltersTheTable) {
//     Save(path_, store);
//     Open({path_, "--title", "t"});
//     Search("bias");
//     EXPECT_EQ(Eval("shownPaths().length"), 4);
//   }
#ifndef LEAFSTORE_TESTS_REPORT_BROWSER_FIXTURE_H_
#define LEAFSTORE_TESTS_REPORT_BROWSER_FIXTURE_H_

#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include <nlohmann/json.hpp>

#include "tests/report/browser.h"
#include "tests/tools/run_program.h"

namespace leafstore {

// Scripts of the tests: rows by path, cells by column.
inline constexpr char kProbes[] = R"(
  globalThis.rowOfPath = (path) => [...document.querySelectorAll('.row')].find((row) =>
    row.querySelector('.path-cell').title === path);
  globalThis.cellOf = (path, column) =>
    rowOfPath(path)?.querySelector(`[data-column="${column}"]`)?.textContent ?? null;
  globalThis.termOf = (name) => [...document.querySelectorAll('.detail dt')].find((dt) =>
    dt.textContent === name)?.nextSibling.textContent ?? null;
  globalThis.factOf = (name) => [...document.querySelectorAll('.facts dt')].find((dt) =>
    dt.textContent === name)?.nextSibling.textContent ?? null;
  globalThis.shownPaths = () => [...document.querySelectorAll('.row')]
    .sort((a, b) => a.dataset.at - b.dataset.at)
    .map((row) => row.querySelector('.path-cell').title);
  null)";

// Formats a number as the page does.
inline double NumberIn(const nlohmann::json& text) {
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
    if (browser_ == nullptr) return;  // skipped
    EXPECT_NE(page_, nullptr) << "no page was looked at";
    page_.reset();
    EXPECT_THAT(browser_->problems(), testing::IsEmpty());
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
  nlohmann::json Eval(const std::string& expression) { return page_->Eval(expression); }
  nlohmann::json Cell(const std::string& path, const std::string& column) {
    return page_->Call("cellOf", {path, column});
  }
  nlohmann::json Term(const std::string& name) { return page_->Call("termOf", {name}); }
  nlohmann::json Fact(const std::string& name) { return page_->Call("factOf", {name}); }
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

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_REPORT_BROWSER_FIXTURE_H_
