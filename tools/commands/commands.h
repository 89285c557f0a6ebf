// The subcommands of the `leafstore` program, one file each; docs/tool.md describes them.
//
// Each function declares a subcommand and its options, and sets `run->function` if the command line
// names it:
//
//   void AddInspectCommand(CLI::App* program, CommandRun* run) {
//     auto options = std::make_shared<InspectOptions>();
//     CLI::App* command = program->add_subcommand("inspect", "Lists the leaves");
//     command->add_option("FILE", options->file, "the checkpoint")->required();
//     command->callback([=] { run->function = [options] { return Inspect(*options); }; });
//   }
//
// The status that the function returns determines the exit code and the message (present/errors.h).
#ifndef LEAFSTORE_TOOLS_COMMANDS_COMMANDS_H_
#define LEAFSTORE_TOOLS_COMMANDS_COMMANDS_H_

#include <functional>

#include "absl/status/status.h"
#include <CLI/CLI.hpp>

namespace leafstore::tools {

// The action of the subcommand that the command line names.
struct CommandRun {
  std::function<absl::Status()> function;
  // The exit code for a file error: 2 where a subcommand uses 1 for a negative answer.
  int error_code = 1;
};

void AddInspectCommand(CLI::App* program, CommandRun* run);
void AddTreeCommand(CLI::App* program, CommandRun* run);
void AddCatCommand(CLI::App* program, CommandRun* run);
void AddStatsCommand(CLI::App* program, CommandRun* run);
void AddDiffCommand(CLI::App* program, CommandRun* run);
void AddVerifyCommand(CLI::App* program, CommandRun* run);
void AddExplainCommand(CLI::App* program, CommandRun* run);
// Defined in the separate library leafstore_report, which a build may omit.
void AddReportCommand(CLI::App* program, CommandRun* run);
void AddConvertCommand(CLI::App* program, CommandRun* run);
void AddSplitCommand(CLI::App* program, CommandRun* run);
void AddMergeCommand(CLI::App* program, CommandRun* run);
void AddRenameCommand(CLI::App* program, CommandRun* run);
void AddCompletionCommand(CLI::App* program, CommandRun* run);
// Not listed in --help: the words that completion scripts request, and the manual page, which the
// build writes to a file.
void AddCompleteWordsCommand(CLI::App* program, CommandRun* run);
void AddManualCommand(CLI::App* program, CommandRun* run);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_COMMANDS_COMMANDS_H_
