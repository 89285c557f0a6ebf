// The subcommand `report`: builds the data from its sources, and writes the page.
#include <algorithm>
#include <filesystem>
#include <system_error>

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

// Returns "model.leaf" or "run, step 100".
std::string NameOf(const Source& source) {
  if (!source.step) return FileNameOf(source.file);
  const std::string directory = FileNameOf(DirectoryOf(source.file));
  return absl::StrCat(directory == "." ? "" : absl::StrCat(directory, ", "), "step ", *source.step);
}

// Returns the names of the items to show: the requested ones, or all of the last source, then those
// that only an earlier source has. error: a UsageError with suggestions.
absl::StatusOr<std::vector<std::string>> ItemNames(const std::vector<const Source*>& sources,
                                                   const ReportRequest& request) {
  std::vector<std::string> names;
  for (const std::string& name : request.items) {
    const bool found = std::any_of(sources.begin(), sources.end(), [&name](const Source* source) {
      return source->FindItem(name) != nullptr;
    });
    if (!found) return sources.back()->item(name).status();
    names.push_back(name);
  }
  if (!request.items.empty()) return names;
  for (auto source = sources.rbegin(); source != sources.rend(); ++source) {
    for (const auto& item : (*source)->items) {
      if (std::find(names.begin(), names.end(), item->name()) == names.end()) {
        names.push_back(item->name());
      }
    }
  }
  return names;
}

// Lists the leaves of the items.
absl::StatusOr<std::vector<ReportItem>> ListItems(const std::vector<const Source*>& sources,
                                                  const ReportRequest& request) {
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<std::string> names, ItemNames(sources, request));
  std::vector<ReportItem> items;
  SourceItems chosen;
  for (const std::string& name : names) {
    SourceItems sides;
    for (const Source* source : sources) {
      sides.push_back(source->FindItem(name));
      if (sides.back() != nullptr) chosen.push_back(sides.back());
    }
    LEAFSTORE_ASSIGN_OR_RETURN(ReportItem item, ReportItem::Create(request, std::move(sides)));
    items.push_back(std::move(item));
  }
  LEAFSTORE_RETURN_IF_ERROR(CheckMatch(chosen, request.match));
  LEAFSTORE_RETURN_IF_ERROR(CheckGroups(chosen, request.groups));
  return items;
}

// Adds steps of a directory to all items, and the fields for steps to `json`. Reads the steps one by
// one: besides the newest at most two are open. A step that cannot be read is listed as skipped.
// Returns the others. error: one that does not concern a single step (no memory, too many open
// files).
absl::StatusOr<std::vector<int64_t>> AddSteps(const std::map<int64_t, std::string>& steps,
                                              const ReportRequest& request,
                                              std::vector<ReportItem>* items, Progress* progress,
                                              Json* json) {
  std::vector<int64_t> added;
  std::vector<Metrics> metrics;
  Json skipped = Json::array();
  // The last step that was added: its items, and their source.
  std::vector<ReportItem::Step> before(items->size());
  SourcePtr open;
  for (const auto& [step, file] : steps) {
    SourcePtr source;
    std::vector<ReportItem::Step> now;
    const auto read = [&, &file = file]() -> absl::Status {
      LEAFSTORE_ASSIGN_OR_RETURN(
          source,
          OpenSource({.name = file, .io = {.threads = request.threads}, .verify = request.verify}));
      for (size_t i = 0; i < items->size(); ++i) {
        const ReportItem& item = (*items)[i];
        LEAFSTORE_ASSIGN_OR_RETURN(
            now.emplace_back(), item.ReadStep(source->FindItem(item.name()), before[i], progress));
      }
      return absl::OkStatus();
    };
    const absl::Status status = read();
    if (absl::IsDataLoss(status) || absl::IsNotFound(status) || absl::IsUnimplemented(status) ||
        absl::IsInvalidArgument(status) || absl::IsPermissionDenied(status)) {
      skipped.push_back({{"step", step}, {"why", PageText(status.message())}});
      continue;
    }
    LEAFSTORE_RETURN_IF_ERROR(status);
    for (size_t i = 0; i < items->size(); ++i) (*items)[i].AddStep(now[i]);
    added.push_back(step);
    metrics.push_back(source->metrics);
    before = std::move(now);
    open = std::move(source);  // closes the previous one
  }
  (*json)["steps"] = added;
  (*json)["metrics"] = MetricsByStep(metrics);
  (*json)["skipped"] = std::move(skipped);
  return added;
}

// Builds the data of one file, of two, or (if `steps` is not empty) of a directory, whose last step
// is `sources[0]`. Items of two files are paired by name. error: those of reading, with the name of
// the file; a UsageError: no such item, or no matching leaf. O(bytes) of the leaves shown.
absl::StatusOr<Json> BuildReport(const std::vector<const Source*>& sources,
                                 const std::map<int64_t, std::string>& steps,
                                 const ReportRequest& request, Json json) {
  LEAFSTORE_ASSIGN_OR_RETURN(std::vector<ReportItem> items, ListItems(sources, request));
  json["files"] = Json::array();
  for (const Source* source : sources) json["files"].push_back(PageJson(*source));
  int64_t bytes = 0;
  for (const ReportItem& item : items) bytes += item.bytes_to_read();
  Progress progress("reading", bytes * (static_cast<int64_t>(steps.size()) + 1));
  for (ReportItem& item : items) LEAFSTORE_RETURN_IF_ERROR(item.Read(&progress));
  std::vector<int64_t> added;
  if (!steps.empty()) {
    LEAFSTORE_ASSIGN_OR_RETURN(added, AddSteps(steps, request, &items, &progress, &json));
  }
  json["items"] = Json::array();
  for (const ReportItem& item : items) {
    json["items"].push_back(item.ToJson(steps.empty() ? nullptr : &added));
  }
  return json;
}

