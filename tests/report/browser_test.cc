// The browser of the tests: problems of a page are kept after it is closed.
#include "tests/report/browser.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace leafstore {
namespace {

using testing::AllOf;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class BrowserTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!Browser::IsInstalled()) GTEST_SKIP() << Browser::kHowToInstall;
  }

  std::string Page(const std::string& name, const std::string& script) const {
    WriteFile(dir_.File(name),
              "<!DOCTYPE html><link rel=icon href=\"data:,\"><title>t</title><script>" + script +
                  "</script>");
    return dir_.File(name);
  }

  TempDir dir_;
};

TEST_F(BrowserTest, CorrectPage_HasNoProblems) {
  Browser browser;
  const auto page = browser.OpenPage();
  page->Open(Page("good.html", "globalThis.answer = 42"));
  EXPECT_EQ(page->Eval("answer"), 42);
  EXPECT_THAT(browser.problems(), IsEmpty());
}

TEST_F(BrowserTest, ProblemsOfClosedPages_AreKept) {
  Browser browser;
  auto page = browser.OpenPage();
  page->Open(Page("error.html", "console.error('one')"));
  page = browser.OpenPage();
  page->Open(Page("throws.html", "throw new Error('two')"));
  page->Open(Page("good.html", ""));
  page.reset();
  EXPECT_THAT(browser.problems(),
              ElementsAre(AllOf(HasSubstr("error.html: console: "), HasSubstr("one")),
                          AllOf(HasSubstr("throws.html: exception: "), HasSubstr("two"))));
}

TEST_F(BrowserTest, RequestsAndLaterErrors_AreProblems) {
  Browser browser;
  auto page = browser.OpenPage();
  page->Open(Page("late.html",
                  "const image = new Image(); image.src = 'none.png';"
                  "setTimeout(() => { throw new Error('late'); }, 0)"));
  page->Eval("new Promise((done) => setTimeout(done, 50))");
  page.reset();
  EXPECT_THAT(browser.problems(), testing::Contains(HasSubstr("request: file://")));
  EXPECT_THAT(browser.problems(), testing::Contains(HasSubstr("late")));
  EXPECT_THAT(browser.problems(), Each(HasSubstr("late.html: ")));
}

}  // namespace
}  // namespace leafstore
