// `leafstore inspect`: what is in a checkpoint, as a table or as JSON (docs/tool.md).
#ifndef LEAFSTORE_TOOLS_COMMANDS_INSPECT_H_
#define LEAFSTORE_TOOLS_COMMANDS_INSPECT_H_

#include <CLI/CLI.hpp>

#include "leafstore/tools/commands/command.h"

namespace leafstore::tools {

void AddInspectCommand(CLI::App* program, CommandRun* run);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_COMMANDS_INSPECT_H_
