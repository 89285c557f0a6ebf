#include "leafstore/tools/inspect.h"

#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "leafstore/checkpoint/reader.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/store/glob.h"
#include "leafstore/tools/inspect_json.h"
#include "leafstore/tools/inspect_text.h"
#include "leafstore/tools/item_groups.h"
#include "leafstore/tools/item_summary.h"
#include "leafstore/tools/output.h"

namespace leafstore::tools {
namespace {

struct InspectOptions {
  std::string file;
  std::vector<std::string> items;
  std::vector<std::string> match;
  std::vector<std::string> groups;
  std::optional<uint32_t> depth;
  bool stats = false;
  bool no_verify = false;
  bool json = false;
  ColorMode color = ColorMode::kAuto;
};

constexpr char kInspectFooter[] =
    R"(A GLOB is matched key by key: `*` is one key, `**` none or more, `?` and `*` inside a key are
characters: 'layers.*.attn.**'. It lists the leaves that it matches, and those below what it matches.

A FILTER is a glob or an expression: dtype:f32, rank:2, 'bytes:>1M', kind:str, type:Linear,
tag:frozen, has:bias, static, tensor, leaf, all, re:REGEX, and, or, not, parentheses. A leaf goes
with its oldest ancestor that a filter matches; what no filter takes is the group `rest`.

Examples:
  leafstore inspect run/step-100.leaf                       every leaf of every item
  leafstore inspect run/step-100.leaf --depth 2             a large model, rolled up
  leafstore inspect run/step-100.leaf --match 'layers.0.**' --stats
  leafstore inspect run/step-100.leaf --group 'bias=**.bias' --group 'large=tensor and bytes:>1M'
  leafstore inspect run/step-100.leaf --json | jq '.items[].rows[] | select(.bytes > 1000000)'

JSON has one object with the fields schema, file, file_bytes, format_version, verified, metadata,
metrics, bases and items. docs/tool.md describes the rest; names do not change within one value of schema.

Exit codes: 0 all is well; 1 something is wrong with the file, or the output could not be written;
2 usage (an unknown option or item, a filter that cannot be read).)";

absl::StatusOr<SummaryOptions> ParseOptions(const InspectOptions& options) {
  SummaryOptions parsed;
  for (const std::string& text : options.match) {
    absl::StatusOr<GlobPattern> glob = GlobPattern::Parse(text);
    if (!glob.ok()) {
      return UsageError(absl::StrCat("--match '", text, "': ", glob.status().message()));
    }
    parsed.rows.match.push_back(*std::move(glob));
  }
  parsed.rows.depth = options.depth;
  LEAFSTORE_ASSIGN_OR_RETURN(parsed.groups, GroupFilters::Parse(options.groups));
  parsed.stats = options.stats;
  return parsed;
}

// The names of the items to show. error: a UsageError that names those there are.
absl::StatusOr<std::vector<std::string>> ChooseItems(const CheckpointReader& reader,
                                                     const std::vector<std::string>& asked) {
  if (asked.empty()) return reader.items();
  for (const std::string& name : asked) {
    const absl::StatusOr<CheckpointItemInfo> item = reader.item(name);
    if (!item.ok()) return UsageError(item.status().message());
  }
  return asked;
}

absl::Status Inspect(const InspectOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(const SummaryOptions parsed, ParseOptions(options));
  const bool verify = options.stats && !options.no_verify;
  LEAFSTORE_ASSIGN_OR_RETURN(const CheckpointReader reader,
                             OpenCheckpoint(options.file, {.verify = verify}));
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<std::string> names,
                             ChooseItems(reader, options.items));
  // All before the first line is printed: an error leaves no half of an answer.
  std::vector<ItemSummary> items;
  for (const std::string& name : names) {
    absl::StatusOr<ItemSummary> item = Summarize(reader, name, parsed);
    if (!item.ok()) return FileError(options.file, item.status());
    items.push_back(*std::move(item));
  }
  Output out(stdout, options.color);
  if (options.json) {
    LEAFSTORE_RETURN_IF_ERROR(FileError(options.file, PrintJson(reader, items, verify, &out)));
  } else {
    PrintText(reader, items, verify, &out);
  }
  return out.Finish();
}

void AddListingOptions(CLI::App* command, InspectOptions* options) {
  // Without extra args: each option takes one value, and what follows is the file.
  command->add_option("--item", options->items, "only this item; may be repeated")
      ->type_name("NAME")
      ->allow_extra_args(false);
  command->add_option("--match", options->match, "only leaves that a glob matches; may be repeated")
      ->type_name("GLOB")
      ->allow_extra_args(false);
  command
      ->add_option(
          "--group", options->groups,
          "a group of the leaves that a filter takes; may be repeated. Without: the groups "
          "that were saved")
      ->type_name("NAME=FILTER")
      ->allow_extra_args(false);
  command->add_option("--depth", options->depth, "one row for all that is deeper than N keys")
      ->type_name("N");
}

void AddOutputOptions(CLI::App* command, InspectOptions* options) {
  command->add_flag("--stats", options->stats,
                    "min, max, mean, std, L2, NaN and infinite numbers; reads the tensors");
  command->add_flag("--no-verify", options->no_verify,
                    "take statistics of tensors whose checksums are wrong, too");
  command->add_flag("--json", options->json, "everything, for programs");
  static const std::vector<std::pair<std::string, ColorMode>> modes = {
      {"auto", ColorMode::kAuto}, {"always", ColorMode::kAlways}, {"never", ColorMode::kNever}};
  command
      ->add_option("--color", options->color,
                   "auto (on a terminal, unless NO_COLOR is set), always or never")
      ->type_name("WHEN")
      ->transform(CLI::CheckedTransformer(modes).description(""));
}

}  // namespace

void AddInspectCommand(CLI::App* program, CommandRun* run) {
  auto options = std::make_shared<InspectOptions>();
  CLI::App* command = program->add_subcommand(
      "inspect",
      "Lists the leaves of a checkpoint: paths, dtypes, shapes, bytes, groups, numbers.");
  command->footer(kInspectFooter);
  command->add_option("FILE", options->file, "the checkpoint")->required()->type_name("");
  AddListingOptions(command, options.get());
  AddOutputOptions(command, options.get());
  command->callback([=] { *run = [options] { return Inspect(*options); }; });
}

}  // namespace leafstore::tools
