// `leafstore manual`: the manual page leafstore(1), made of the declarations of the options.
// Hidden; the build calls it (CMakeLists.txt).
#ifndef LEAFSTORE_TOOLS_COMMANDS_MANUAL_H_
#define LEAFSTORE_TOOLS_COMMANDS_MANUAL_H_

#include <CLI/CLI.hpp>

#include "leafstore/tools/commands/command.h"

namespace leafstore::tools {

void AddManualCommand(CLI::App* program, CommandRun* run);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_COMMANDS_MANUAL_H_
