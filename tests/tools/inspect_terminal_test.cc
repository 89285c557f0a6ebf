// Colour and width, which depend on whether standard output is a terminal.
#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/tools/run_program.h"
#include "tests/tools/sample_checkpoints.h"

namespace leafstore {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr char kEscape[] = "\x1b[";

class InspectTerminalTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!HaveTerminals()) GTEST_SKIP() << "this system has no pseudo-terminal to give";
    SaveSample(path_);
  }

  TempDir dir_;
  const std::string path_ = dir_.File("a.leaf");
};

TEST_F(InspectTerminalTest, Pipe_HasNoColour) {
  EXPECT_THAT(RunLeafstore({"inspect", path_}).out, Not(HasSubstr(kEscape)));
  EXPECT_THAT(RunLeafstore({"inspect", path_, "--color", "auto"}).out, Not(HasSubstr(kEscape)));
}

TEST_F(InspectTerminalTest, Always_HasColour) {
  const RunOptions no_color = {.env = {"NO_COLOR=1"}};
  EXPECT_THAT(RunLeafstore({"inspect", path_, "--color", "always"}, no_color).out,
              HasSubstr(kEscape));
  EXPECT_THAT(RunOnTerminal({"inspect", path_, "--color=never"}, 80).out, Not(HasSubstr(kEscape)));
}

TEST_F(InspectTerminalTest, Terminal_HasColourUnlessTheEnvironmentForbidsIt) {
  EXPECT_THAT(RunOnTerminal({"inspect", path_}, 80).out, HasSubstr(kEscape));
  EXPECT_THAT(RunOnTerminal({"inspect", path_}, 80, {"NO_COLOR=1"}).out, Not(HasSubstr(kEscape)));
  EXPECT_THAT(RunOnTerminal({"inspect", path_}, 80, {"NO_COLOR="}).out, HasSubstr(kEscape));
  EXPECT_THAT(RunOnTerminal({"inspect", path_}, 80, {"TERM=dumb"}).out, Not(HasSubstr(kEscape)));
}

TEST_F(InspectTerminalTest, Colour_ChangesNothingElse) {
  std::string colored = RunLeafstore({"inspect", path_, "--stats", "--color=always"}).out;
  for (size_t at; (at = colored.find(kEscape)) != std::string::npos;) {
    colored.erase(at, colored.find('m', at) + 1 - at);
  }
  EXPECT_EQ(colored, RunLeafstore({"inspect", path_, "--stats"}).out);
}

TEST_F(InspectTerminalTest, NarrowTerminal_CutsLines) {
  const std::string name = "a_name_that_is_much_longer_than_any_terminal_of_forty_columns";
  Save(path_, ParamStore::FromEntries(
                  {{Path().Item(name), Value(name)}, {Path().Item("w"), Tensor::Scalar(1.0f)}})
                  .value());
  const Ran ran = RunOnTerminal({"inspect", path_, "--color=never"}, 50);
  EXPECT_EQ(ran.exit_code, 0);
  const std::vector<std::string> lines = absl::StrSplit(ran.out, "\r\n");
  size_t rows = 0;
  for (const std::string& line : lines) {
    if (!absl::StartsWith(line, "  ")) continue;
    EXPECT_LE(line.size(), 50u) << line;
    ++rows;
  }
  EXPECT_EQ(rows, 3u);
  EXPECT_THAT(ran.out, HasSubstr("..."));
  // The content does not depend on the terminal.
  EXPECT_THAT(RunLeafstore({"inspect", path_}).out, HasSubstr(name));
}

}  // namespace
}  // namespace leafstore
