#include "leafstore/tools/commands/stats.h"

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
#include "leafstore/numeric/stats.h"
#include "leafstore/tools/commands/command_words.h"
#include "leafstore/tools/commands/match_check.h"
#include "leafstore/tools/commands/options.h"
#include "leafstore/tools/present/json.h"
#include "leafstore/tools/present/output.h"
#include "leafstore/tools/present/table.h"
#include "leafstore/tools/present/text.h"
#include "leafstore/tools/source/item_summary.h"
#include "leafstore/tools/source/source.h"

namespace leafstore::tools {
namespace {

struct StatsArguments {
  SourceArguments source;
  ChoiceArguments choice;
  std::optional<uint32_t> depth;
  int histogram = 0;
  std::string range;
  std::string sort = "path";
  std::optional<uint32_t> top;
  FormArguments form;
};

constexpr char kStatsFooter[] = R"(Examples:
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

// What rows may be sorted by. Everything but the path from the largest down.
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

// Empty, "all" (the range of all that is listed, which is read first), or LO:HI.
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

absl::StatusOr<ItemSummary> SummarizeItem(const SourceItem& item, SummaryOptions options,
                                          bool range_of_all) {
  if (range_of_all) {
    SummaryOptions first = options;
    first.stats_options.histogram_bins = 0;
    LEAFSTORE_ASSIGN_OR_RETURN(const ItemSummary summary, Summarize(item, first));
    const TensorStats all = summary.StatsOfAll();
    if (all.finite_count() > 0) {
      options.stats_options.histogram_range = StatsOptions::Range{all.min, all.max};
    }
  }
  return Summarize(item, options);
}

// The rows that have numbers, as they are to be shown.
std::vector<const Row*> RowsToShow(const ItemSummary& summary, const StatsArguments& options) {
  std::vector<std::pair<double, const Row*>> rows;
  const auto* const key =
      std::find_if(std::begin(kSortKeys), std::end(kSortKeys),
                   [&options](const SortKey& one) { return options.sort == one.name; });
  for (const Row& row : summary.rows.rows()) {
    const TensorStats stats = summary.StatsOf(row);
    if (stats.tensors == 0) continue;
    rows.emplace_back(key == std::end(kSortKeys) ? 0 : key->of(stats), &row);
  }
  // NaN last.
  std::stable_sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) {
    return a.first > b.first || (std::isnan(b.first) && !std::isnan(a.first));
  });
  if (options.top && rows.size() > *options.top) rows.resize(*options.top);
  std::vector<const Row*> shown;
  for (const auto& [value, row] : rows) shown.push_back(row);
  return shown;
}

