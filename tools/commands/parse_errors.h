// The message for a command line that CLI11 rejects: what was expected and what was found.
//
// The message depends on the type of the error, the declared options and the arguments, not on the
// text of CLI11, which changes between its versions.
#ifndef LEAFSTORE_TOOLS_COMMANDS_PARSE_ERRORS_H_
#define LEAFSTORE_TOOLS_COMMANDS_PARSE_ERRORS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include <CLI/CLI.hpp>

namespace leafstore::tools {

// Returns the subcommand that the command line names, or the program.
CLI::App* NamedCommand(CLI::App* program);

// Returns a UsageError. `args` are the arguments that `program` was parsing, without its name.
absl::Status ParseErrorStatus(const CLI::ParseError& error, const std::vector<std::string>& args,
                              CLI::App* program);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_COMMANDS_PARSE_ERRORS_H_
