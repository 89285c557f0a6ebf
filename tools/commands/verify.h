// `leafstore verify`: checks every byte (docs/tool.md).
#ifndef LEAFSTORE_TOOLS_COMMANDS_VERIFY_H_
#define LEAFSTORE_TOOLS_COMMANDS_VERIFY_H_

#include <CLI/CLI.hpp>

#include "leafstore/tools/commands/command.h"

namespace leafstore::tools {

void AddVerifyCommand(CLI::App* program, CommandRun* run);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_COMMANDS_VERIFY_H_
