#include "leafstore/tools/present/table.h"

#include <algorithm>

#include "absl/strings/str_join.h"

#include "leafstore/core/dtype.h"
#include "leafstore/tools/present/text.h"

namespace leafstore::tools {
namespace {

// No column is cut to fewer columns of the terminal than this.
constexpr size_t kMinWidth = 12;

// Returns "|▁▂▇█▃|": a character per bin, relative to the fullest bin.
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

}  // namespace

// Returns the widths of the columns, which fit into `width` columns of a terminal where possible;
// 0: no limit.
std::vector<size_t> Table::Measure(size_t rows, size_t width) const {
  std::vector<size_t> widths;
  size_t total = kIndent + kGap * (columns_.size() - 1);
  for (const Column& column : columns_) {
    size_t widest = DisplayWidth(column.title);
    for (size_t row = 0; row < rows; ++row) {
      widest = std::max(widest, DisplayWidth(column.cell(row).text));
    }
    widths.push_back(widest);
    total += widest;
  }
  for (size_t c = widths.size(); width > 0 && c-- > 0 && total > width;) {
    const bool may_shrink = columns_[c].fit == Fit::kCutMiddle || columns_[c].fit == Fit::kCutEnd;
    if (!may_shrink || widths[c] <= kMinWidth) continue;
    const size_t cut = std::min(total - width, widths[c] - kMinWidth);
    widths[c] -= cut;
    total -= cut;
  }
  return widths;
}

template <typename CellOf>
void Table::PrintLine(const std::vector<size_t>& widths, const CellOf& cell_of, Output* out) const {
  std::string line(kIndent, ' ');
  size_t spaces = 0;  // before the next text, if any
  for (size_t c = 0; c < columns_.size(); ++c) {
    const Fit fit = columns_[c].fit;
    Cell cell = cell_of(columns_[c]);
    if (DisplayWidth(cell.text) > widths[c]) {
      const auto cut = fit == Fit::kCutMiddle ? CutMiddle : CutEnd;
      cell.text = cut(cell.text, widths[c]);
    }
    const size_t padding = widths[c] - DisplayWidth(cell.text);
    if (fit == Fit::kRight) spaces += padding;
    if (!cell.text.empty()) {
      absl::StrAppend(&line, std::string(spaces, ' '), out->Styled(cell.style, cell.text));
      spaces = 0;
    }
    spaces += kGap + (fit == Fit::kRight ? 0 : padding);
  }
  out->Write(line, "\n");
}

void Table::Print(size_t rows, Output* out) const {
  const std::vector<size_t> widths = Measure(rows, out->width());
  const auto title_of = [](const Column& column) { return Cell{column.title, Style::kBold}; };
  PrintLine(widths, title_of, out);
  for (size_t row = 0; row < rows && out->ok(); ++row) {
    const auto cell_of = [row](const Column& column) { return column.cell(row); };
    PrintLine(widths, cell_of, out);
  }
}

Cell DTypeCell(const ItemRows& rows, const Row& row) {
  if (row.kind == Row::kAlias) return {"alias", Style::kDim};
  const std::optional<EntryInfo> entry = rows.EntryOf(row);
  if (!entry) return {};
  if (entry->value == nullptr) return {std::string(DTypeName(entry->spec.dtype())), Style::kCyan};
  return {std::string(ValueKindName(entry->value->kind())), Style::kDim};
}

Cell ShapeCell(const ItemRows& rows, const Row& row) {
  const std::optional<EntryInfo> entry = rows.EntryOf(row);
  if (!entry || entry->value != nullptr) return {};
  return {ShapeToString(entry->spec.shape())};
}

Cell BytesCell(const ItemRows& rows, const Row& row) {
  if (row.kind == Row::kSubtree) {
    if (!IsContainer(rows.def()->kind(row.node))) return {};  // None
    return {HumanBytes(rows.TotalsOf(row).bytes)};
  }
  const std::optional<EntryInfo> entry = rows.EntryOf(row);
  if (!entry || entry->value != nullptr) return {};
  return {HumanBytes(entry->spec.byte_size())};
}

Cell NoteCell(const ItemRows& rows, const Row& row) {
  std::vector<std::string> notes;
  if (row.kind == Row::kAlias) {
    notes.push_back(
        absl::StrCat("tied to ", rows.PrintablePath(rows.def()->alias_target(row.node))));
  }
  if (const auto entry = rows.EntryOf(row); entry && entry->value != nullptr) {
    notes.push_back(CutEnd(Printable(entry->value->ToString()), kMaxValue));
  }
  if (rows.def() && rows.def()->has_tags()) {
    const std::vector<absl::string_view> tags = rows.def()->tags(row.node);
    const std::string text = CutEnd(Printable(absl::StrJoin(tags, ", ")), kMaxValue);
    if (!tags.empty()) notes.push_back(absl::StrCat(tags.size() == 1 ? "tag " : "tags ", text));
  }
  return {absl::StrJoin(notes, "; ")};
}

void AddStatsColumns(StatsDetail detail, std::function<const TensorStats&(size_t row)> stats_of,
                     Table* table) {
  const auto add = [&](const char* title, Fit fit, auto cell_of) {
    table->Add(title, fit, [detail, stats_of, cell_of](size_t row) {
      const TensorStats& stats = stats_of(row);
      const bool empty = detail == StatsDetail::kBrief && stats.tensors == 0;
      return empty ? Cell() : Cell(cell_of(stats));
    });
  };
  const auto add_number = [&](const char* title, auto number_of) {
    add(title, Fit::kRight, [number_of](const TensorStats& stats) {
      return Cell{stats.finite_count() > 0 ? ShortNumber(number_of(stats)) : "-"};
    });
  };
  const auto add_count = [&](const char* title, int64_t TensorStats::*count, Style if_any) {
    add(title, Fit::kRight, [count, if_any](const TensorStats& stats) {
      return Cell{WithCommas(stats.*count), stats.*count > 0 ? if_any : Style::kPlain};
    });
  };
  const bool full = detail != StatsDetail::kBrief;
  if (full) add_count("COUNT", &TensorStats::count, Style::kPlain);
  add_number("MIN", [](const TensorStats& stats) { return stats.min; });
  add_number("MAX", [](const TensorStats& stats) { return stats.max; });
  add_number("MEAN", [](const TensorStats& stats) { return stats.mean; });
  add_number("STD", [](const TensorStats& stats) { return stats.stddev(); });
  add_number("L2", [](const TensorStats& stats) { return stats.l2(); });
  if (full) add_count("ZERO", &TensorStats::zero_count, Style::kPlain);
  add_count("NAN", &TensorStats::nan_count, Style::kRed);
  add_count("INF", &TensorStats::inf_count, Style::kRed);
  if (detail == StatsDetail::kHistogram) {
    add("HISTOGRAM", Fit::kLeft,
        [](const TensorStats& stats) { return Cell{Bars(stats.histogram)}; });
  }
}

}  // namespace leafstore::tools
