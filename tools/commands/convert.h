// `leafstore convert`: from one format into another (docs/tool.md).
#ifndef LEAFSTORE_TOOLS_COMMANDS_CONVERT_H_
#define LEAFSTORE_TOOLS_COMMANDS_CONVERT_H_

#include <CLI/CLI.hpp>

#include "leafstore/tools/commands/command.h"

namespace leafstore::tools {

void AddConvertCommand(CLI::App* program, CommandRun* run);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_COMMANDS_CONVERT_H_
