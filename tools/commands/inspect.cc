#include "leafstore/tools/commands/inspect.h"

#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>

#include "leafstore/core/status_macros.h"
#include "leafstore/tools/commands/commands.h"
#include "leafstore/tools/commands/input.h"
#include "leafstore/tools/commands/options.h"
#include "leafstore/tools/present/errors.h"

namespace leafstore::tools {
namespace {

struct InspectOptions {
  InputOptions input;
  std::optional<uint32_t> depth;
  bool stats = false;
};

constexpr char kInspectHelp[] = R"(Examples:
  leafstore inspect run/step-100.leaf                       every leaf of every item
  leafstore inspect run                                     the newest checkpoint of a run
  leafstore inspect run --step best=accuracy --depth 2      a large model, subtrees as one row
  leafstore inspect model.safetensors --match 'layers.0.**' --stats
  leafstore inspect run/step-100.leaf --group 'bias=**.bias' --group 'large=tensor and bytes:>1M'
  leafstore inspect run/step-100.leaf --json | jq '.items[].rows[] | select(.bytes > 1000000)'

The JSON is one object with the fields schema, file, format, file_bytes, format_version, verified,
metadata, metrics, bases and items. docs/tool.md describes the rest; names do not change within one
value of schema.

Exit codes: 0 success; 1 the file cannot be read, or the output cannot be written; 2 usage (an
unknown option or item, an invalid filter).)";

absl::Status Inspect(const InspectOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(const Input input, OpenInput(options.input));
  const Source& source = *input.source;
  const OutputForm& form = options.input.form;
  const bool verified =
      options.stats && !options.input.no_verify && source.format == SourceFormat::kLeaf;
  // Everything is summarized before the first line is printed: an error leaves no partial output.
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<ItemSummary> items,
                             Summarize(source, input.items,
                                       {.rows = {input.match, options.depth},
                                        .groups = input.groups,
                                        .path_text = form.json,
                                        .stats = options.stats}));
  Output out(stdout, form.color);
  if (form.json) {
    LEAFSTORE_RETURN_IF_ERROR(FileError(source.file, PrintJson(source, items, verified, &out)));
  } else {
    PrintText(source, items, verified, &out);
  }
  return out.Finish();
}

}  // namespace

void AddInspectCommand(CLI::App* program, CommandRun* run) {
  auto options = std::make_shared<InspectOptions>();
  CLI::App* command = program->add_subcommand(
      "inspect", "Lists the leaves: paths, dtypes, shapes, bytes, groups, statistics.");
  command->footer(HelpText(kHelpFile | kHelpGlob | kHelpFilter, kInspectHelp));
  AddFile(command, "FILE", &options->input.name);
  AddInput(command, {kStep, kItem, kMatch, kGroup}, &options->input);
  AddDepth(command, &options->depth, "print subtrees that are N keys deep as one row");
  command->add_flag("--stats", options->stats,
                    "min, max, mean, std, L2, NaN and infinity counts; reads the tensors");
  AddInput(command, {kReading, kForm}, &options->input);
  command->callback([=] { run->function = [options] { return Inspect(*options); }; });
}

}  // namespace leafstore::tools
