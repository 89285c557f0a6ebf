// The manual page, and whether the documentation is complete.
#include <unistd.h>

#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/source_dir.h"
#include "tests/tools/tool_test.h"

namespace leafstore {
namespace {

using testing::HasSubstr;

class ManualTest : public ToolTest {
 protected:
  // Returns the subcommands that --help lists.
  std::vector<std::string> Commands() {
    std::istringstream help(Out({"--help"}));
    std::vector<std::string> commands;
    bool listing = false;
    for (std::string line; std::getline(help, line);) {
      if (line == "Subcommands:") {
        listing = true;
      } else if (listing && line.rfind("  ", 0) == 0) {
        if (line[2] != ' ') commands.push_back(line.substr(2, line.find(' ', 2) - 2));
      } else {
        listing = false;
      }
    }
    EXPECT_GE(commands.size(), 11u);
    return commands;
  }
  // Returns the long options in the --help of a subcommand.
  std::set<std::string> OptionsOf(const std::string& command) {
    std::istringstream help(Out({command, "--help"}));
    std::set<std::string> options;
    for (std::string line; std::getline(help, line);) {
      const size_t at = line.find("--");
      if (line.rfind("  -", 0) != 0 || at == std::string::npos) continue;
      options.insert(line.substr(at, line.find_first_of(" ,:", at) - at));
    }
    EXPECT_TRUE(options.count("--help") == 1) << command;
    return options;
  }
};

TEST_F(ManualTest, Manual_HasEverySubcommandAndOption) {
  const std::string manual = absl::StrReplaceAll(Out({"manual"}), {{"\\-", "-"}});
  for (const std::string& command : Commands()) {
    const size_t begin = manual.find(".SS leafstore " + command + "\n");
    ASSERT_NE(begin, std::string::npos) << command;
    const std::string section = manual.substr(begin, manual.find(".SS", begin + 1) - begin);
    for (const std::string& option : OptionsOf(command)) {
      EXPECT_THAT(section, HasSubstr("\\fB" + option + "\\fR")) << command;
    }
  }
}

TEST_F(ManualTest, Groff_ReadsItWithoutAWarning) {
  if (access("/usr/bin/groff", X_OK) != 0) GTEST_SKIP() << "no groff";
  WriteFile(File("leafstore.1"), Out({"manual"}));
  const Ran ran =
      RunProgram({"/usr/bin/groff", "-man", "-Tascii", "-ww", "-z", File("leafstore.1")});
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_EQ(ran.err, "");
}

TEST_F(ManualTest, ToolPage_HasEverySubcommandAndOption) {
  const std::string page = ReadFile(SourcePath("docs/tool.md"));
  for (const std::string& command : Commands()) {
    EXPECT_THAT(page, HasSubstr("## " + command)) << command;
    for (const std::string& option : OptionsOf(command)) {
      if (option == "--help") continue;
      EXPECT_THAT(page, HasSubstr("`" + option)) << command << " " << option;
    }
  }
}

}  // namespace
}  // namespace leafstore
