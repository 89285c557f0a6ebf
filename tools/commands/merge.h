// `leafstore merge`: files of parts become one (docs/tool.md).
#ifndef LEAFSTORE_TOOLS_COMMANDS_MERGE_H_
#define LEAFSTORE_TOOLS_COMMANDS_MERGE_H_

#include <CLI/CLI.hpp>

#include "leafstore/tools/commands/command.h"

namespace leafstore::tools {

void AddMergeCommand(CLI::App* program, CommandRun* run);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_COMMANDS_MERGE_H_
