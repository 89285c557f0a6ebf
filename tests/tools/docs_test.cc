// The examples of docs/tool.md equal the output of the program.
#include <cstdlib>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/interop/safetensors_attacks.h"
#include "tests/source_dir.h"
#include "tests/tools/tool_test.h"

namespace leafstore {
namespace {

const std::string kPage = SourcePath("docs/tool.md");
// Marks a block of commands that is checked.
constexpr char kMark[] = "<!-- checked -->";

class DocsTest : public ToolTest {
 protected:
  // Makes the files of the page: a model, the same a step later, a run with a damaged file, an
  // unusual file of safetensors, and one of another kind.
  void SetUp() override {
    Sample("model.leaf");
    SampleModel next;
    next.layers[0].bias = Tensor::From<float>({3}, {0, 0.75, 1}).value();
    next.layers[1].weight = Tensor::From<double>({2}, {1, 2}).value();
    next.heads = 16;
    const Flattened flat = Flatten(std::move(next)).value();
    const ParamStore step =
        ParamStore::FromEntries({{Path().Attribute("step"), Tensor::Scalar<int64_t>(101)}}).value();
    ASSERT_TRUE(SaveCheckpoint(File("next.leaf"),
                               {{"params", flat.def, flat.params}, {"progress", step}},
                               {.io = {.durable = false}})
                    .ok());
    WriteFile(
        File("odd.safetensors"),
        SafetensorsFileOf("{" + BytesEntry("w", 0, 4) +
                              R"(,"q":{"dtype":"NF4","shape":[4],"data_offsets":[4,6]}})" + "\n",
                          6));
    WriteFile(File("pointer.safetensors"), "version https://git-lfs.github.com/spec/v1\n");
    FlipBit(Run(2) + "/step-00000000000000000002.leaf", 64);
  }

  // Returns what a shell command prints in the directory, on both outputs.
  std::string Shell(const std::string& line) {
    const std::string tool = LEAFSTORE_TOOL;
    const std::string path = "PATH=" + tool.substr(0, tool.rfind('/')) + ":" + std::getenv("PATH");
    return RunProgram({"/bin/sh", "-c", "exec 2>&1; " + line},
                      {.env = {path}, .directory = dir_.path()})
        .out;
  }
};

TEST_F(DocsTest, Page_ShowsWhatTheProgramPrints) {
  std::istringstream page(ReadFile(kPage));
  std::string found;
  bool checked = false;
  int commands = 0;
  for (std::string line; std::getline(page, line);) {
    if (line == kMark) checked = true;
    if (!line.empty() && line[0] != ' ' && line != kMark) checked = false;
    const bool in_block = checked && absl::StartsWith(line, "    ");
    if (!in_block) {
      found += line + "\n";
      continue;
    }
    if (!absl::StartsWith(line, "    $ ")) continue;  // the documented output
    found += line + "\n";
    ++commands;
    std::istringstream out(Shell(line.substr(6)));
    for (std::string printed; std::getline(out, printed);) {
      found += printed.empty() ? "    \n" : "    " + printed + "\n";
    }
  }
  EXPECT_GE(commands, 15);
  if (found != ReadFile(kPage)) WriteFile(testing::TempDir() + "/tool.md", found);
  EXPECT_EQ(found, ReadFile(kPage))
      << "if that is meant, take " << testing::TempDir() << "/tool.md";
}

}  // namespace
}  // namespace leafstore
