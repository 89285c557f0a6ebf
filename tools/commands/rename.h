// `leafstore rename`: new paths by patterns, shown first (docs/tool.md).
#ifndef LEAFSTORE_TOOLS_COMMANDS_RENAME_H_
#define LEAFSTORE_TOOLS_COMMANDS_RENAME_H_

#include <CLI/CLI.hpp>

#include "leafstore/tools/commands/command.h"

namespace leafstore::tools {

void AddRenameCommand(CLI::App* program, CommandRun* run);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_COMMANDS_RENAME_H_
