// The subcommand `report`: builds the data from its sources, and writes the page.
#include <filesystem>
#include <set>
#include <system_error>

#include "absl/algorithm/container.h"
#include "absl/strings/strip.h"

#include "leafstore/io/file_system.h"
#include "leafstore/io/internal/atomic_file.h"
#include "leafstore/tools/commands/commands.h"
#include "leafstore/tools/files/output_files.h"
#include "leafstore/tools/report/report_data.h"
#include "leafstore/tools/report/report_item.h"
#include "leafstore/tools/report/report_page.h"

namespace leafstore::tools {
namespace {

struct ReportOptions : InputOptions {
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

// Returns "model.leaf" or "run, step 100".
std::string NameOf(const Source& source) {
  if (!source.step) return FileNameOf(source.file);
  const std::string directory = FileNameOf(DirectoryOf(source.file));
  return absl::StrCat(directory == "." ? "" : absl::StrCat(directory, ", "), "step ", *source.step);
}

// Lists the leaves of the items: the requested ones, or all of the last source, then those that
// only an earlier source has. Items of two files are paired by name. error: a UsageError with
// suggestions.
absl::StatusOr<std::vector<ReportItem>> ListItems(const std::vector<const Source*>& sources,
                                                  std::vector<std::string> names,
                                                  const Input& input) {
  if (names.empty()) {
    std::set<absl::string_view> known;
    for (auto source = sources.rbegin(); source != sources.rend(); ++source) {
      for (const SourceItem& item : (*source)->items) {
        if (known.insert(item.name).second) names.push_back(item.name);
      }
    }
  }
  std::vector<ReportItem> items;
  SourceItems chosen;
  for (const std::string& name : names) {
    SourceItems sides;
    for (const Source* source : sources) {
      sides.push_back(source->FindItem(name));
      if (sides.back() != nullptr) chosen.push_back(sides.back());
    }
    if (chosen.empty() || chosen.back()->name != name) return sources.back()->item(name).status();
    LEAFSTORE_ASSIGN_OR_RETURN(ReportItem item,
                               ListReportItem(std::move(sides), input.match, input.groups));
    items.push_back(std::move(item));
  }
  LEAFSTORE_RETURN_IF_ERROR(CheckMatch(chosen, input.match));
  LEAFSTORE_RETURN_IF_ERROR(CheckGroups(chosen, input.groups));
  return items;
}

// Returns whether an error concerns a single file, unlike no memory or too many open files.
bool IsOfFile(const absl::Status& status) {
  return absl::IsDataLoss(status) || absl::IsNotFound(status) || absl::IsUnimplemented(status) ||
         absl::IsInvalidArgument(status) || absl::IsPermissionDenied(status);
}

// Adds steps of a directory to all items, and the fields for steps to `json`. Reads the steps one
// by one: besides the newest at most two are open. A step that cannot be read is listed as skipped.
// error: one that does not concern a single step.
absl::Status AddSteps(const Steps& steps, const InputOptions& options,
                      std::vector<ReportItem>* items, Progress* progress, Json* json) {
  std::vector<int64_t> added;
  std::vector<Metrics> metrics;
  Json skipped = Json::array();
  // The last step that was added: the leaves of its items, and their source.
  std::vector<ItemPlaces> before(items->size());
  SourcePtr open;
  for (const auto& [step, file] : steps) {
    std::vector<ItemPlaces> now = before;
    const auto read = [&, &file = file]() -> absl::StatusOr<SourcePtr> {
      LEAFSTORE_ASSIGN_OR_RETURN(
          SourcePtr source,
          OpenSource(
              {.name = file, .io = {.threads = options.io.threads}, .verify = options.verify}));
      for (size_t i = 0; i < items->size(); ++i) {
        ReportItem& item = (*items)[i];
        LEAFSTORE_ASSIGN_OR_RETURN(now[i],
                                   AddStep(source->FindItem(item.main().name), std::move(now[i]),
                                           options.io.threads, progress, &item));
      }
      return source;
    };
    absl::StatusOr<SourcePtr> source = read();
    if (IsOfFile(source.status())) {
      for (ReportItem& item : *items) item.series.resize(added.size());
      skipped.push_back({{"step", step}, {"why", Printable(source.status().message())}});
      continue;
    }
    LEAFSTORE_RETURN_IF_ERROR(source.status());
    added.push_back(step);
    metrics.push_back((*source)->metrics);
    before = std::move(now);
    open = *std::move(source);  // closes the previous one
  }
  (*json)["steps"] = added;
  (*json)["metrics"] = MetricsByStep(metrics);
  (*json)["skipped"] = std::move(skipped);
  return absl::OkStatus();
}

// Adds the data of the items of one file, of two, or (if `steps` is not empty) of a directory,
// whose last step is `sources[0]`, to `json`. error: those of reading, with the name of the file; a
// UsageError: no such item, or no matching leaf. O(bytes) of the leaves shown.
absl::StatusOr<Json> BuildReport(const std::vector<const Source*>& sources, const Steps& steps,
                                 const InputOptions& options, const Input& input, Json json) {
  LEAFSTORE_ASSIGN_OR_RETURN(auto items, ListItems(sources, options.items, input));
  json["files"] = Json::array();
  for (const Source* source : sources) json["files"].push_back(ReportFileJson(*source));
  int64_t bytes = 0;
  for (const ReportItem& item : items) bytes += item.bytes_to_read();
  Progress progress("reading", bytes * (static_cast<int64_t>(steps.size()) + 1));
  for (ReportItem& item : items) {
    LEAFSTORE_RETURN_IF_ERROR(ReadReportItem(options.io.threads, &progress, &item));
  }
  if (!steps.empty()) {
    LEAFSTORE_RETURN_IF_ERROR(AddSteps(steps, options, &items, &progress, &json));
  }
  const Json added = steps.empty() ? Json(nullptr) : json["steps"];
  json["items"] = Json::array();
  for (const ReportItem& item : items) json["items"].push_back(ReportItemJson(item, added));
  return json;
}

// Returns the steps to show of a directory, evenly spread, including the first and the last; none
// for a file or a single checkpoint. Adds a note if some are left out.
absl::StatusOr<Steps> StepsToShow(const ReportOptions& options, Json* notes) {
  Steps kept;
  std::error_code ignored;
  if (!options.second.empty() || !options.step.empty() ||
      !std::filesystem::is_directory(options.name, ignored)) {
    return kept;
  }
  LEAFSTORE_ASSIGN_OR_RETURN(auto steps, StepsOfDirectory(options.name));
  if (steps.size() <= options.steps) return steps;
  const std::vector<std::pair<int64_t, std::string>> all(steps.begin(), steps.end());
  for (size_t i = 0; i < options.steps; ++i) {
    kept.insert(all[i * (all.size() - 1) / (options.steps - 1)]);
  }
  notes->push_back(absl::StrCat("The directory has ", all.size(), " steps, of which ", kept.size(),
                                ", evenly spread, are shown (--steps)."));
  return kept;
}

// Adds notes of what is unusual about a source, and of its unreadable leaves.
void AddNotesOf(const Source& source, Json* notes) {
  const std::string name = NameOf(source);
  for (const std::string& line : source.notes) {
    notes->push_back(Printable(absl::StrCat(name, ": ", line)));
  }
  for (const SourceItem& item : source.items) {
    if (item.unreadable.empty()) continue;
    const UnreadableLeaf& first = item.unreadable[0];
    notes->push_back(Printable(absl::StrCat(
        name, ": ", CountOf(static_cast<int64_t>(item.unreadable.size()), "leaf is", "leaves are"),
        " not readable and not shown, such as '", first.name, "' (", first.what, ")")));
  }
}

// Opens the sources and builds the data, including notes about omissions, which the page shows.
absl::StatusOr<Json> BuildData(const ReportOptions& options) {
  Input input;
  LEAFSTORE_ASSIGN_OR_RETURN(input.match, ParseMatch(options.match));
  LEAFSTORE_ASSIGN_OR_RETURN(input.groups, ParseGroups(options.groups));
  LEAFSTORE_ASSIGN_OR_RETURN(input.source, Open(options));
  std::vector<const Source*> sources = {input.source.get()};
  SourcePtr after;
  Json notes = Json::array();
  LEAFSTORE_ASSIGN_OR_RETURN(const auto steps, StepsToShow(options, &notes));
  std::string mode = "model";
  std::string title = NameOf(*input.source);
  if (!steps.empty()) {
    mode = "steps";
    title = FileNameOf(DirectoryOf(input.source->file));
  } else if (!options.second.empty()) {
    InputOptions second = options;
    second.name = options.second;
    LEAFSTORE_ASSIGN_OR_RETURN(after, Open(second));
    sources.push_back(after.get());
    mode = "compare";
    absl::StrAppend(&title, " and ", NameOf(*after));
  }
  for (const Source* source : sources) AddNotesOf(*source, &notes);
  const bool verified = options.verify && absl::c_all_of(sources, [](const Source* source) {
                          return source->has_checksums();
                        });
  return BuildReport(sources, steps, options, input,
                     {{"schema", kReportSchema},
                      {"mode", mode},
                      {"title", Printable(options.title.empty() ? title : options.title)},
                      {"verified", verified},
                      {"notes", notes}});
}

// Returns the default file of the page, in this directory.
std::string DefaultOutput(const ReportOptions& options) {
  const auto base = [](absl::string_view name) {
    while (name.size() > 1 && absl::ConsumeSuffix(&name, "/")) {
    }
    const std::string file = FileNameOf(name);
    return file.empty() || file == "." || file == ".." || file == "/" ? std::string("report")
                                                                      : file;
  };
  if (options.second.empty()) return absl::StrCat(base(options.name), ".html");
  return absl::StrCat(base(options.name), "-", base(options.second), ".html");
}

// Writes the complete text to a temporary file.
absl::Status WriteFile(const std::string& path, absl::string_view text, OutputFiles* files) {
  LEAFSTORE_ASSIGN_OR_RETURN(auto file, internal::AtomicFile::Create(path, {.file_system = files}));
  LEAFSTORE_RETURN_IF_ERROR(file.stream().Append(
      absl::MakeConstSpan(reinterpret_cast<const std::byte*>(text.data()), text.size())));
  LEAFSTORE_RETURN_IF_ERROR(file.Close());
  LEAFSTORE_RETURN_IF_ERROR(file.Commit());
  return files->Check();
}

absl::Status RunReport(const ReportOptions& options) {
  if (!options.second.empty() && !options.step.empty()) {
    return UsageError("--step: expected one file, found two; name a step as DIRECTORY@STEP");
  }
  std::string path = options.out;
  if (path.empty()) path = options.form.json ? "-" : DefaultOutput(options);
  OutputFiles files(options.force);
  if (path != "-") LEAFSTORE_RETURN_IF_ERROR(files.CheckFree(path));

  LEAFSTORE_ASSIGN_OR_RETURN(const Json data, BuildData(options));
  std::string text = JsonText(data);
  if (options.form.json) {
    text += '\n';
  } else {
    text = ReportPage(data["title"].get<std::string>(), text);
  }
  if (path == "-") return Print(text);
  LEAFSTORE_RETURN_IF_ERROR(FileError(path, WriteFile(path, text, &files)));
  if (options.out.empty()) {
    LEAFSTORE_RETURN_IF_ERROR(Print(absl::StrCat(Printable(path), "\n")));
  }
  return FileError(path, files.Commit());
}

}  // namespace

void AddReportCommand(CLI::App* program, CommandRun* run) {
  const auto [command, options] =
      AddCommand(program, run, "report",
                 "Writes an HTML page: what a model has, what changed, how a run went.",
                 kHelpFile | kHelpGlob | kHelpFilter, kReportHelp, RunReport);
  AddFile(command, "FILE", &options->name);
  AddInput(command, {kStep}, options);
  command->add_option("SECOND", options->second, "another file, to compare with the first")
      ->type_name("");
  AddValue(command, "-o,--output", &options->out, "FILE",
           "the page; - is standard output. Default: FILE.html in the current directory");
  AddInput(command, {kItem, kMatch, kGroup}, options);
  AddValue(command, "--title", &options->title, "TEXT", "the title of the page");
  AddValue(command, "--steps", &options->steps, "N",
           "show at most N steps of a directory, evenly spread (default: 40)")
      ->check(WholeNumber(2, 10000));
  AddInput(command, {kReading}, options);
  command->add_flag("--force", options->force, "replace an existing file");
  command->add_flag("--json", options->form.json,
                    "write only the data, to standard output unless -o is given");
}

}  // namespace leafstore::tools
