// What subcommands of the `leafstore` program have in common.
//
// A subcommand is one file with one function: it declares itself and its options, and says what
// shall run when it was asked for.
//
//   void AddInspectCommand(CLI::App* program, CommandRun* run) {
//     auto options = std::make_shared<InspectOptions>();
//     CLI::App* command = program->add_subcommand("inspect", "Shows what is in a checkpoint");
//     command->add_option("FILE", options->file, "the checkpoint")->required();
//     command->callback([=] { run->function = [options] { return Inspect(*options); }; });
//   }
//
// Exit codes: 0 all is well; 1 something is wrong with a file (missing, damaged, newer than this
// program) or the output cannot be written; 2 what was asked for makes no sense. `diff` has
// those of diff (CommandRun::error_code). Errors are lines on standard error,
// `leafstore: <file>: <what>: expected ..., found ...; what to do`.
#ifndef LEAFSTORE_TOOLS_COMMANDS_COMMAND_H_
#define LEAFSTORE_TOOLS_COMMANDS_COMMAND_H_

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace leafstore::tools {

// What a subcommand does once the command line has been read.
struct CommandRun {
  std::function<absl::Status()> function;
  // The exit code of an error of a file: 2 for a subcommand whose 1 is an answer.
  int error_code = 1;
};

// Returns an error of the command line: exit code 2.
absl::Status UsageError(absl::string_view message);
// Prints several errors of the command line, one a line, and returns an error that is not printed
// again. (Report escapes the ends of lines, as they may come from a file.)
absl::Status UsageErrors(absl::string_view lines);

// Returns an answer that is not an error, but exit code 1. Nothing is printed.
absl::Status NegativeAnswer();

// An error of a file, with the file's name in front and what can be done about it behind: exit code
// 1. OK and errors of the command line are returned as they are.
absl::Status FileError(absl::string_view file, const absl::Status& status);

// Says a line on standard error that is no error, `leafstore: <line>`.
void Note(absl::string_view line);

// Says on standard error what went wrong, if something did, and returns the exit code.
int Report(const absl::Status& status, int error_code = 1);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_COMMANDS_COMMAND_H_
