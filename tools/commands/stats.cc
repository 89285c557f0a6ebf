#include <algorithm>
#include <cmath>
#include <iterator>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"

#include "leafstore/tools/commands/commands.h"
#include "leafstore/tools/source/item_summary.h"

namespace leafstore::tools {
namespace {

constexpr char kByPath[] = "path";

struct StatsArguments : InputOptions {
  int histogram = 0;
  std::string range;
  std::string sort = kByPath;
  std::optional<uint32_t> top;
};

constexpr char kStatsHelp[] = R"(Examples:
  leafstore stats model.safetensors                            each tensor, and all together
  leafstore stats run --item params --depth 2                  each subtree
  leafstore stats run --group 'bias=**.bias' --sort l2 --top 10
  leafstore stats run --histogram 16                           each tensor over its own range
  leafstore stats run --histogram 16 --range -1:1 --depth 1    subtrees and groups as well
  leafstore stats run --json | jq '.items[].rows[] | select(.nan > 0) | .dotted'

min, max, mean, std (of the population) and L2 cover the finite elements; NaN and infinities are
counted separately. The JSON is one object with the fields schema, file, format, ..., verified,
items; an item has name, all, groups, rows; the last three have count, min, max, mean, std, l2, nan,
inf, zero, and with --histogram also histogram (lo, hi, bins, below, above).

Exit codes: 0 success; 1 the file cannot be read, or the output cannot be written; 2 usage.)";

// Parses LO:HI; returns no value for "" and "all".
absl::StatusOr<std::optional<StatsOptions::Range>> ParseRange(const std::string& text) {
  if (text.empty() || text == "all") return std::nullopt;
  const std::vector<std::string> ends = absl::StrSplit(text, ':');
  StatsOptions::Range range = {};
  if (ends.size() != 2 || !absl::SimpleAtod(ends[0], &range.lo) ||
      !absl::SimpleAtod(ends[1], &range.hi) || !std::isfinite(range.lo) ||
      !std::isfinite(range.hi) || range.lo > range.hi) {
    return UsageError("--range: expected LO:HI or all, found '", text, "'");
  }
  return range;
}

// Returns the indices of the rows to show, in order. Rows without tensors are skipped.
std::vector<size_t> RowsToShow(const ItemSummary& summary, const StatsArguments& options) {
  const StatField* const key =  // the end: by path
      std::find_if(std::begin(kStatFields), std::end(kStatFields),
                   [&options](const StatField& field) { return field.name == options.sort; });
  std::vector<size_t> rows;
  for (size_t row = 0; row < summary.row_stats->size(); ++row) {
    if ((*summary.row_stats)[row].tensors > 0) rows.push_back(row);
  }
  if (key != std::end(kStatFields)) {
    std::stable_sort(rows.begin(), rows.end(), [&summary, key](size_t a, size_t b) {
      const double x = key->of((*summary.row_stats)[a]);
      const double y = key->of((*summary.row_stats)[b]);
      return x > y || (std::isnan(y) && !std::isnan(x));  // NaN is last
    });
  }
  if (options.top && rows.size() > *options.top) rows.resize(*options.top);
  return rows;
}

void PrintItem(const ItemSummary& summary, const StatsArguments& options, Output* out) {
  const StatsDetail detail = options.histogram > 0 ? StatsDetail::kHistogram : StatsDetail::kFull;
  const std::vector<size_t> shown = RowsToShow(summary, options);
  out->Write("\n", out->Styled(Style::kBold, Printable(summary.item().name)), "\n");
  Table table;
  table.Add("PATH", Fit::kCutMiddle, [&](size_t row) -> Cell {
    if (row == shown.size()) return {"(all)", Style::kBold};
    const Row& found = summary.rows.rows()[shown[row]];
    return {summary.rows.PrintablePath(found),
            found.kind == Row::kSubtree ? Style::kBold : Style::kPlain};
  });
  AddStatsColumns(
      detail,
      [&](size_t row) -> const TensorStats& {
        return row == shown.size() ? summary.all_stats : (*summary.row_stats)[shown[row]];
      },
      &table);
  table.Print(shown.size() + 1, out);
  if (!summary.grouping) return;
  Table groups;
  groups.Add(summary.groups_saved ? "GROUP (saved)" : "GROUP", Fit::kCutMiddle, [&](size_t row) {
    const std::optional<std::string>& name = summary.groups[row].name;
    return Cell{name ? Printable(*name) : "(none)"};
  });
  AddStatsColumns(
      detail, [&](size_t row) -> const TensorStats& { return summary.groups[row].stats; }, &groups);
  out->Write("\n");
  groups.Print(summary.groups.size(), out);
}

Json HeadWithStats(const ItemSummary& item) {
  Json json = {{"name", item.item().name}, {"all", ToJson(item.all_stats)}};
  if (item.grouping) json["groups"] = Json::array();
  for (const GroupSummary& group : item.groups) {
    Json fields = {{"name", ToJson(group.name)}};
    fields.update(ToJson(group.stats));
    json["groups"].push_back(std::move(fields));
  }
  return json;
}

absl::StatusOr<Json> StatsRowToJson(const ItemSummary& item, size_t row) {
  Json json;
  LEAFSTORE_ASSIGN_OR_RETURN(json["path"], item.rows.PathText(item.rows.rows()[row]));
  LEAFSTORE_ASSIGN_OR_RETURN(json["dotted"], item.rows.Dotted(item.rows.rows()[row]));
  json.update(ToJson((*item.row_stats)[row]));
  return json;
}

absl::Status Stats(const StatsArguments& options) {
  SummaryOptions summary;
  summary.stats = true;
  summary.stats_options.histogram_bins = options.histogram;
  LEAFSTORE_ASSIGN_OR_RETURN(summary.stats_options.histogram_range, ParseRange(options.range));
  summary.range_of_all = options.histogram > 0 && options.range == "all";
  LEAFSTORE_ASSIGN_OR_RETURN(const Input input, OpenInput(options));
  summary.rows = {input.match, options.depth, /*containers=*/false, options.order};
  summary.groups = input.groups;
  summary.path_text = options.form.json;
  const Source& source = *input.source;
  LEAFSTORE_ASSIGN_OR_RETURN(const auto items, Summarize(source, input.items, summary));
  const auto print_text = [&](Output* out) {
    PrintTitle(source, out);
    for (const ItemSummary& item : items) PrintItem(item, options, out);
  };
  const auto print_item = [&](const ItemSummary& item, JsonList* list) -> absl::Status {
    JsonList rows(HeadWithStats(item), "rows", list);
    for (const size_t row : RowsToShow(item, options)) {
      LEAFSTORE_ASSIGN_OR_RETURN(const Json json,
                                 FileError(source.file, StatsRowToJson(item, row)));
      rows.Add(json);
    }
    return absl::OkStatus();
  };
  Json head = SourceHead(source);
  head["verified"] = options.verify && source.format == SourceFormat::kLeaf;
  return PrintAnswer(options.form, head, items, print_text, print_item);
}

}  // namespace

