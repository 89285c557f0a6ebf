// `leafstore split`: the leaves by filters into files (docs/tool.md).
#ifndef LEAFSTORE_TOOLS_COMMANDS_SPLIT_H_
#define LEAFSTORE_TOOLS_COMMANDS_SPLIT_H_

#include <CLI/CLI.hpp>

#include "leafstore/tools/commands/command.h"

namespace leafstore::tools {

void AddSplitCommand(CLI::App* program, CommandRun* run);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_COMMANDS_SPLIT_H_
