// Makes the pictures of docs/report.md, with the browser of the tests.
//
// Run it in a directory that has the run and the model, because the pictures show their names:
//
//   digits --checkpoint-dir run
//   report_pictures run model.safetensors docs/report
//
// Fails, like the tests, if a page has a problem.
#include <cstdio>
#include <exception>
#include <functional>
#include <string>
#include <vector>

#include "tests/report/browser.h"
#include "tests/report/sample_reports.h"

namespace leafstore {
namespace {

struct Picture {
  std::string name;
  std::vector<std::string> args;  // of `leafstore report`
  PageOptions options;
  // Is done before the picture is taken.
  std::function<void(BrowserPage*)> act = [](BrowserPage*) {};
};

void Take(const Picture& picture, Browser* browser, const std::string& directory) {
  const TempDir dir;
  std::vector<std::string> args = picture.args;
  args.insert(args.begin(), "report");
  args.insert(args.end(), {"-o", dir.File("page.html")});
  const Ran ran = RunLeafstore(args);
  if (ran.exit_code != 0) throw std::runtime_error(ran.err);
  const auto page = browser->OpenPage(picture.options);
  page->Open(dir.File("page.html"));
  page->WaitForFrame();
  picture.act(page.get());
  page->WaitForFrame();
  const std::string path = directory + "/" + picture.name + ".png";
  page->Screenshot(path);
  std::printf("%s\n", path.c_str());
}

void OpenFirstRows(BrowserPage* page) {
  page->Eval("byId('leaves').scrollIntoView(); document.querySelector('.row').focus()");
  page->Press("ArrowDown");
  page->Press("Enter");
}

int Main(const std::string& run, const std::string& model, const std::string& directory) {
  const std::vector<std::string> groups = {
      model,
      "--group",
      "embeddings=embeddings.*_embeddings",
      "--group",
      "norms and biases=**.LayerNorm.* or **.bias",
      "--group",
      "attention=leaf and encoder.layer.*.attention.**",
      "--group",
      "mlp=leaf and (encoder.layer.*.intermediate.** or encoder.layer.*.output.**)"};
  Browser browser;
  Take({"model-light", groups, {.width = 1280, .height = 1000}}, &browser, directory);
  Take({"model-dark", groups, {.width = 1280, .height = 1000, .dark = true}}, &browser, directory);
  Take({"leaf", groups, {.width = 1280, .height = 620}, OpenFirstRows}, &browser, directory);
  Take({"change", {run + "@45", run}, {.width = 1280, .height = 1000}}, &browser, directory);
  Take({"steps", {run, "--item", "params"}, {.width = 1280, .height = 1000}}, &browser, directory);
  Take({"narrow", {run, "--item", "params"}, {.width = 420, .height = 900}}, &browser, directory);
  for (const std::string& problem : browser.problems()) {
    std::fprintf(stderr, "%s\n", problem.c_str());
  }
  return browser.problems().empty() ? 0 : 1;
}

}  // namespace
}  // namespace leafstore

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: report_pictures DIRECTORY_OF_A_RUN MODEL PICTURES\n");
    return 2;
  }
  try {
    return leafstore::Main(argv[1], argv[2], argv[3]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "report_pictures: %s\n", error.what());
    return 1;
  }
}
