#include "leafstore/numeric/stats.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/tools/commands/command_words.h"
#include "leafstore/tools/commands/commands.h"
#include "leafstore/tools/commands/input.h"
#include "leafstore/tools/commands/options.h"
#include "leafstore/tools/present/errors.h"
#include "leafstore/tools/present/json.h"
#include "leafstore/tools/present/output.h"
#include "leafstore/tools/present/table.h"
#include "leafstore/tools/present/text.h"
#include "leafstore/tools/source/item_summary.h"
#include "leafstore/tools/source/source.h"

namespace leafstore::tools {
namespace {

struct StatsArguments {
  InputOptions input;
  std::optional<uint32_t> depth;
  int histogram = 0;
  std::string range;
  std::string sort = "path";
  std::optional<uint32_t> top;
};

constexpr char kStatsHelp[] = R"(Examples:
  leafstore stats model.safetensors                            each tensor, and all together
  leafstore stats run --item params --depth 2                  each subtree
  leafstore stats run --group 'bias=**.bias' --sort l2 --top 10
  leafstore stats run --histogram 16                           each tensor over its own range
  leafstore stats run --histogram 16 --range -1:1 --depth 1    subtrees and groups as well
  leafstore stats run --json | jq '.items[].rows[] | select(.nan > 0) | .dotted'

min, max, mean, std (of the population) and L2 are of the finite numbers; NaN and infinities are
counted apart. JSON has one object with the fields schema, file, format, ..., verified, items; of an
item: name, all, groups, rows; of each of these: count, min, max, mean, std, l2, nan, inf, zero, and
with --histogram histogram (lo, hi, bins, below, above).

Exit codes: 0 all is well; 1 something is wrong with the file, or the output could not be written;
2 usage.)";

// The keys by which rows can be sorted, the largest first.
struct SortKey {
  const char* name;
  double (*of)(const TensorStats&);
};
constexpr SortKey kSortKeys[] = {
    {"count", [](const TensorStats& stats) { return static_cast<double>(stats.count); }},
    {"min", [](const TensorStats& stats) { return stats.min; }},
    {"max", [](const TensorStats& stats) { return stats.max; }},
    {"mean", [](const TensorStats& stats) { return stats.mean; }},
    {"std", [](const TensorStats& stats) { return stats.stddev(); }},
    {"l2", [](const TensorStats& stats) { return stats.l2(); }},
    {"nan", [](const TensorStats& stats) { return static_cast<double>(stats.nan_count); }},
    {"inf", [](const TensorStats& stats) { return static_cast<double>(stats.inf_count); }},
    {"zero", [](const TensorStats& stats) { return static_cast<double>(stats.zero_count); }},
};

// Parses LO:HI; returns no value for "" and "all".
absl::StatusOr<std::optional<StatsOptions::Range>> ParseRange(const std::string& text) {
  if (text.empty() || text == "all") return std::nullopt;
  const std::vector<std::string> ends = absl::StrSplit(text, ':');
  StatsOptions::Range range = {};
  if (ends.size() != 2 || !absl::SimpleAtod(ends[0], &range.lo) ||
      !absl::SimpleAtod(ends[1], &range.hi) || !std::isfinite(range.lo) ||
      !std::isfinite(range.hi) || range.lo > range.hi) {
    return UsageError(absl::StrCat("--range: expected LO:HI or all, found '", text, "'"));
  }
  return range;
}

// Returns the indices of the rows to show, in order. Rows without tensors are skipped.
std::vector<size_t> RowsToShow(const ItemSummary& summary, const StatsArguments& options) {
  std::vector<std::pair<double, size_t>> rows;
  const auto* const key =
      std::find_if(std::begin(kSortKeys), std::end(kSortKeys),
                   [&options](const SortKey& one) { return options.sort == one.name; });
  for (size_t row = 0; row < summary.row_stats->size(); ++row) {
    const TensorStats& stats = (*summary.row_stats)[row];
    if (stats.tensors == 0) continue;
    rows.emplace_back(key == std::end(kSortKeys) ? 0 : key->of(stats), row);
  }
  // NaN is last.
  std::stable_sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) {
    return a.first > b.first || (std::isnan(b.first) && !std::isnan(a.first));
  });
  if (options.top && rows.size() > *options.top) rows.resize(*options.top);
  std::vector<size_t> shown;
  for (const auto& [value, row] : rows) shown.push_back(row);
  return shown;
}

