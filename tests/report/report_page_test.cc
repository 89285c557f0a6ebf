// The page as text: text from a file is never markup, and each part is inserted once.
#include "leafstore/tools/report/report_page.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace leafstore::tools {
namespace {

using testing::HasSubstr;
using testing::Not;

// Returns the text between the first occurrences of two texts.
std::string Between(const std::string& text, const std::string& begin, const std::string& end) {
  const size_t from = text.find(begin);
  if (from == std::string::npos) return "";
  const size_t at = from + begin.size();
  return text.substr(at, text.find(end, at) - at);
}

std::string DataOf(const std::string& page) {
  return Between(page, "<script type=\"application/json\" id=\"data\">", "</script>");
}

TEST(ReportPageTest, Title_IsText) {
  const std::string page = ReportPage("</title><script>alert(1)</script> \"&", "{}");
  EXPECT_EQ(Between(page, "<title>", "</title>"),
            "&lt;/title&gt;&lt;script&gt;alert(1)&lt;/script&gt; &quot;&amp;");
  EXPECT_THAT(page, Not(HasSubstr("<script>alert")));
}

TEST(ReportPageTest, Data_CannotEndItsScriptElement) {
  const std::string page = ReportPage("t", R"({"name":"</script><!-- & -->"})");
  EXPECT_EQ(DataOf(page), R"({"name":"\u003c/script\u003e\u003c!-- \u0026 --\u003e"})");
}

TEST(ReportPageTest, InsertedText_IsNotReplaced) {
  const std::string page = ReportPage("@DATA@", R"({"name":"@SCRIPT@@TITLE@"})");
  EXPECT_EQ(Between(page, "<title>", "</title>"), "@DATA@");
  EXPECT_EQ(DataOf(page), R"({"name":"@SCRIPT@@TITLE@"})");
}

TEST(ReportPageTest, Page_HasEveryPart) {
  const std::string page = ReportPage("t", "{}");
  for (const char* part : {"@TITLE@", "@STYLE@", "@SCRIPT@", "@DATA@", "@NONCE@"}) {
    EXPECT_THAT(page, Not(HasSubstr(part)));
  }
  EXPECT_THAT(page, HasSubstr(std::string(kPageStyle)));
  EXPECT_THAT(page, HasSubstr(std::string(kPageScript)));
}

TEST(ReportPageTest, Nonce_DependsOnTitleAndData) {
  const auto nonce = [](const std::string& page) {
    return Between(page, "script-src 'nonce-", "'");
  };
  const std::string page = ReportPage("t", "{}");
  EXPECT_EQ(nonce(page).size(), 32u);
  EXPECT_EQ(page, ReportPage("t", "{}"));
  EXPECT_NE(nonce(page), nonce(ReportPage("t", "[]")));
  EXPECT_NE(nonce(page), nonce(ReportPage("u", "{}")));
  EXPECT_THAT(page, HasSubstr(absl::StrCat("<script nonce=\"", nonce(page), "\">")));
}

TEST(ReportPageTest, Page_LoadsNothing) {
  const std::string page = ReportPage("t", "{}");
  EXPECT_THAT(page, HasSubstr("default-src 'none'"));
  for (const char* address : {"https://", "src=\"", "url(", "@import", "fetch(", "XMLHttpRequest",
                              "innerHTML", "insertAdjacentHTML", "document.write", "eval("}) {
    EXPECT_THAT(page, Not(HasSubstr(address)));
  }
}

}  // namespace
}  // namespace leafstore::tools
