// `leafstore cat`: the values of leaves, as NumPy prints them, as JSON, or as .npy (docs/tool.md).
#ifndef LEAFSTORE_TOOLS_COMMANDS_CAT_H_
#define LEAFSTORE_TOOLS_COMMANDS_CAT_H_

#include <CLI/CLI.hpp>

#include "leafstore/tools/commands/command.h"

namespace leafstore::tools {

void AddCatCommand(CLI::App* program, CommandRun* run);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_COMMANDS_CAT_H_
