// `leafstore completion bash|zsh`: prints a script that completes the program's words in a shell,
// made of the declarations of its options (docs/tool.md).
//
// And the hidden `leafstore complete-words items|paths FILE [PREFIX]`, which such a script asks for
// the items of a file, and for the paths that go on from a prefix by one key.
#ifndef LEAFSTORE_TOOLS_COMMANDS_COMPLETION_H_
#define LEAFSTORE_TOOLS_COMMANDS_COMPLETION_H_

#include <CLI/CLI.hpp>

#include "leafstore/tools/commands/command.h"

namespace leafstore::tools {

void AddCompletionCommand(CLI::App* program, CommandRun* run);
void AddCompleteWordsCommand(CLI::App* program, CommandRun* run);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_COMMANDS_COMPLETION_H_
