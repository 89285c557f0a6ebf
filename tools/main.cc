// leafstore: shows model parameters, and converts them between formats, from the command line.
#include <csignal>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include <CLI/CLI.hpp>

#include "leafstore/checkpoint/internal/format.h"
#include "leafstore/core/internal/suggest.h"
#include "leafstore/tools/commands/command_words.h"
#include "leafstore/tools/commands/commands.h"
#include "leafstore/tools/files/output_files.h"

namespace leafstore::tools {
namespace {

constexpr char kProgramFooter[] =
    R"(Files are detected by their content: checkpoints (.leaf), directories of checkpoints (the newest
intact one, or DIR@STEP), safetensors with or without an index, NumPy's .npz and .npy.

Examples:
  leafstore inspect run/step-100.leaf --group 'bias=**.bias' --stats
  leafstore cat model.safetensors 'layers.0.weight[0:3, ::2]'
  leafstore diff run@1000 run@2000 --item params
  leafstore convert model.safetensors model.leaf
  leafstore inspect --help

Exit codes: 0 success; 1 a file cannot be read or written, or the output cannot be written (for diff:
they differ); 2 usage (for diff: any error).)";

// In the order of --help.
constexpr void (*kCommands[])(CLI::App*, CommandRun*) = {
    AddInspectCommand,    AddTreeCommand,          AddCatCommand,     AddStatsCommand,
    AddDiffCommand,       AddVerifyCommand,        AddExplainCommand,
#ifdef LEAFSTORE_HAS_REPORT
    AddReportCommand,
#endif
    AddConvertCommand,    AddSplitCommand,         AddMergeCommand,   AddRenameCommand,
    AddCompletionCommand, AddCompleteWordsCommand, AddManualCommand,
};

std::string VersionText() {
  return absl::StrCat("leafstore ", LEAFSTORE_VERSION, " (checkpoints of format version ",
                      internal::kFormatVersion, ")");
}

using Options = std::vector<CLI::Option*>;

// Returns "<option>: <message>" for the first option for which `message_of` returns a message; ""
// if there is no such option.
std::string FirstMessage(const Options& options,
                         const std::function<std::string(CLI::Option*)>& message_of) {
  for (CLI::Option* option : options) {
    const std::string message = message_of(option);
    if (!message.empty()) return absl::StrCat(option->get_name(), ": ", message);
  }
  return "";
}

// Returns the option that an argument names, also before a '='; null if it names none.
CLI::Option* OptionNamed(const Options& options, const std::string& arg) {
  const std::string name = arg.substr(0, arg.find('='));
  for (CLI::Option* option : options) {
    for (const std::string& known : option->get_lnames()) {
      if (name == "--" + known) return option;
    }
    for (const std::string& known : option->get_snames()) {
      if (name == "-" + known) return option;
    }
  }
  return nullptr;
}

std::string WhatIsRequired(const Options& options) {
  for (const CLI::Option* option : options) {
    if (option->get_required() && option->count() == 0) {
      return absl::StrCat("expected ", option->get_name(), ", found nothing");
    }
  }
  return "expected a subcommand, found none";
}

std::string WhatIsNeeded(CLI::Option* option) {
  if (option->count() == 0) return "";
  for (const CLI::Option* needed : option->get_needs()) {
    if (needed->count() > 0) continue;
    return absl::StrCat("expected together with ", needed->get_name(), ", found alone");
  }
  return "";
}

std::string WhatIsRepeated(CLI::Option* option) {
  const int most = option->get_items_expected_max();
  if (most == 0 || static_cast<int>(option->results().size()) <= most) return "";
  return absl::StrCat("expected once, found ", option->results().size(), " times");
}

