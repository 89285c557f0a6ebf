// The treemap, in a browser.
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include <nlohmann/json.hpp>

#include "leafstore/numeric/stats.h"

#include "tests/report/browser_fixture.h"
#include "tests/report/sample_reports.h"

namespace leafstore {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

TEST_F(ReportBrowserTest, Treemap_WorksByKeyboard) {
  const ParamStore store = NetworkStore(2, 16, 0.1f);
  Save(path_, store);
  Open({path_});
  Eval("byId('treemap').focus()");
  EXPECT_EQ(Eval("byId('treemap').role"), "listbox");
  const auto chosen = [&] {
    return std::string(
        Eval("byId(byId('treemap').getAttribute('aria-activedescendant')).textContent"));
  };
  // Two children of the root; layers has more bytes.
  const double all = static_cast<double>(StatsOf(store).value().bytes);
  const double layers = all - static_cast<double>(store.Find(".embed.weight")->byte_size());
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

TEST_F(ReportBrowserTest, Treemap_WorksByPointer) {
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

// With reduced motion a zoom is immediate; otherwise it is a short animation.
TEST_F(ReportBrowserTest, ReducedMotion_DisablesAnimations) {
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

TEST_F(ReportBrowserTest, TreemapText_StaysInItsRectangle) {
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

}  // namespace
}  // namespace leafstore
