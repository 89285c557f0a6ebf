#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/types/span.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/io/internal/atomic_file.h"
#include "leafstore/tools/commands/commands.h"
#include "leafstore/tools/commands/input.h"
#include "leafstore/tools/commands/options.h"
#include "leafstore/tools/files/output_files.h"
#include "leafstore/tools/present/errors.h"
#include "leafstore/tools/present/output.h"
#include "leafstore/tools/present/text.h"
#include "leafstore/tools/report/report_build.h"
#include "leafstore/tools/report/report_page.h"
#include "leafstore/tools/source/source.h"

namespace leafstore::tools {
namespace {

struct ReportOptions {
  InputOptions input;
  std::string second;
  std::string out;
  std::string title;
  size_t steps = 40;
  bool force = false;
};

constexpr char kReportHelp[] =
    R"(The page is one file and loads nothing from a network. With two files it shows what changed and by how
much; with a managed directory the norms over its steps.

Examples:
  leafstore report model.safetensors                         model.safetensors.html
  leafstore report run/step-100.leaf -o report.html --group 'bias=**.bias'
  leafstore report run@100 run@200 -o change.html            what changed between two steps
  leafstore report run -o run.html --steps 100               norms over the steps of a run
  leafstore report model.leaf --json | jq '.items[].totals'  only the data

docs/report.md describes the page and the JSON.

Exit codes: 0 success; 1 a file cannot be read, or the page cannot be written; 2 usage.)";

// Returns the default file of the page, in this directory.
std::string DefaultOutput(const ReportOptions& options) {
  const auto base = [](absl::string_view name) {
    while (name.size() > 1 && absl::ConsumeSuffix(&name, "/")) {
    }
    const std::string file = FileNameOf(name);
    return file.empty() || file == "." || file == ".." || file == "/" ? std::string("report")
                                                                      : file;
  };
  if (options.second.empty()) return absl::StrCat(base(options.input.name), ".html");
  return absl::StrCat(base(options.input.name), "-", base(options.second), ".html");
}

// Returns "model.leaf" or "run, step 100".
std::string NameOf(const ReportFile& file) {
  if (!file.step) return FileNameOf(file.name);
  const std::string directory = FileNameOf(DirectoryOf(file.name));
  return absl::StrCat(directory == "." ? "" : absl::StrCat(directory, ", "), "step ", *file.step);
}

std::string TitleOf(const ReportOptions& options, const ReportData& data) {
  if (!options.title.empty()) return options.title;
  if (data.mode == ReportMode::kSteps) return FileNameOf(DirectoryOf(data.files[0].name));
  if (data.mode == ReportMode::kModel) return NameOf(data.files[0]);
  return absl::StrCat(NameOf(data.files[0]), " and ", NameOf(data.files[1]));
}

absl::StatusOr<ReportRequest> ParseRequest(const ReportOptions& options) {
  ReportRequest request;
  request.items = options.input.items;
  LEAFSTORE_ASSIGN_OR_RETURN(request.match, ParseMatch(options.input.match));
  LEAFSTORE_ASSIGN_OR_RETURN(request.groups, GroupFilters::Parse(options.input.groups));
  request.verify = !options.input.no_verify;
  request.threads = options.input.threads;
  return request;
}

// Builds the data, including notes about omissions, which the page shows.
absl::StatusOr<ReportData> BuildData(const ReportOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(const ReportRequest request, ParseRequest(options));
  LEAFSTORE_ASSIGN_OR_RETURN(const SourcePtr source, Open(options.input));
  if (!options.second.empty()) {
    InputOptions second = options.input;
    second.name = options.second;
    LEAFSTORE_ASSIGN_OR_RETURN(const SourcePtr after, Open(second));
    return ReportOfChange(*source, *after, request);
  }
  // DIRECTORY@STEP names a single checkpoint.
  std::error_code ignored;
  if (options.input.step.empty() && std::filesystem::is_directory(options.input.name, ignored)) {
    LEAFSTORE_ASSIGN_OR_RETURN(const std::optional<std::vector<StepOfDirectory>> steps,
                               StepsOfDirectory(options.input.name));
    if (steps) {
      const std::vector<StepOfDirectory> shown = ThinSteps(*steps, options.steps);
      absl::StatusOr<ReportData> data = ReportOfSteps(*source, shown, request);
      if (data.ok() && shown.size() < steps->size()) {
        data->notes.push_back(absl::StrCat("The directory has ", steps->size(), " steps, of which ",
                                           shown.size(), ", evenly spread, are shown (--steps)."));
      }
      return data;
    }
  }
  return ReportOfModel(*source, request);
}

// Writes the complete text, or nothing.
absl::Status WriteFile(const std::string& path, absl::string_view text, OutputFiles* files) {
  LEAFSTORE_ASSIGN_OR_RETURN(internal::AtomicFile file,
                             internal::AtomicFile::Create(path, {.file_system = files}));
  LEAFSTORE_RETURN_IF_ERROR(file.stream().Append(
      absl::MakeConstSpan(reinterpret_cast<const std::byte*>(text.data()), text.size())));
  LEAFSTORE_RETURN_IF_ERROR(file.Close());
  LEAFSTORE_RETURN_IF_ERROR(file.Commit());
  return files->Commit();
}

absl::Status Print(absl::string_view text) {
  Output out(stdout, ColorMode::kNever);
  out.Write(text);
  return out.Finish();
}

absl::Status RunReport(const ReportOptions& options) {
  if (!options.second.empty() && !options.input.step.empty()) {
    return UsageError("--step: expected one file, found two; name a step as DIRECTORY@STEP");
  }
  std::string path = options.out;
  if (path.empty()) path = options.input.form.json ? "-" : DefaultOutput(options);
  OutputFiles files(options.force);
  if (path != "-") LEAFSTORE_RETURN_IF_ERROR(files.CheckFree(path));
  LEAFSTORE_ASSIGN_OR_RETURN(ReportData data, BuildData(options));
  data.title = TitleOf(options, data);
  std::string text = ReportJson(data);
  if (options.input.form.json) {
    text += '\n';
  } else {
    text = ReportPage(data.title, text);
  }
  if (path == "-") return Print(text);
  LEAFSTORE_RETURN_IF_ERROR(FileError(path, WriteFile(path, text, &files)));
  if (options.out.empty()) return Print(absl::StrCat(Printable(path), "\n"));
  return absl::OkStatus();
}

}  // namespace

