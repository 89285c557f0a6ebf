#include "leafstore/tools/commands/inspect.h"

#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/tools/commands/command.h"
#include "leafstore/tools/commands/inspect_json.h"
#include "leafstore/tools/commands/inspect_text.h"
#include "leafstore/tools/commands/match_check.h"
#include "leafstore/tools/commands/options.h"
#include "leafstore/tools/present/output.h"
#include "leafstore/tools/source/item_groups.h"
#include "leafstore/tools/source/item_summary.h"
#include "leafstore/tools/source/source.h"

namespace leafstore::tools {
namespace {

struct InspectOptions {
  SourceArguments source;
  ChoiceArguments choice;
  FormArguments form;
  std::optional<uint32_t> depth;
  bool stats = false;
};

constexpr char kExamples[] = R"(Examples:
  leafstore inspect run/step-100.leaf                       every leaf of every item
  leafstore inspect run                                     the newest checkpoint of a run
  leafstore inspect run --step best=accuracy --depth 2      a large model, rolled up
  leafstore inspect model.safetensors --match 'layers.0.**' --stats
  leafstore inspect run/step-100.leaf --group 'bias=**.bias' --group 'large=tensor and bytes:>1M'
  leafstore inspect run/step-100.leaf --json | jq '.items[].rows[] | select(.bytes > 1000000)'

JSON has one object with the fields schema, file, format, file_bytes, format_version, verified,
metadata, metrics, bases and items. docs/tool.md describes the rest; names do not change within one
value of schema.

Exit codes: 0 all is well; 1 something is wrong with the file, or the output could not be written;
2 usage (an unknown option or item, a filter that cannot be read).)";

absl::StatusOr<SummaryOptions> ParseOptions(const InspectOptions& options) {
  SummaryOptions parsed;
  LEAFSTORE_ASSIGN_OR_RETURN(parsed.rows.match, ParseMatch(options.choice.match));
  parsed.rows.depth = options.depth;
  LEAFSTORE_ASSIGN_OR_RETURN(parsed.groups, GroupFilters::Parse(options.choice.groups));
  parsed.stats = options.stats;
  return parsed;
}

absl::Status Inspect(const InspectOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(const SummaryOptions parsed, ParseOptions(options));
  LEAFSTORE_ASSIGN_OR_RETURN(const SourcePtr source, Open(options.source));
  const bool verified =
      options.stats && !options.source.no_verify && source->format() == SourceFormat::kLeaf;
  LEAFSTORE_ASSIGN_OR_RETURN(const auto chosen, ChooseItems(*source, options.choice));
  LEAFSTORE_RETURN_IF_ERROR(CheckMatch(chosen, parsed.rows.match));
  LEAFSTORE_RETURN_IF_ERROR(FileError(source->file(), CheckGroups(chosen, parsed.groups)));
  // All before the first line is printed: an error leaves no half of an answer.
  std::vector<ItemSummary> items;
  for (const SourceItem* item : chosen) {
    absl::StatusOr<ItemSummary> summary = Summarize(*item, parsed);
    if (!summary.ok()) return FileError(source->file(), summary.status());
    if (options.form.json) {
      LEAFSTORE_RETURN_IF_ERROR(FileError(source->file(), summary->rows.CheckPathText()));
    }
    items.push_back(*std::move(summary));
  }
  Output out(stdout, options.form.color);
  if (options.form.json) {
    LEAFSTORE_RETURN_IF_ERROR(FileError(source->file(), PrintJson(*source, items, verified, &out)));
  } else {
    PrintText(*source, items, verified, &out);
  }
  return out.Finish();
}

}  // namespace

void AddInspectCommand(CLI::App* program, CommandRun* run) {
  auto options = std::make_shared<InspectOptions>();
  CLI::App* command = program->add_subcommand(
      "inspect", "Lists the leaves: paths, dtypes, shapes, bytes, groups, numbers.");
  command->footer(
      absl::StrCat(kSourceHelp, "\n\n", kGlobHelp, "\n\n", kFilterHelp, "\n\n", kExamples));
  AddSource(command, &options->source);
  AddItem(command, &options->choice);
  AddMatch(command, &options->choice);
  AddGroup(command, &options->choice);
  AddDepth(command, &options->depth, "one row for all that is deeper than N keys");
  command->add_flag("--stats", options->stats,
                    "min, max, mean, std, L2, NaN and infinite numbers; reads the tensors");
  AddReading(command, &options->source);
  AddForm(command, &options->form);
  command->callback([=] { run->function = [options] { return Inspect(*options); }; });
}

}  // namespace leafstore::tools