// "▁▂▇█▃": a character a bin, as high as it is full beside the fullest.
std::string Bars(const std::optional<Histogram>& histogram) {
  if (!histogram || histogram->bins.empty()) return "";
  constexpr const char* kBars[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  const int64_t most = *std::max_element(histogram->bins.begin(), histogram->bins.end());
  std::string text = "|";
  for (const int64_t bin : histogram->bins) {
    const double part = most > 0 ? static_cast<double>(bin) / static_cast<double>(most) : 0;
    absl::StrAppend(&text, kBars[bin == 0 ? 0 : 1 + static_cast<int>(part * 7)]);
  }
  return text + "|";
}

std::vector<Column> Columns(const std::string& first, bool histogram) {
  std::vector<Column> columns = {{first, Align::kLeft, Shrink::kMiddle}};
  for (const char* title : {"COUNT", "MIN", "MAX", "MEAN", "STD", "L2", "ZERO", "NAN", "INF"}) {
    columns.push_back({title, Align::kRight});
  }
  if (histogram) columns.push_back({"HISTOGRAM"});
  return columns;
}

void Fill(const TensorStats& stats, std::vector<Cell>* cells) {
  size_t at = 1;
  (*cells)[at++].text = WithCommas(stats.count);
  const bool any = stats.finite_count() > 0;
  for (const double number : {stats.min, stats.max, stats.mean, stats.stddev(), stats.l2()}) {
    (*cells)[at++].text = any ? ShortNumber(number) : "-";
  }
  (*cells)[at++].text = WithCommas(stats.zero_count);
  for (const int64_t count : {stats.nan_count, stats.inf_count}) {
    (*cells)[at++] = {WithCommas(count), count > 0 ? Style::kRed : Style::kPlain};
  }
  if (cells->size() > at) (*cells)[at].text = Bars(stats.histogram);
}

void PrintItem(const ItemSummary& summary, const StatsArguments& options, Output* out) {
  const bool histogram = options.histogram > 0;
  const std::vector<const Row*> rows = RowsToShow(summary, options);
  out->Write(absl::StrCat("\n", out->Styled(Style::kBold, Printable(summary.item().name())), "\n"));
  Table(Columns("PATH", histogram))
      .Print(
          rows.size() + 1,
          [&](size_t row, std::vector<Cell>* cells) {
            if (row == rows.size()) {
              (*cells)[0] = {"(all)", Style::kBold};
              return Fill(summary.StatsOfAll(), cells);
            }
            (*cells)[0] = {summary.rows.PrintablePath(*rows[row]),
                           rows[row]->kind == Row::kSubtree ? Style::kBold : Style::kPlain};
            Fill(summary.StatsOf(*rows[row]), cells);
          },
          out);
  if (!summary.groups) return;
  out->Write("\n");
  Table(Columns(summary.groups->saved ? "GROUP (saved)" : "GROUP", histogram))
      .Print(
          summary.group_summaries.size(),
          [&summary](size_t row, std::vector<Cell>* cells) {
            const GroupSummary& group = summary.group_summaries[row];
            (*cells)[0].text = group.in_no_group ? "(none)" : Printable(group.name);
            Fill(group.stats, cells);
          },
          out);
}

absl::Status PrintItemAsJson(const ItemSummary& summary, const StatsArguments& options,
                             Output* out) {
  Json head = {{"name", summary.item().name()}, {"all", ToJson(summary.StatsOfAll())}};
  if (summary.groups) {
    Json groups = Json::array();
    for (const GroupSummary& group : summary.group_summaries) {
      Json json = {{"name", group.in_no_group ? Json(nullptr) : Json(group.name)}};
      json.update(ToJson(group.stats));
      groups.push_back(std::move(json));
    }
    head["groups"] = std::move(groups);
  }
  JsonList rows(head, "rows", out);
  for (const Row* row : RowsToShow(summary, options)) {
    Json json;
    LEAFSTORE_ASSIGN_OR_RETURN(json["path"], summary.rows.PathText(*row));
    LEAFSTORE_ASSIGN_OR_RETURN(json["dotted"], summary.rows.Dotted(*row));
    json.update(ToJson(summary.StatsOf(*row)));
    rows.Add(json);
  }
  rows.Close();
  return absl::OkStatus();
}

absl::Status PrintAsJson(const Source& source, const std::vector<ItemSummary>& items,
                         const StatsArguments& options, Output* out) {
  Json head = SourceHead(source);
  head["verified"] = !options.source.no_verify && source.format() == SourceFormat::kLeaf;
  JsonList list(head, "items", out);
  for (const ItemSummary& item : items) {
    list.Next();
    LEAFSTORE_RETURN_IF_ERROR(PrintItemAsJson(item, options, out));
  }
  list.Close();
  out->Write("\n");
  return absl::OkStatus();
}

absl::Status Stats(const StatsArguments& options) {
  SummaryOptions summary;
  LEAFSTORE_ASSIGN_OR_RETURN(summary.rows.match, ParseMatch(options.choice.match));
  summary.rows.depth = options.depth;
  LEAFSTORE_ASSIGN_OR_RETURN(summary.groups, GroupFilters::Parse(options.choice.groups));
  summary.stats = true;
  summary.stats_options.histogram_bins = options.histogram;
  LEAFSTORE_ASSIGN_OR_RETURN(summary.stats_options.histogram_range, ParseRange(options.range));
  LEAFSTORE_ASSIGN_OR_RETURN(const SourcePtr source, Open(options.source));
  LEAFSTORE_ASSIGN_OR_RETURN(const auto chosen, ChooseItems(*source, options.choice));
  LEAFSTORE_RETURN_IF_ERROR(CheckMatch(chosen, summary.rows.match));
  LEAFSTORE_RETURN_IF_ERROR(FileError(source->file(), CheckGroups(chosen, summary.groups)));
  std::vector<ItemSummary> items;
  for (const SourceItem* item : chosen) {
    absl::StatusOr<ItemSummary> one =
        SummarizeItem(*item, summary, options.histogram > 0 && options.range == "all");
    if (!one.ok()) return FileError(source->file(), one.status());
    if (options.form.json) {
      LEAFSTORE_RETURN_IF_ERROR(FileError(source->file(), one->rows.CheckPathText()));
    }
    items.push_back(*std::move(one));
  }
  Output out(stdout, options.form.color);
  if (options.form.json) {
    LEAFSTORE_RETURN_IF_ERROR(
        FileError(source->file(), PrintAsJson(*source, items, options, &out)));
  } else {
    out.Write(absl::StrCat(out.Styled(Style::kBold, Printable(source->file())), ": ",
                           source->description(), "\n"));
    for (const ItemSummary& item : items) PrintItem(item, options, &out);
  }
  return out.Finish();
}

}  // namespace

void AddStatsCommand(CLI::App* program, CommandRun* run) {
  auto options = std::make_shared<StatsArguments>();
  CLI::App* command = program->add_subcommand(
      "stats", "Shows what the numbers are like: min, max, mean, std, L2, NaN, histograms.");
  command->footer(
      absl::StrCat(kSourceHelp, "\n\n", kGlobHelp, "\n\n", kFilterHelp, "\n\n", kStatsFooter));
  AddSource(command, &options->source);
  AddItem(command, &options->choice);
  AddMatch(command, &options->choice);
  AddGroup(command, &options->choice);
  AddDepth(command, &options->depth, "one row for all that is deeper than N keys");
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
  AddReading(command, &options->source);
  AddForm(command, &options->form);
  command->callback([=] { run->function = [options] { return Stats(*options); }; });
}

}  // namespace leafstore::tools
