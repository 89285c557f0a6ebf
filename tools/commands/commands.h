// The subcommands of the `leafstore` program, one file each; docs/tool.md describes them.
//
// Each function declares a subcommand and its options, and tells `run` what to do if the command
// line names it:
//
//   void AddInspectCommand(CLI::App* program, CommandRun* run) {
//     auto options = std::make_shared<InspectOptions>();
//     CLI::App* command = program->add_subcommand("inspect", "Lists the leaves");
//     command->add_option("FILE", options->file, "the checkpoint")->required();
//     command->callback([=] { run->function = [options] { return Inspect(*options); }; });
//   }
//
// The status that it returns becomes the exit code and the message (present/errors.h).
#ifndef LEAFSTORE_TOOLS_COMMANDS_COMMANDS_H_
#define LEAFSTORE_TOOLS_COMMANDS_COMMANDS_H_

#include <functional>

#include "absl/status/status.h"
#include <CLI/CLI.hpp>

namespace leafstore::tools {

// What a subcommand does once the command line has been read.
struct CommandRun {
  std::function<absl::Status()> function;
  // The exit code of an error of a file: 2 for a subcommand whose 1 is an answer.
  int error_code = 1;
};

void AddInspectCommand(CLI::App* program, CommandRun* run);
void AddTreeCommand(CLI::App* program, CommandRun* run);
void AddCatCommand(CLI::App* program, CommandRun* run);
void AddStatsCommand(CLI::App* program, CommandRun* run);
void AddDiffCommand(CLI::App* program, CommandRun* run);
void AddVerifyCommand(CLI::App* program, CommandRun* run);
void AddExplainCommand(CLI::App* program, CommandRun* run);
// Is in the separate library leafstore_report, which a build may leave out.
void AddReportCommand(CLI::App* program, CommandRun* run);
void AddConvertCommand(CLI::App* program, CommandRun* run);
void AddSplitCommand(CLI::App* program, CommandRun* run);
void AddMergeCommand(CLI::App* program, CommandRun* run);
void AddRenameCommand(CLI::App* program, CommandRun* run);
void AddCompletionCommand(CLI::App* program, CommandRun* run);
// Are not listed in --help: the words that completion scripts ask for, and the manual page, which
// the build writes to a file.
void AddCompleteWordsCommand(CLI::App* program, CommandRun* run);
void AddManualCommand(CLI::App* program, CommandRun* run);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_COMMANDS_COMMANDS_H_