void AddStatsCommand(CLI::App* program, CommandRun* run) {
  const auto [command, options] =
      AddCommand(program, run, "stats",
                 "Shows statistics of the elements: min, max, mean, std, L2, NaN, histograms.",
                 kHelpFile | kHelpGlob | kHelpFilter, kStatsHelp, Stats);
  AddFile(command, "FILE", &options->name);
  AddInput(command, {kStep, kItem, kMatch, kGroup, kDepth}, options);
  CLI::Option* const histogram = AddValue(command, "--histogram", &options->histogram, "BINS",
                                          "add a histogram with this many bins")
                                     ->check(WholeNumber(1, 1000));
  AddValue(
      command, "--range", &options->range, "RANGE",
      "the range of the histograms: LO:HI, or all (that of all listed elements); default: each "
      "tensor's own")
      ->needs(histogram);
  std::vector<std::string> keys = {kByPath};
  for (const StatField& field : kStatFields) keys.emplace_back(field.name);
  OneOf(AddValue(command, "--sort", &options->sort, "KEY",
                 "sort rows by this, the largest first, or by path"),
        keys);
  AddValue(command, "--top", &options->top, "N", "only the first N rows")->check(WholeNumber(0));
  AddInput(command, {kOrder, kReading, kForm}, options);
}

}  // namespace leafstore::tools
