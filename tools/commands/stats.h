// `leafstore stats`: what the numbers are like, by leaf, subtree and group (docs/tool.md).
#ifndef LEAFSTORE_TOOLS_COMMANDS_STATS_H_
#define LEAFSTORE_TOOLS_COMMANDS_STATS_H_

#include <CLI/CLI.hpp>

#include "leafstore/tools/commands/command.h"

namespace leafstore::tools {

void AddStatsCommand(CLI::App* program, CommandRun* run);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_COMMANDS_STATS_H_
