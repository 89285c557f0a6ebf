// `leafstore completion`, driven in real shells.
#include <unistd.h>

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/tools/tool_test.h"

namespace leafstore {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr char kBash[] = "/bin/bash";

class CompletionTest : public ToolTest {
 protected:
  void SetUp() override {
    if (access(kBash, X_OK) != 0) GTEST_SKIP() << "no bash to complete in";
    WriteFile(File("completion"), Out({"completion", "bash"}));
  }

  // Returns the completions of bash for the last of these words, separated by spaces. As in bash,
  // `=` is a separate word.
  std::string Complete(const std::vector<std::string>& words) {
    std::string line = "source '" + File("completion") + "'; COMP_WORDS=('" LEAFSTORE_TOOL "'";
    for (const std::string& word : words) line += " '" + word + "'";
    line +=
        "); COMP_CWORD=" + std::to_string(words.size()) + "; _leafstore; echo \"${COMPREPLY[*]}\"";
    const Ran ran =
        RunProgram({kBash, "--noprofile", "--norc", "-c", line}, {.directory = dir_.path()});
    EXPECT_EQ(ran.exit_code, 0);
    EXPECT_EQ(ran.err, "");
    return ran.out.substr(0, ran.out.size() - 1);
  }
};

TEST_F(CompletionTest, Bash_CompletesSubcommands) {
  EXPECT_EQ(Complete({"in"}), "inspect");
  EXPECT_THAT(Complete({""}), AllOf(HasSubstr("inspect tree cat"), HasSubstr("completion"),
                                    Not(HasSubstr("manual")), Not(HasSubstr("complete-words"))));
  EXPECT_EQ(Complete({"--ver"}), "--version");
}

TEST_F(CompletionTest, Bash_CompletesOptionsOfTheSubcommand) {
  EXPECT_EQ(Complete({"diff", "--rt"}), "--rtol");
  EXPECT_EQ(Complete({"inspect", "--rt"}), "");
  EXPECT_THAT(Complete({"convert", "a", "b", "--"}),
              AllOf(HasSubstr("--shard-size"), HasSubstr("--help")));
}

TEST_F(CompletionTest, Bash_CompletesWordsOfAnOption) {
  EXPECT_EQ(Complete({"inspect", "a.leaf", "--color", "a"}), "auto always");
  EXPECT_EQ(Complete({"inspect", "a.leaf", "--color", "=", "n"}), "never");
  EXPECT_EQ(Complete({"inspect", "a.leaf", "--color", "="}), "auto always never");
  EXPECT_EQ(Complete({"stats", "--sort", "m"}), "min max mean");
  EXPECT_EQ(Complete({"completion", "z"}), "zsh");
}

TEST_F(CompletionTest, Bash_CompletesFiles) {
  Sample();
  WriteFile(File("b.txt"), "");
  EXPECT_EQ(Complete({"inspect", "a"}), "a.leaf");
  EXPECT_EQ(Complete({"convert", "a.leaf", "b"}), "b.txt");
  EXPECT_EQ(Complete({"inspect", "--item", "params", "b"}), "b.txt");
  EXPECT_EQ(Complete({"merge", "a.leaf", "b.txt", "a"}), "a.leaf");
}

TEST_F(CompletionTest, Bash_CompletesItemsAndPathsOfTheNamedFile) {
  Sample();
  EXPECT_EQ(Complete({"inspect", "a.leaf", "--item", ""}), "params progress");
  EXPECT_EQ(Complete({"inspect", "a.leaf", "--item", "=", "pro"}), "progress");
  EXPECT_EQ(Complete({"cat", "a.leaf", "l"}), "layers.");
  EXPECT_EQ(Complete({"cat", "a.leaf", "layers.1."}), "layers.1.bias layers.1.weight");
  EXPECT_EQ(Complete({"tree", "a.leaf", "--match", "he"}), "heads");
  // An unreadable file gives no completions and no message.
  EXPECT_EQ(Complete({"cat", "none.leaf", "l"}), "");
}

TEST_F(CompletionTest, InteractiveBash_Completes) {
  if (!HaveTerminals()) GTEST_SKIP() << "this system has no pseudo-terminal to give";
  // Types into a terminal with readline: two tabs list, one completes.
  const std::string bin =
      std::string(LEAFSTORE_TOOL).substr(0, std::string(LEAFSTORE_TOOL).rfind('/'));
  const std::string line =
      "cd '" + dir_.path() + "' && PATH='" + bin +
      "':$PATH && { printf "
      "'source completion\\nleafstore compl\\t zs\\t | head -1\\nexit\\n'; sleep 1; } | "
      "script -qec '/bin/bash --noprofile --norc -i' /dev/null";
  if (access("/usr/bin/script", X_OK) != 0) GTEST_SKIP() << "no script(1)";
  const Ran ran = RunShell(line);
  EXPECT_THAT(ran.out, HasSubstr("#compdef leafstore"));
}

TEST_F(CompletionTest, Zsh_AcceptsTheScript) {
  const std::string script = Out({"completion", "zsh"});
  EXPECT_THAT(script, AllOf(testing::StartsWith("#compdef leafstore\n"), HasSubstr("'--rtol=[")));
  WriteFile(File("_leafstore"), script);
  std::string zsh;
  for (const char* path : {"/bin/zsh", "/usr/bin/zsh"}) {
    if (access(path, X_OK) == 0) zsh = path;
  }
  if (zsh.empty()) GTEST_SKIP() << "no zsh to read it";
  const Ran syntax = RunProgram({zsh, "-f", "-n", File("_leafstore")});
  EXPECT_EQ(syntax.exit_code, 0) << syntax.err;
  const Ran loaded = RunProgram({zsh, "-f", "-c",
                                 "autoload -U compinit; compinit -u -D; source " +
                                     File("_leafstore") + "; print ${_comps[leafstore]}"});
  EXPECT_EQ(loaded.out, "_leafstore\n") << loaded.err;
}

TEST_F(CompletionTest, OtherShells_AreUsageErrors) {
  EXPECT_THAT(Error({"completion", "fish"}, 2), HasSubstr("SHELL"));
  const Ran full = RunLeafstore({"completion", "bash"}, {.stdout_to = "/dev/full"});
  EXPECT_EQ(full.exit_code, 1);
}

}  // namespace
}  // namespace leafstore
