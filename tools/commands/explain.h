// `leafstore explain`: which filter takes which leaf, at which node (docs/tool.md).
#ifndef LEAFSTORE_TOOLS_COMMANDS_EXPLAIN_H_
#define LEAFSTORE_TOOLS_COMMANDS_EXPLAIN_H_

#include <CLI/CLI.hpp>

#include "leafstore/tools/commands/command.h"

namespace leafstore::tools {

void AddExplainCommand(CLI::App* program, CommandRun* run);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_COMMANDS_EXPLAIN_H_