void AddReportCommand(CLI::App* program, CommandRun* run) {
  auto options = std::make_shared<ReportOptions>();
  CLI::App* command = program->add_subcommand(
      "report", "Writes an HTML page: what a model has, what changed, how a run went.");
  command->footer(HelpText(kHelpFile | kHelpGlob | kHelpFilter, kReportHelp));
  AddFile(command, "FILE", &options->input.name);
  AddInput(command, {kStep}, &options->input);
  command->add_option("SECOND", options->second, "another file, to compare with the first")
      ->type_name("");
  command
      ->add_option(
          "-o,--output", options->out,
          "the page; - is standard output. Default: FILE's name and .html, in this directory")
      ->type_name("FILE");
  AddInput(command, {kItem, kMatch, kGroup}, &options->input);
  command->add_option("--title", options->title, "the title of the page")->type_name("TEXT");
  command
      ->add_option("--steps", options->steps,
                   "show at most N steps of a directory, evenly spread (default: 40)")
      ->type_name("N")
      ->check(WholeNumber(2, 10000));
  AddInput(command, {kReading}, &options->input);
  command->add_flag("--force", options->force, "replace an existing file");
  command->add_flag("--json", options->input.form.json,
                    "write only the data, to standard output unless -o is given");
  command->callback([=] { run->function = [options] { return RunReport(*options); }; });
}

}  // namespace leafstore::tools