void PrintItem(const ItemSummary& summary, const StatsArguments& options, Output* out) {
  const StatsDetail detail = options.histogram > 0 ? StatsDetail::kHistogram : StatsDetail::kFull;
  const std::vector<size_t> shown = RowsToShow(summary, options);
  out->Write(absl::StrCat("\n", out->Styled(Style::kBold, Printable(summary.item().name())), "\n"));
  Table table;
  table.Add({"PATH", Justify::kLeft, Shrink::kMiddle}, [&](size_t row) -> Cell {
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
  if (!summary.groups) return;
  const std::vector<GroupSummary>& all_groups = summary.group_summaries;
  Table groups;
  groups.Add({summary.groups->saved ? "GROUP (saved)" : "GROUP", Justify::kLeft, Shrink::kMiddle},
             [&](size_t row) -> Cell {
               const GroupSummary& group = all_groups[row];
               return {group.in_no_group ? "(none)" : Printable(group.name)};
             });
  AddStatsColumns(
      detail, [&](size_t row) -> const TensorStats& { return all_groups[row].stats; }, &groups);
  out->Write("\n");
  groups.Print(all_groups.size(), out);
}

absl::Status PrintAsJson(const Source& source, const std::vector<ItemSummary>& items,
                         const StatsArguments& options, Output* out) {
  Json head = SourceHead(source);
  head["verified"] = !options.input.no_verify && source.format == SourceFormat::kLeaf;
  JsonList list(head, "items", out);
  for (const ItemSummary& item : items) {
    Json item_head = {{"name", item.item().name()}, {"all", ToJson(item.all_stats)}};
    if (item.groups) item_head["groups"] = Json::array();
    for (const GroupSummary& group : item.group_summaries) {
      Json json = {{"name", NameToJson(group)}};
      json.update(ToJson(group.stats));
      item_head["groups"].push_back(std::move(json));
    }
    JsonList rows(item_head, "rows", &list);
    for (const size_t row : RowsToShow(item, options)) {
      const Row& found = item.rows.rows()[row];
      Json json;
      LEAFSTORE_ASSIGN_OR_RETURN(json["path"], item.rows.PathText(found));
      LEAFSTORE_ASSIGN_OR_RETURN(json["dotted"], item.rows.Dotted(found));
      json.update(ToJson((*item.row_stats)[row]));
      rows.Add(json);
    }
    rows.Close();
  }
  list.Close();
  return absl::OkStatus();
}

absl::Status Stats(const StatsArguments& options) {
  SummaryOptions summary;
  summary.stats = true;
  summary.stats_options.histogram_bins = options.histogram;
  LEAFSTORE_ASSIGN_OR_RETURN(summary.stats_options.histogram_range, ParseRange(options.range));
  summary.range_of_all = options.histogram > 0 && options.range == "all";
  LEAFSTORE_ASSIGN_OR_RETURN(Input input, OpenInput(options.input));
  const OutputForm& form = options.input.form;
  summary.rows = {input.match, options.depth};
  summary.groups = input.groups;
  summary.path_text = form.json;
  const Source& source = *input.source;
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<ItemSummary> items,
                             Summarize(source, input.items, summary));
  Output out(stdout, form.color);
  if (form.json) {
    LEAFSTORE_RETURN_IF_ERROR(FileError(source.file, PrintAsJson(source, items, options, &out)));
  } else {
    PrintTitle(source, &out);
    for (const ItemSummary& item : items) PrintItem(item, options, &out);
  }
  return out.Finish();
}

}  // namespace

void AddStatsCommand(CLI::App* program, CommandRun* run) {
  auto options = std::make_shared<StatsArguments>();
  CLI::App* command = program->add_subcommand(
      "stats", "Shows what the numbers are like: min, max, mean, std, L2, NaN, histograms.");
  command->footer(HelpText(kHelpFile | kHelpGlob | kHelpFilter, kStatsHelp));
  AddFile(command, "FILE", &options->input.name);
  AddInput(command, {kStep, kItem, kMatch, kGroup}, &options->input);
  AddDepth(command, &options->depth, "print subtrees that are N keys deep as one row");
  CLI::Option* const histogram =
      command->add_option("--histogram", options->histogram, "with a histogram of so many bins")
          ->type_name("BINS")
          ->check(WholeNumber(1, 1000));
  command
      ->add_option("--range", options->range,
                   "of the histograms: LO:HI, or all: that of all numbers listed. Without: each "
                   "tensor's own")
      ->type_name("RANGE")
      ->needs(histogram);
  std::vector<std::string> keys = {"path"};
  for (const SortKey& key : kSortKeys) keys.emplace_back(key.name);
  WithChoices(
      command->add_option("--sort", options->sort, "rows by this, the largest first; or path"),
      keys)
      ->type_name("KEY")
      ->check(OneOf(keys));
  command->add_option("--top", options->top, "only the first N rows")
      ->type_name("N")
      ->check(WholeNumber(0, std::numeric_limits<uint32_t>::max()));
  AddInput(command, {kReading, kForm}, &options->input);
  command->callback([=] { run->function = [options] { return Stats(*options); }; });
}

}  // namespace leafstore::tools
