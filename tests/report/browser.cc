#include "tests/report/browser.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <stdexcept>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace leafstore {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr auto kPatience = std::chrono::seconds(60);

[[noreturn]] void Fail(const std::string& what) { throw std::runtime_error(what); }

// A pipe whose ends are not among the descriptors of the browser.
struct Pipe {
  int read = -1;
  int write = -1;

  Pipe() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) Fail("no pipe");
    read = fcntl(ends[0], F_DUPFD_CLOEXEC, 10);
    write = fcntl(ends[1], F_DUPFD_CLOEXEC, 10);
    close(ends[0]);
    close(ends[1]);
  }
};

// Without --no-startup-window, the browser would also load and draw a page that no test uses.
std::vector<std::string> Arguments(const std::string& profile) {
  std::vector<std::string> arguments = {Browser::Program(),
                                        "--headless=new",
                                        "--remote-debugging-pipe",
                                        "--disable-gpu",
                                        "--user-data-dir=" + profile,
                                        "--no-startup-window",
                                        "--no-first-run",
                                        "--no-default-browser-check",
                                        "--disable-extensions",
                                        "--disable-background-networking",
                                        "--disable-component-update",
                                        "--disable-dev-shm-usage",
                                        "--force-color-profile=srgb",
                                        "--font-render-hinting=none",
                                        "--hide-scrollbars=false",
                                        "--no-proxy-server",
                                        "--password-store=basic"};
  // The sandbox does not work for root.
  if (geteuid() == 0) arguments.emplace_back("--no-sandbox");
  return arguments;
}

struct KeyCode {
  const char* code;
  int number;
  const char* text;
};

KeyCode CodeOf(const std::string& key) {
  static const std::map<std::string, KeyCode> known = {{"Enter", {"Enter", 13, "\r"}},
                                                       {"Tab", {"Tab", 9, ""}},
                                                       {"Escape", {"Escape", 27, ""}},
                                                       {"Backspace", {"Backspace", 8, ""}},
                                                       {" ", {"Space", 32, " "}},
                                                       {"ArrowLeft", {"ArrowLeft", 37, ""}},
                                                       {"ArrowUp", {"ArrowUp", 38, ""}},
                                                       {"ArrowRight", {"ArrowRight", 39, ""}},
                                                       {"ArrowDown", {"ArrowDown", 40, ""}},
                                                       {"Home", {"Home", 36, ""}},
                                                       {"End", {"End", 35, ""}},
                                                       {"PageUp", {"PageUp", 33, ""}},
                                                       {"PageDown", {"PageDown", 34, ""}},
                                                       {"/", {"Slash", 191, "/"}}};
  const auto found = known.find(key);
  if (found != known.end()) return found->second;
  return {"", 0, nullptr};
}

}  // namespace

std::string Browser::Program() {
  for (const char* path : {"/usr/bin/chromium", "/usr/bin/chromium-browser"}) {
    if (access(path, X_OK) == 0) return path;
  }
  return "";
}

Browser::Browser() {
  Pipe commands, answers;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, commands.read, 3);
  posix_spawn_file_actions_adddup2(&actions, answers.write, 4);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  // A new process group, so that all its processes can be ended.
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  std::vector<std::string> arguments = Arguments(profile_.File("profile"));
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  const int error =
      posix_spawn(&pid_, arguments[0].c_str(), &actions, &attributes, pointers.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  close(commands.read);
  close(answers.write);
  to_ = commands.write;
  from_ = answers.read;
  if (error != 0) Fail(absl::StrCat("cannot run ", arguments[0], ": error ", error));
  Call("Browser.getVersion", json::object(), "");
}

