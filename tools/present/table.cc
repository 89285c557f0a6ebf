#include "leafstore/tools/present/table.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/str_cat.h"

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

std::vector<size_t> Table::Measure(size_t rows) const {
  std::vector<size_t> widths;
  for (size_t c = 0; c < columns_.size(); ++c) {
    size_t width = DisplayWidth(columns_[c].title);
    for (size_t row = 0; row < rows; ++row) {
      width = std::max(width, DisplayWidth(cells_[c](row).text));
    }
    widths.push_back(width);
  }
  return widths;
}

void Table::FitInto(size_t width, std::vector<size_t>* widths) const {
  if (width == 0) return;
  const size_t gaps = kIndent + kGap * (widths->size() - 1);
  size_t total = std::accumulate(widths->begin(), widths->end(), gaps);
  for (size_t c = widths->size(); c-- > 0 && total > width;) {
    size_t& column = (*widths)[c];
    if (columns_[c].shrink == Shrink::kNever || column <= kMinWidth) continue;
    const size_t cut = std::min(total - width, column - kMinWidth);
    column -= cut;
    total -= cut;
  }
}

template <typename CellOf>
void Table::PrintLine(const std::vector<size_t>& widths, const CellOf& cell_of, Output* out) const {
  std::string line(kIndent, ' ');
  size_t spaces = 0;  // before the next text, if any
  for (size_t c = 0; c < columns_.size(); ++c) {
    Cell cell = cell_of(c);
    size_t width = DisplayWidth(cell.text);
    if (width > widths[c]) {
      cell.text = columns_[c].shrink == Shrink::kMiddle ? CutMiddle(cell.text, widths[c])
                                                        : CutEnd(cell.text, widths[c]);
      width = DisplayWidth(cell.text);
    }
    const size_t padding = widths[c] - width;
    if (columns_[c].justify == Justify::kRight) spaces += padding;
    if (!cell.text.empty()) {
      line.append(spaces, ' ');
      spaces = 0;
      line.append(out->Styled(cell.style, cell.text));
    }
    spaces += kGap + (columns_[c].justify == Justify::kRight ? 0 : padding);
  }
  line.push_back('\n');
  out->Write(line);
}

void Table::Print(size_t rows, Output* out) const {
  std::vector<size_t> widths = Measure(rows);
  FitInto(out->width(), &widths);
  PrintLine(
      widths,
      [this](size_t c) {
        return Cell{columns_[c].title, Style::kBold};
      },
      out);
  for (size_t row = 0; row < rows && out->ok(); ++row) {
    PrintLine(
        widths, [this, row](size_t c) { return cells_[c](row); }, out);
  }
}

void AddStatsColumns(StatsDetail detail, std::function<const TensorStats&(size_t row)> stats_of,
                     Table* table) {
  const auto add = [&](const char* title, auto cell_of, Justify justify = Justify::kRight) {
    table->Add({title, justify}, [detail, stats_of, cell_of](size_t row) {
      const TensorStats& stats = stats_of(row);
      const bool empty = detail == StatsDetail::kBrief && stats.tensors == 0;
      return empty ? Cell() : Cell(cell_of(stats));
    });
  };
  const auto add_number = [&](const char* title, auto number_of) {
    add(title, [number_of](const TensorStats& stats) {
      return Cell{stats.finite_count() > 0 ? ShortNumber(number_of(stats)) : "-"};
    });
  };
  const auto add_odd = [&](const char* title, int64_t TensorStats::*count) {
    add(title, [count](const TensorStats& stats) {
      return Cell{WithCommas(stats.*count), stats.*count > 0 ? Style::kRed : Style::kPlain};
    });
  };
  const bool full = detail != StatsDetail::kBrief;
  if (full) add("COUNT", [](const TensorStats& stats) { return Cell{WithCommas(stats.count)}; });
  add_number("MIN", [](const TensorStats& stats) { return stats.min; });
  add_number("MAX", [](const TensorStats& stats) { return stats.max; });
  add_number("MEAN", [](const TensorStats& stats) { return stats.mean; });
  add_number("STD", [](const TensorStats& stats) { return stats.stddev(); });
  add_number("L2", [](const TensorStats& stats) { return stats.l2(); });
  if (full)
    add("ZERO", [](const TensorStats& stats) { return Cell{WithCommas(stats.zero_count)}; });
  add_odd("NAN", &TensorStats::nan_count);
  add_odd("INF", &TensorStats::inf_count);
  if (detail == StatsDetail::kHistogram) {
    add(
        "HISTOGRAM", [](const TensorStats& stats) { return Cell{Bars(stats.histogram)}; },
        Justify::kLeft);
  }
}

}  // namespace leafstore::tools
