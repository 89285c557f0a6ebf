// A headless Chromium for tests, controlled by the DevTools protocol over a pipe
// (--remote-debugging-pipe: JSON messages, each followed by a NUL, on descriptors 3 and 4).
//
//   if (!Browser::IsInstalled()) GTEST_SKIP() << Browser::kHowToInstall;
//   Browser browser;
//   std::unique_ptr<BrowserPage> page = browser.OpenPage({.width = 1200});
//   page->Open("/tmp/report.html");
//   page->Press("ArrowDown");
//   EXPECT_EQ(page->Eval("document.activeElement.className"), "row");
//   EXPECT_THAT(browser.problems(), IsEmpty());
//
// Each page is a separate tab without stored data. An error of the protocol is an exception, which
// fails the test.
//
// Threads: one.
#ifndef LEAFSTORE_TESTS_REPORT_BROWSER_H_
#define LEAFSTORE_TESTS_REPORT_BROWSER_H_

#include <sys/types.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/io/temp_dir.h"

namespace leafstore {

class BrowserPage;

struct PageOptions {
  int width = 1440;
  int height = 900;
  double scale = 1;
  bool dark = false;           // the system's color preference
  bool reduced_motion = true;  // so that nothing moves while a test reads the page
};

class Browser {
 public:
  static constexpr char kHowToInstall[] =
      "chromium is not installed (scripts/setup --tests installs it): the page is not tested";

  // Returns the program; empty if none is installed.
  static std::string Program();
  static bool IsInstalled() { return !Program().empty(); }

  Browser();
  ~Browser();
  Browser(const Browser&) = delete;
  Browser& operator=(const Browser&) = delete;

  std::unique_ptr<BrowserPage> OpenPage(const PageOptions& options = {});

  // Returns the problems of all pages, including closed ones: console errors and warnings,
  // exceptions, and requests other than for the page itself; each with the page's address.
  const std::vector<std::string>& problems() const { return problems_; }

 private:
  friend class BrowserPage;
  using Json = nlohmann::json;

  // Sends a command and returns its result. Passes events to their pages meanwhile.
  Json Call(const std::string& method, const Json& params, const std::string& session);
  // Waits for the next message and returns it.
  Json Receive(std::chrono::steady_clock::time_point until);
  void Dispatch(const Json& event);

  TempDir profile_;
  pid_t pid_ = -1;
  int to_ = -1;
  int from_ = -1;
  int last_id_ = 0;
  std::string received_;
  std::vector<BrowserPage*> pages_;
  std::vector<std::string> problems_;
};

class BrowserPage {
 public:
  using Json = nlohmann::json;

  ~BrowserPage();

  // Loads a file, and returns when it is loaded.
  void Open(const std::string& path);
  void Resize(int width, int height, double scale = 1);
  // "light" or "dark"; `medium` is "screen" or "print".
  void Prefer(const std::string& scheme, bool reduced_motion, const std::string& medium = "");

  // Returns the value of an expression, or of a promise. Throws its exception.
  Json Eval(const std::string& expression);
  // Calls a function with arguments, as JSON.
  Json Call(const std::string& function, const std::vector<Json>& arguments);
  // Returns when an expression is true.
  void WaitFor(const std::string& expression);
  // Returns when all changes are drawn.
  void WaitForFrame();

  // Presses a key, given by its name: "a", "Enter", "ArrowDown", "Tab".
  void Press(const std::string& key, bool shift = false);
  void Type(const std::string& text);
  // Clicks at a point of the window, in CSS pixels.
  void ClickAt(double x, double y);
  void MoveTo(double x, double y);
  // Clicks in the middle of the first element of a selector, after scrolling to it.
  void Click(const std::string& selector);

  void Screenshot(const std::string& path, bool whole_page = false);
  // Returns the size of the printed PDF.
  size_t PrintedBytes();

 private:
  friend class Browser;
  BrowserPage(Browser* browser, std::string target, std::string session);

  Json Send(const std::string& method, const Json& params = Json::object());
  void OnEvent(const std::string& method, const Json& params);
  void Report(const std::string& kind, const std::string& what);

  Browser* browser_;
  std::string target_;
  std::string session_;
  std::string url_;
  int loads_ = 0;
};

}  // namespace leafstore

#endif  // LEAFSTORE_TESTS_REPORT_BROWSER_H_
