// The appearance of the page in a browser: colours, contrast, narrow windows, print, tab order,
// names of elements with roles.
#include <algorithm>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include <nlohmann/json.hpp>

#include "tests/report/browser_fixture.h"
#include "tests/report/sample_reports.h"

namespace leafstore {
namespace {

using nlohmann::json;

TEST_F(ReportBrowserTest, Theme_FollowsTheSystemUntilChosen) {
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

TEST_F(ReportBrowserTest, Tab_ReachesEverythingInOrder) {
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
    // The focus is always visible.
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
  // Only one row is in the tab order; arrows move from there.
  EXPECT_EQ(std::count(stops.begin(), stops.end(), "row"), 1);
}

// Checks all text against its background by WCAG 2.1: 4.5 to 1, and 3 to 1 for large text.
constexpr char kLowContrast[] = R"((() => {
  const pen = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgb = (text) => {
    pen.clearRect(0, 0, 1, 1);
    pen.fillStyle = text;
    pen.fillRect(0, 0, 1, 1);
    return [...pen.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => {
    const linear = [r / 255, g / 255, b / 255].map((c) =>
      (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
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
    const unseen = 'svg, script, style, noscript, .sr-only, option';
    if (!node.data.trim() || !box.width || element.closest(unseen)) continue;
    const style = getComputedStyle(element);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    check(node.data, style.color, behind(element), large ? 3 : 4.5);
    ++checked;
  }
  // In the treemap text is on fills: checks every ink on each of its fills.
  const value = (name) => {
    const probe = document.createElement('i');
    probe.style.color = `var(${name})`;
    document.body.append(probe);
    const colour = getComputedStyle(probe).color;
    probe.remove();
    return colour;
  };
  for (let i = 0; i < 8; ++i) check(`fill c${i}`, value('--fill-ink'), rgb(value(`--c${i}`)), 4.5);
  check('fill rest', value('--fill-ink'), rgb(value('--c-rest')), 4.5);
  for (let i = 0; i < 6; ++i) check(`fill s${i}`, value('--s-low-ink'), rgb(value(`--s${i}`)), 4.5);
  check('fill s6', value('--s-high-ink'), rgb(value('--s6')), 4.5);
  check('fill warn', value('--on-accent'), rgb(value('--warn')), 4.5);
  check('box', value('--ink'), rgb(value('--surface')), 4.5);
  check('tick', value('--muted'), rgb(value('--surface')), 4.5);
  check('tick in details', value('--muted'), rgb(value('--accent-soft')), 4.5);
  for (const ground of ['--surface', '--accent-soft']) {
    const colour = rgb(value(ground));
    for (let i = 0; i < 8; ++i) check(`line ${i} on ${ground}`, value(`--l${i}`), colour, 3);
  }
  for (const name of ['--accent', '--strong-line', '--bar-before']) {
    check(name, value(name), rgb(value('--surface')), 3);
  }
  return {low: [...new Set(low)], checked};
})())";

TEST_F(ReportBrowserTest, Text_HasTheContrastOfWcagAA) {
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
    }
  }
}

TEST_F(ReportBrowserTest, NarrowWindow_ScrollsOnlyVertically) {
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

TEST_F(ReportBrowserTest, Print_IncludesRowsThatAreNotVisible) {
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

TEST_F(ReportBrowserTest, Roles_HaveNames) {
  SaveSample(path_);
  Open({path_});
  const json nameless = Eval(
      "[...document.querySelectorAll('button, select, input, [role=listbox], [role=treegrid], "
      "[role=img], [role=region], section')]"
      ".filter((e) => !(e.ariaLabel || e.getAttribute('aria-labelledby') || e.textContent.trim() "
      "|| e.labels?.length))"
      ".map((e) => e.outerHTML.slice(0, 100))");
  EXPECT_EQ(nameless, json::array());
  // Every reference to an id finds an element.
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
