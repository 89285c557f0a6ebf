// leafstore: looks at model parameters, and exchanges them, from the command line.
#include <csignal>
#include <cstdio>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include <CLI/CLI.hpp>

#include "leafstore/checkpoint/format.h"
#include "leafstore/core/internal/suggest.h"
#include "leafstore/tools/commands/cat.h"
#include "leafstore/tools/commands/command.h"
#include "leafstore/tools/commands/completion.h"
#include "leafstore/tools/commands/convert.h"
#include "leafstore/tools/commands/diff.h"
#include "leafstore/tools/commands/explain.h"
#include "leafstore/tools/commands/inspect.h"
#include "leafstore/tools/commands/manual.h"
#include "leafstore/tools/commands/merge.h"
#include "leafstore/tools/commands/rename.h"
#include "leafstore/tools/commands/split.h"
#include "leafstore/tools/commands/stats.h"
#include "leafstore/tools/commands/tree.h"
#include "leafstore/tools/commands/verify.h"
#include "leafstore/tools/files/temporary_files.h"
#include "leafstore/tools/present/output.h"
#include "leafstore/tools/report/report.h"

namespace leafstore::tools {
namespace {

constexpr char kProgramFooter[] =
    R"(Files are told by their content: checkpoints (.leaf), directories of checkpoints (the newest that is
whole, or DIR@STEP), safetensors with or without an index, NumPy's .npz and .npy.

Examples:
  leafstore inspect run/step-100.leaf --group 'bias=**.bias' --stats
  leafstore cat model.safetensors 'layers.0.weight[0:3, ::2]'
  leafstore diff run@1000 run@2000 --item params
  leafstore convert model.safetensors model.leaf
  leafstore report model.safetensors -o report.html
  leafstore inspect --help

Exit codes: 0 all is well; 1 something is wrong with a file, or the output could not be written (of
diff: they differ); 2 usage (of diff: any trouble).)";

// In the order in which --help lists them.
constexpr void (*kCommands[])(CLI::App*, CommandRun*) = {
    AddInspectCommand,    AddTreeCommand,          AddCatCommand,     AddStatsCommand,
    AddDiffCommand,       AddVerifyCommand,        AddExplainCommand, AddReportCommand,
    AddConvertCommand,    AddSplitCommand,         AddMergeCommand,   AddRenameCommand,
    AddCompletionCommand, AddCompleteWordsCommand, AddManualCommand,
};

std::string VersionText() {
  return absl::StrCat("leafstore ", LEAFSTORE_VERSION, " (checkpoints of format version ",
                      kFormatVersion, ")");
}

// The subcommand that was named, or the program.
CLI::App* Asked(CLI::App* program) {
  const std::vector<CLI::App*> asked = program->get_subcommands();
  return asked.empty() ? program : asked.back();
}

// What could have been meant by an argument that is none.
std::string Suggestion(const std::string& argument, CLI::App* program) {
  std::vector<std::string> names;
  if (absl::StartsWith(argument, "-")) {
    for (const CLI::Option* option : Asked(program)->get_options()) {
      if (!option->get_lnames().empty()) names.push_back("--" + option->get_lnames()[0]);
    }
  } else if (Asked(program) == program) {
    for (const CLI::App* command : program->get_subcommands({})) {
      if (!command->get_group().empty()) names.push_back(command->get_name());
    }
  }
  return internal::DidYouMean(argument.substr(0, argument.find('=')), names);
}

// What stands before `mark` in `text`; false where it has none.
bool Before(absl::string_view text, absl::string_view mark, std::string* before,
            std::string* behind) {
  const size_t at = text.find(mark);
  if (at == absl::string_view::npos) return false;
  *before = std::string(text.substr(0, at));
  *behind = std::string(text.substr(at + mark.size()));
  return true;
}

// The message of a command line that does not fit the declarations, as all others are: what was
// expected, and what was found. (Values are checked by options.h's validators, which say it
// themselves.)
std::string InOurWords(const CLI::ParseError& error) {
  absl::string_view what = error.what();
  std::string name;
  std::string rest;
  if (what == "A subcommand is required") return "expected a subcommand, found none";
  if (error.get_name() == "RequiredError" && Before(what, " is required", &name, &rest)) {
    return absl::StrCat("expected ", name, ", found nothing");
  }
  if (error.get_name() == "RequiresError" && Before(what, " requires ", &name, &rest)) {
    return absl::StrCat(name, ": expected together with ", rest, ", found alone");
  }
  if (Before(what, ": At Most 1 required but received ", &name, &rest)) {
    return absl::StrCat(name, ": expected once, found ", rest, " times");
  }
  if (error.get_name() == "ArgumentMismatch" && Before(what, ": ", &name, &rest)) {
    return absl::StrCat(name, ": expected a value, found none");
  }
  if (absl::ConsumePrefix(&what, "Could not convert: ") && Before(what, " = ", &name, &rest)) {
    return absl::StrCat(name, ": expected a value of its kind, found '", rest, "'");
  }
  if (Before(what, ": Should be true/false or a number", &name, &rest)) {
    return absl::StrCat(name, ": expected no value, found one");
  }
  return std::string(what);
}

absl::Status ParseError(const CLI::ParseError& error, CLI::App* program) {
  const std::vector<std::string> rest = program->remaining(true);
  if (!rest.empty()) {
    return UsageError(absl::StrCat("expected ",
                                   Asked(program) == program ? "a subcommand" : "an option",
                                   ", found '", rest[0], "'", Suggestion(rest[0], program)));
  }
  return UsageError(InOurWords(error));
}

int Main(int argc, char** argv) {
  CommandRun run;
  CLI::App program("Looks at model parameters, and exchanges them between formats.", "leafstore");
  program.set_version_flag("--version", VersionText(), "Print the version and exit");
  program.footer(kProgramFooter);
  program.require_subcommand(1);
  for (const auto add : kCommands) add(&program, &run);
  // A file that grows over the limit is an error of the write, not the end of the program.
  std::signal(SIGXFSZ, SIG_IGN);
  TemporaryFiles::GuardAgainstCrashes(/*exit_code=*/1);
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() != 0) return Report(ParseError(error, &program));
    // --help, --version.
    std::ostringstream text;
    program.exit(error, text, text);
    Output out(stdout, ColorMode::kNever);
    out.Write(text.str());
    return Report(out.Finish());
  }
  return Report(run.function(), run.error_code);
}

}  // namespace
}  // namespace leafstore::tools

int main(int argc, char** argv) { return leafstore::tools::Main(argc, argv); }
