// `leafstore tree`: the structure as a tree, with dtypes, shapes, bytes and ties (docs/tool.md).
#ifndef LEAFSTORE_TOOLS_COMMANDS_TREE_H_
#define LEAFSTORE_TOOLS_COMMANDS_TREE_H_

#include <CLI/CLI.hpp>

#include "leafstore/tools/commands/command.h"

namespace leafstore::tools {

void AddTreeCommand(CLI::App* program, CommandRun* run);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_COMMANDS_TREE_H_
