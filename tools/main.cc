// leafstore: shows model parameters, and converts them between formats, from the command line.
#include <algorithm>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <new>
#include <string>
#include <system_error>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include <CLI/CLI.hpp>

#include "leafstore/checkpoint/internal/format.h"
#include "leafstore/core/internal/suggest.h"
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

// Returns what is wrong with an option on the command line; "" for nothing.
std::string WhatIsWrongWith(const CLI::Option& option) {
  const int most = option.get_items_expected_max();
  if (most > 0 && static_cast<int>(option.results().size()) > most) {
    return absl::StrCat(option.get_name(), ": expected once, found ", option.results().size(),
                        " times");
  }
  for (const CLI::Option* needed : option.get_needs()) {
    if (option.count() == 0 || needed->count() > 0) continue;
    return absl::StrCat(option.get_name(), ": expected together with ", needed->get_name(),
                        ", found alone");
  }
  return "";
}

std::string MessageOf(const CLI::ParseError& error, CLI::App* command,
                      const std::vector<std::string>& args) {
  if (dynamic_cast<const CLI::ValidationError*>(&error) != nullptr) {
    return error.what();  // "<option>: <the message of a validator of options.h>"
  }
  const bool is_missing = dynamic_cast<const CLI::RequiredError*>(&error) != nullptr;
  for (const CLI::Option* option : command->get_options()) {
    if (is_missing && option->get_required() && option->count() == 0) {
      return absl::StrCat("expected ", option->get_name(), ", found nothing");
    }
    const std::string wrong = WhatIsWrongWith(*option);
    if (!is_missing && !wrong.empty()) return wrong;
  }
  if (is_missing) return "expected a subcommand, found none";
  // An option whose value is missing, or a flag that has a value.
  const auto option_of = [command](const std::string& arg) {
    return absl::StartsWith(arg, "-") ? command->get_option_no_throw(arg.substr(0, arg.find('=')))
                                      : nullptr;
  };
  for (size_t i = 0; i < args.size(); ++i) {
    const CLI::Option* option = option_of(args[i]);
    if (option == nullptr) continue;
    const bool has_value = absl::StrContains(args[i], "=");
    const bool is_flag = option->get_items_expected_max() == 0;
    if (is_flag && has_value) {
      return absl::StrCat(option->get_name(), ": expected no value, found one");
    }
    if (!is_flag && !has_value && (i + 1 == args.size() || option_of(args[i + 1]) != nullptr)) {
      return absl::StrCat(option->get_name(), ": expected a value, found none");
    }
  }
  return error.what();
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

// Returns the arguments that nothing expected, without the mark `--`.
std::vector<std::string> Unused(const CLI::App& app, bool of_subcommands) {
  std::vector<std::string> unused = app.remaining(of_subcommands);
  for (std::string& argument : unused) argument = UnmarkBrackets(argument);
  unused.erase(std::remove(unused.begin(), unused.end(), "--"), unused.end());
  return unused;
}

// Returns a UsageError for the first argument that nothing expected, if there is one.
absl::Status CheckAllUsed(CLI::App* program) {
  const std::vector<std::string> unused = Unused(*program, true);
  if (unused.empty()) return absl::OkStatus();
  CLI::App* command = Unused(*program, false).empty() ? NamedCommand(program) : program;
  const bool is_program = command == program;
  const bool is_option = !is_program || absl::StartsWith(unused[0], "-");
  return UsageError("expected ", is_option ? "an option" : "a subcommand", ", found '", unused[0],
                    "'", Suggestion(unused[0], command, is_program));
}

// Returns a UsageError for a command line that CLI11 rejects: what was expected and what was found.
// It depends on the type of the error, the declared options and `args`, the arguments without the
// program's name. It does not depend on the texts of CLI11, which change between its versions.
absl::Status ParseErrorStatus(const CLI::ParseError& error, const std::vector<std::string>& args,
                              CLI::App* program) {
  LEAFSTORE_RETURN_IF_ERROR(CheckAllUsed(program));
  return UsageError(MessageOf(error, NamedCommand(program), args));
}

int Main(int argc, char** argv) {
  CommandRun run;
  CLI::App program("Shows model parameters, and converts them between formats.", "leafstore");
  program.set_version_flag("--version", VersionText(), "Print the version and exit");
  program.footer(kProgramFooter);
  program.require_subcommand(1);
  for (const auto add : kCommands) add(&program, &run);
  UnmarkValues(&program);
  const std::vector<std::string> marked = MarkBrackets({argv, argv + argc});
  std::vector<const char*> pointers;
  for (const std::string& arg : marked) pointers.push_back(arg.c_str());
  // Exceeding the limit on file sizes is an error of the write, not the end of the program.
  std::signal(SIGXFSZ, SIG_IGN);
  GuardAgainstCrashes(/*exit_code=*/1);
  try {
    program.parse(argc, pointers.data());
  } catch (const CLI::CallForHelp&) {
    const absl::Status status = CheckAllUsed(&program);
    return Report(status.ok() ? Print(HelpOf(program, *NamedCommand(&program))) : status);
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

int main(int argc, char** argv) {
  try {
    return leafstore::tools::Main(argc, argv);
  } catch (const std::bad_alloc&) {     // while files were put in place, see OutputFiles::Commit
  } catch (const std::system_error&) {  // no thread
  }
  std::fputs("leafstore: out of memory; a limit of this process (ulimit -v) may be too low\n",
             stderr);
  return 1;
}