// Returns at most `most` (at least 2) steps, evenly spread, including the first and the last.
std::map<int64_t, std::string> ThinSteps(const std::map<int64_t, std::string>& steps, size_t most) {
  if (steps.size() <= most) return steps;
  const std::vector<std::pair<int64_t, std::string>> all(steps.begin(), steps.end());
  std::map<int64_t, std::string> kept;
  for (size_t i = 0; i < most; ++i) kept.insert(all[i * (all.size() - 1) / (most - 1)]);
  return kept;
}

// Opens the sources and builds the data, including notes about omissions, which the page shows.
absl::StatusOr<Json> BuildData(const ReportOptions& options) {
  ReportRequest request;
  request.items = options.input.items;
  LEAFSTORE_ASSIGN_OR_RETURN(request.match, ParseMatch(options.input.match));
  LEAFSTORE_ASSIGN_OR_RETURN(request.groups, ParseGroups(options.input.groups));
  request.verify = !options.input.no_verify;
  request.threads = options.input.threads;

  LEAFSTORE_ASSIGN_OR_RETURN(const SourcePtr source, Open(options.input));
  std::vector<const Source*> sources = {source.get()};
  SourcePtr after;
  std::map<int64_t, std::string> steps;
  std::error_code ignored;
  Json notes = Json::array();
  std::string mode = "model";
  std::string title = NameOf(*source);
  if (!options.second.empty()) {
    InputOptions second = options.input;
    second.name = options.second;
    LEAFSTORE_ASSIGN_OR_RETURN(after, Open(second));
    sources.push_back(after.get());
    mode = "compare";
    title = absl::StrCat(title, " and ", NameOf(*after));
  } else if (options.input.step.empty() &&  // DIRECTORY@STEP names a single checkpoint
             std::filesystem::is_directory(options.input.name, ignored)) {
    LEAFSTORE_ASSIGN_OR_RETURN(const auto all, StepsOfDirectory(options.input.name));
    steps = ThinSteps(all, options.steps);
    if (steps.size() < all.size()) {
      notes.push_back(absl::StrCat("The directory has ", all.size(), " steps, of which ",
                                   steps.size(), ", evenly spread, are shown (--steps)."));
    }
    if (!steps.empty()) {
      mode = "steps";
      title = FileNameOf(DirectoryOf(source->file));
    }
  }
  const bool verified =
      request.verify && std::all_of(sources.begin(), sources.end(),
                                    [](const Source* one) { return one->has_checksums(); });
  return BuildReport(sources, steps, request,
                     {{"schema", kReportSchema},
                      {"mode", mode},
                      {"title", PageText(options.title.empty() ? title : options.title)},
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
  if (options.second.empty()) return absl::StrCat(base(options.input.name), ".html");
  return absl::StrCat(base(options.input.name), "-", base(options.second), ".html");
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

absl::Status RunReport(const ReportOptions& options) {
  if (!options.second.empty() && !options.input.step.empty()) {
    return UsageError("--step: expected one file, found two; name a step as DIRECTORY@STEP");
  }
  std::string path = options.out;
  if (path.empty()) path = options.input.form.json ? "-" : DefaultOutput(options);
  OutputFiles files(options.force);
  if (path != "-") LEAFSTORE_RETURN_IF_ERROR(files.CheckFree(path));

  LEAFSTORE_ASSIGN_OR_RETURN(const Json data, BuildData(options));
  std::string text = JsonText(data);
  if (options.input.form.json) {
    text += '\n';
  } else {
    text = ReportPage(data["title"].get<std::string>(), text);
  }
  if (path == "-") return Print(text);
  LEAFSTORE_RETURN_IF_ERROR(FileError(path, WriteFile(path, text, &files)));
  if (options.out.empty()) return Print(absl::StrCat(Printable(path), "\n"));
  return absl::OkStatus();
}

}  // namespace

void AddReportCommand(CLI::App* program, CommandRun* run) {
  const auto [command, options] =
      AddCommand(program, run, "report",
                 "Writes an HTML page: what a model has, what changed, how a run went.",
                 kHelpFile | kHelpGlob | kHelpFilter, kReportHelp, RunReport);
  AddFile(command, "FILE", &options->input.name);
  AddInput(command, {kStep}, &options->input);
  command->add_option("SECOND", options->second, "another file, to compare with the first")
      ->type_name("");
  AddValue(command, "-o,--output", &options->out, "FILE",
           "the page; - is standard output. Default: FILE's name and .html, in this directory");
  AddInput(command, {kItem, kMatch, kGroup}, &options->input);
  AddValue(command, "--title", &options->title, "TEXT", "the title of the page");
  AddValue(command, "--steps", &options->steps, "N",
           "show at most N steps of a directory, evenly spread (default: 40)")
      ->check(WholeNumber(2, 10000));
  AddInput(command, {kReading}, &options->input);
  command->add_flag("--force", options->force, "replace an existing file");
  command->add_flag("--json", options->input.form.json,
                    "write only the data, to standard output unless -o is given");
}

}  // namespace leafstore::tools
