// leafstore: shows model parameters, and converts them between formats, from the command line.
#include <csignal>
#include <cstdio>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include <CLI/CLI.hpp>

#include "leafstore/checkpoint/internal/format.h"
#include "leafstore/tools/commands/command_words.h"
#include "leafstore/tools/commands/commands.h"
#include "leafstore/tools/commands/parse_errors.h"
#include "leafstore/tools/files/temporary_files.h"
#include "leafstore/tools/present/errors.h"
#include "leafstore/tools/present/output.h"

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

absl::Status Print(const std::string& text) {
  Output out(stdout, ColorMode::kNever);
  out.Write(text);
  return out.Finish();
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
  TemporaryFiles::GuardAgainstCrashes(/*exit_code=*/1);
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
