// `leafstore diff`: how two models differ: structure, dtype, shape, values (docs/tool.md).
#ifndef LEAFSTORE_TOOLS_COMMANDS_DIFF_H_
#define LEAFSTORE_TOOLS_COMMANDS_DIFF_H_

#include <CLI/CLI.hpp>

#include "leafstore/tools/commands/command.h"

namespace leafstore::tools {

void AddDiffCommand(CLI::App* program, CommandRun* run);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_COMMANDS_DIFF_H_
