// What subcommands of the `leafstore` program have in common.
//
// A subcommand is one file with one function: it declares itself and its options, and says what
// shall run when it was asked for.
//
//   void AddInspectCommand(CLI::App* program, CommandRun* run) {
//     auto options = std::make_shared<InspectOptions>();
//     CLI::App* command = program->add_subcommand("inspect", "Shows what is in a checkpoint");
//     command->add_option("FILE", options->file, "the checkpoint")->required();
//     command->callback([=] { *run = [options] { return Inspect(*options); }; });
//   }
//
// Exit codes: 0 all is well; 1 something is wrong with a file (missing, damaged, newer than this
// program) or the output cannot be written; 2 what was asked for makes no sense. `diff` has
// those of diff (ExitWith, AsTrouble). Errors are lines on standard error,
// `leafstore: <file>: <what>: expected ..., found ...; what to do`.
#ifndef LEAFSTORE_TOOLS_COMMANDS_COMMAND_H_
#define LEAFSTORE_TOOLS_COMMANDS_COMMAND_H_

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace leafstore::tools {

using CommandRun = std::function<absl::Status()>;

// An error of the command line: exit code 2.
absl::Status UsageError(absl::string_view message);
bool IsUsageError(const absl::Status& status);

// An error of a file, with the file's name in front and what can be done about it behind: exit code
// 1. OK and a UsageError as they are.
absl::Status FileError(absl::string_view file, const absl::Status& status);

// `status`, of which the message has several lines that are to stand as lines: what is wrong with
// several things. Without it an end of a line is escaped, as it may come from a file.
absl::Status InLines(absl::Status status);

// No error, but an answer that is an exit code: nothing is printed.
absl::Status ExitWith(int code);
// `status`, but the exit code is 2 whatever it is of: for a subcommand whose 1 is an answer. OK as
// it is.
absl::Status AsTrouble(absl::Status status);

// Says a line on standard error that is no error, `leafstore: <line>`.
void Note(absl::string_view line);

// Says on standard error what went wrong, if something did, and returns the exit code.
int Report(const absl::Status& status);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_COMMANDS_COMMAND_H_
