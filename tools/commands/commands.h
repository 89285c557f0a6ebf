// The subcommands of the `leafstore` program, one file each; docs/tool.md describes them.
//
// Each function declares a subcommand and its options, and sets `run->function` if the command line
// names it:
//
//   void AddTreeCommand(CLI::App* program, CommandRun* run) {
//     const auto [command, options] =
//         AddCommand(program, run, "tree", "Shows the structure.", kHelpFile, kTreeHelp, Tree);
//     AddFile(command, "FILE", &options->name);
//   }
//
// The status that the function returns determines the exit code and the message (present/errors.h).
// This header includes what most subcommands need: options, inputs and outputs.
#ifndef LEAFSTORE_TOOLS_COMMANDS_COMMANDS_H_
#define LEAFSTORE_TOOLS_COMMANDS_COMMANDS_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include <CLI/CLI.hpp>

#include "leafstore/core/status_macros.h"
#include "leafstore/tools/commands/input.h"
#include "leafstore/tools/commands/options.h"
#include "leafstore/tools/present/errors.h"
#include "leafstore/tools/present/json.h"
#include "leafstore/tools/present/table.h"
#include "leafstore/tools/present/text.h"

namespace leafstore::tools {

// The action of the subcommand that the command line names.
struct CommandRun {
  std::function<absl::Status()> function;
  // The exit code for a file error: 2 where a subcommand uses 1 for a negative answer.
  int error_code = 1;
};

// Declares a subcommand whose action is `action`. Returns it, and its options, which it owns. The
// text of --help ends with the meaning of FILE, GLOB and FILTER, as selected by `about`, and with
// `help`.
template <typename Options>
std::pair<CLI::App*, Options*> AddCommand(CLI::App* program, CommandRun* run,
                                          const std::string& name, const std::string& description,
                                          int about, const std::string& help,
                                          absl::Status (*action)(const Options&)) {
  CLI::App* const command = program->add_subcommand(name, description);
  command->footer(HelpText(about, help));
  const auto options = std::make_shared<Options>();
  command->callback([=] { run->function = [=] { return action(*options); }; });
  return {command, options.get()};
}

// Prints an answer to standard output: as text by `print_text`, or as one JSON object with the
// fields of `head` and a list `items`, to which `print_item` adds an entry for each item.
template <typename Item, typename PrintText, typename PrintItem>
absl::Status PrintAnswer(const OutputForm& form, const Json& head, const std::vector<Item>& items,
                         const PrintText& print_text, const PrintItem& print_item) {
  Output out(stdout, form.color);
  if (form.json) {
    JsonList list(head, "items", &out);
    for (const Item& item : items) {
      if (out.ok()) LEAFSTORE_RETURN_IF_ERROR(print_item(item, &list));
    }
  } else {
    print_text(&out);
  }
  return out.Finish();
}

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