// Returns the message about an option whose value is missing, or a flag that has a value; "" if
// there is neither.
std::string WhatIsWrongWithValues(const Options& options, const std::vector<std::string>& args) {
  for (size_t i = 0; i < args.size(); ++i) {
    const CLI::Option* option = OptionNamed(options, args[i]);
    if (option == nullptr) continue;
    const bool has_value = absl::StrContains(args[i], "=");
    if (option->get_items_expected_max() == 0) {
      if (has_value) return absl::StrCat(option->get_name(), ": expected no value, found one");
    } else if (!has_value && (i + 1 == args.size() || OptionNamed(options, args[i + 1]))) {
      return absl::StrCat(option->get_name(), ": expected a value, found none");
    }
  }
  return "";
}

std::string MessageOf(const CLI::ParseError& error, const Options& options,
                      const std::vector<std::string>& args) {
  std::string message;
  if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr) {
    message = WhatIsRequired(options);
  } else if (dynamic_cast<const CLI::RequiresError*>(&error) != nullptr) {
    message = FirstMessage(options, WhatIsNeeded);
  } else if (dynamic_cast<const CLI::ValidationError*>(&error) != nullptr) {
    return error.what();  // "<option>: <the message of a validator of options.h>"
  } else {
    message = FirstMessage(options, WhatIsRepeated);
    if (message.empty()) message = WhatIsWrongWithValues(options, args);
  }
  return message.empty() ? error.what() : message;
}

// Returns "; did you mean ...?" or "" for an unknown argument.
std::string Suggestion(const std::string& argument, const CLI::App* command, bool is_program) {
  std::vector<std::string> names;
  if (absl::StartsWith(argument, "-")) {
    for (const CLI::Option* option : command->get_options()) {
      if (!option->get_lnames().empty()) names.push_back("--" + option->get_lnames()[0]);
    }
  } else if (is_program) {
    for (const CLI::App* subcommand : command->get_subcommands({})) {
      if (!subcommand->get_group().empty()) names.push_back(subcommand->get_name());
    }
  }
  return internal::DidYouMean(argument.substr(0, argument.find('=')), names);
}

// Returns the subcommand that the command line names, or the program.
CLI::App* NamedCommand(CLI::App* program) {
  const std::vector<CLI::App*> named = program->get_subcommands();
  return named.empty() ? program : named.back();
}

// Returns a UsageError for a command line that CLI11 rejects: what was expected and what was found. It
// depends on the type of the error, the declared options and `args`, the arguments without the
// program's name. It does not depend on the texts of CLI11, which change between its versions.
absl::Status ParseErrorStatus(const CLI::ParseError& error, const std::vector<std::string>& args,
                              CLI::App* program) {
  CLI::App* command = NamedCommand(program);
  const std::vector<std::string> rest = program->remaining(true);
  if (!rest.empty()) {
    return UsageError("expected ", command == program ? "a subcommand" : "an option", ", found '",
                      rest[0], "'", Suggestion(rest[0], command, command == program));
  }
  return UsageError(MessageOf(error, command->get_options(), args));
}

int Main(int argc, char** argv) {
  CommandRun run;
  CLI::App program("Shows model parameters, and converts them between formats.", "leafstore");
  program.set_version_flag("--version", VersionText(), "Print the version and exit");
  program.footer(kProgramFooter);
  program.require_subcommand(1);
  for (const auto add : kCommands) add(&program, &run);
  // Exceeding the limit on file sizes is an error of the write, not the end of the program.
  std::signal(SIGXFSZ, SIG_IGN);
  GuardAgainstCrashes(/*exit_code=*/1);
  try {
    program.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    return Report(Print(HelpOf(program, *NamedCommand(&program))));
  } catch (const CLI::CallForVersion&) {
    return Report(Print(VersionText() + "\n"));
  } catch (const CLI::ParseError& error) {
    const std::vector<std::string> args(argv + 1, argv + argc);
    return Report(ParseErrorStatus(error, args, &program));
  }
  return Report(run.function(), run.error_code);
}

}  // namespace
}  // namespace leafstore::tools

int main(int argc, char** argv) { return leafstore::tools::Main(argc, argv); }