Browser::~Browser() {
  try {
    Call("Browser.close", json::object(), "");
  } catch (const std::exception&) {
    // The process is ended below.
  }
  close(to_);
  close(from_);
  for (int i = 0; i < 500; ++i) {
    if (waitpid(pid_, nullptr, WNOHANG) == pid_) {
      kill(-pid_, SIGKILL);
      return;
    }
    usleep(10'000);
  }
  kill(-pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

json Browser::Receive(Clock::time_point until) {
  for (;;) {
    const size_t end = received_.find('\0');
    if (end != std::string::npos) {
      json message = json::parse(received_.substr(0, end));
      received_.erase(0, end + 1);
      return message;
    }
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now());
    pollfd wait = {from_, POLLIN, 0};
    if (left.count() <= 0 || poll(&wait, 1, static_cast<int>(left.count())) == 0) {
      Fail("the browser does not answer");
    }
    char block[1 << 16];
    const ssize_t size = read(from_, block, sizeof(block));
    if (size == 0 || (size < 0 && errno != EINTR)) Fail("the browser went away");
    if (size > 0) received_.append(block, static_cast<size_t>(size));
  }
}

void Browser::Dispatch(const json& event) {
  const std::string session = event.value("sessionId", "");
  for (BrowserPage* page : pages_) {
    if (page->session_ == session) page->OnEvent(event["method"], event["params"]);
  }
}

json Browser::Call(const std::string& method, const json& params, const std::string& session) {
  json command = {{"id", ++last_id_}, {"method", method}, {"params", params}};
  if (!session.empty()) command["sessionId"] = session;
  const std::string text = command.dump();
  const char* at = text.c_str();
  size_t left = text.size() + 1;
  while (left > 0) {
    const ssize_t written = write(to_, at, left);
    if (written < 0 && errno != EINTR) Fail("the browser takes no commands");
    if (written > 0) {
      at += written;
      left -= static_cast<size_t>(written);
    }
  }
  const auto until = Clock::now() + kPatience;
  for (;;) {
    json message = Receive(until);
    if (message.contains("method")) {
      Dispatch(message);
    } else if (message.value("id", 0) == last_id_) {
      if (message.contains("error")) Fail(absl::StrCat(method, ": ", message["error"].dump()));
      return message["result"];
    }
  }
}

std::unique_ptr<BrowserPage> Browser::OpenPage(const PageOptions& options) {
  const std::string context =
      Call("Target.createBrowserContext", json::object(), "")["browserContextId"];
  const std::string target =
      Call("Target.createTarget", {{"url", "about:blank"}, {"browserContextId", context}},
           "")["targetId"];
  const std::string session =
      Call("Target.attachToTarget", {{"targetId", target}, {"flatten", true}}, "")["sessionId"];
  std::unique_ptr<BrowserPage> page(new BrowserPage(this, target, session));
  for (const char* domain : {"Page", "Runtime", "Log", "Network"}) {
    page->Send(absl::StrCat(domain, ".enable"));
  }
  page->Resize(options.width, options.height, options.scale);
  page->Prefer(options.dark ? "dark" : "light", options.reduced_motion);
  return page;
}

BrowserPage::BrowserPage(Browser* browser, std::string target, std::string session)
    : browser_(browser), target_(std::move(target)), session_(std::move(session)) {
  browser_->pages_.push_back(this);
}

BrowserPage::~BrowserPage() {
  try {
    // Its pending events precede the answer.
    Eval("null");
    browser_->Call("Target.closeTarget", {{"targetId", target_}}, "");
  } catch (const std::exception&) {
    // The browser has ended.
  }
  auto& pages = browser_->pages_;
  pages.erase(std::remove(pages.begin(), pages.end(), this), pages.end());
}

json BrowserPage::Send(const std::string& method, const json& params) {
  return browser_->Call(method, params, session_);
}

void BrowserPage::Report(const std::string& kind, const std::string& what) {
  browser_->problems_.push_back(absl::StrCat(url_, ": ", kind, ": ", what));
}

void BrowserPage::OnEvent(const std::string& method, const json& params) {
  if (method == "Page.loadEventFired") {
    ++loads_;
  } else if (method == "Runtime.exceptionThrown") {
    Report("exception", params["exceptionDetails"].dump());
  } else if (method == "Runtime.consoleAPICalled") {
    Report("console", params.dump());
  } else if (method == "Log.entryAdded") {
    Report("log", params["entry"].dump());
  } else if (method == "Network.requestWillBeSent") {
    const std::string url = params["request"]["url"];
    if (url != url_) Report("request", url);
  }
}

void BrowserPage::Open(const std::string& path) {
  url_ = "file://" + path;
  const int before = loads_;
  const json answer = Send("Page.navigate", {{"url", url_}});
  if (answer.contains("errorText")) Fail(answer["errorText"]);
  const auto until = Clock::now() + kPatience;
  while (loads_ == before) {
    const json message = browser_->Receive(until);
    if (message.contains("method")) browser_->Dispatch(message);
  }
}

void BrowserPage::Resize(int width, int height, double scale) {
  Send("Emulation.setDeviceMetricsOverride",
       {{"width", width}, {"height", height}, {"deviceScaleFactor", scale}, {"mobile", false}});
}

void BrowserPage::Prefer(const std::string& scheme, bool reduced_motion,
                         const std::string& medium) {
  const json features = {
      {{"name", "prefers-color-scheme"}, {"value", scheme}},
      {{"name", "prefers-reduced-motion"}, {"value", reduced_motion ? "reduce" : "no-preference"}}};
  Send("Emulation.setEmulatedMedia", {{"media", medium}, {"features", features}});
}

json BrowserPage::Eval(const std::string& expression) {
  const json answer = Send("Runtime.evaluate", {{"expression", expression},
                                                {"returnByValue", true},
                                                {"awaitPromise", true},
                                                {"userGesture", true}});
  if (answer.contains("exceptionDetails")) {
    Fail(absl::StrCat(expression, ": ", answer["exceptionDetails"].dump()));
  }
  return answer["result"].value("value", json());
}

json BrowserPage::Call(const std::string& function, const std::vector<json>& arguments) {
  std::string list;
  for (const json& argument : arguments)
    absl::StrAppend(&list, list.empty() ? "" : ", ", argument.dump());
  return Eval(absl::StrCat("(", function, ")(", list, ")"));
}

void BrowserPage::WaitFor(const std::string& expression) {
  const auto until = Clock::now() + std::chrono::seconds(20);
  while (Eval(absl::StrCat("Boolean(", expression, ")")) != true) {
    if (Clock::now() > until) Fail("never true: " + expression);
    usleep(20'000);
  }
}

void BrowserPage::WaitForFrame() {
  Eval("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))");
}

void BrowserPage::Press(const std::string& key, bool shift) {
  const KeyCode code = CodeOf(key);
  const std::string text = code.text == nullptr ? key : code.text;
  json event = {{"type", text.empty() ? "rawKeyDown" : "keyDown"},
                {"key", key},
                {"code", code.code},
                {"windowsVirtualKeyCode", code.number},
                {"modifiers", shift ? 8 : 0}};
  if (!text.empty()) event["text"] = text;
  Send("Input.dispatchKeyEvent", event);
  event["type"] = "keyUp";
  event.erase("text");
  Send("Input.dispatchKeyEvent", event);
}

void BrowserPage::Type(const std::string& text) {
  for (const char c : text) Press(std::string(1, c));
}

void BrowserPage::ClickAt(double x, double y) {
  for (const char* type : {"mouseMoved", "mousePressed", "mouseReleased"}) {
    Send("Input.dispatchMouseEvent",
         {{"type", type}, {"x", x}, {"y", y}, {"button", "left"}, {"clickCount", 1}});
  }
}

void BrowserPage::MoveTo(double x, double y) {
  Send("Input.dispatchMouseEvent", {{"type", "mouseMoved"}, {"x", x}, {"y", y}});
}

void BrowserPage::Click(const std::string& selector) {
  const json box = Call(
      "(selector) => { const found = document.querySelector(selector);"
      " if (!found) return null;"
      " found.scrollIntoView({block: 'nearest'});"
      " const box = found.getBoundingClientRect();"
      " return [box.left + box.width / 2, box.top + box.height / 2]; }",
      {selector});
  if (box.is_null()) Fail("no element: " + selector);
  ClickAt(box[0], box[1]);
}

void BrowserPage::Screenshot(const std::string& path, bool whole_page) {
  json params = {{"format", "png"}, {"captureBeyondViewport", whole_page}};
  if (whole_page) {
    const json size = Send("Page.getLayoutMetrics")["cssContentSize"];
    params["clip"] = {
        {"x", 0}, {"y", 0}, {"width", size["width"]}, {"height", size["height"]}, {"scale", 1}};
  }
  std::string bytes;
  const std::string encoded = Send("Page.captureScreenshot", params)["data"];
  if (!absl::Base64Unescape(encoded, &bytes)) Fail("no screenshot");
  std::ofstream(path, std::ios::binary) << bytes;
}

size_t BrowserPage::PrintedBytes() {
  const std::string encoded = Send("Page.printToPDF", {{"printBackground", true}})["data"];
  std::string bytes;
  if (!absl::Base64Unescape(encoded, &bytes)) Fail("no PDF");
  return bytes.size();
}

}  // namespace leafstore
