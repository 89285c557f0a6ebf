#include "leafstore/tools/present/table.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/str_cat.h"

#include "leafstore/tools/present/text.h"

namespace leafstore::tools {
namespace {

// No column is cut to fewer columns of the terminal than this.
constexpr size_t kMinWidth = 12;

void Clear(std::vector<Cell>* cells) {
  for (Cell& cell : *cells) {
    cell.text.clear();
    cell.style = Style::kPlain;
  }
}

}  // namespace

std::vector<size_t> Table::Measure(size_t rows, const RowFn& row) const {
  std::vector<size_t> widths;
  for (const Column& column : columns_) widths.push_back(DisplayWidth(column.title));
  std::vector<Cell> cells(columns_.size());
  for (size_t i = 0; i < rows; ++i) {
    Clear(&cells);
    row(i, &cells);
    for (size_t c = 0; c < cells.size(); ++c) {
      widths[c] = std::max(widths[c], DisplayWidth(cells[c].text));
    }
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

void Table::PrintLine(const std::vector<size_t>& widths, std::vector<Cell>* cells,
                      Output* out) const {
  std::string line(kIndent, ' ');
  size_t spaces = 0;  // that stand before what comes next, if something does
  for (size_t c = 0; c < cells->size(); ++c) {
    Cell& cell = (*cells)[c];
    size_t width = DisplayWidth(cell.text);
    if (width > widths[c]) {
      cell.text = columns_[c].shrink == Shrink::kMiddle ? CutMiddle(cell.text, widths[c])
                                                        : CutEnd(cell.text, widths[c]);
      width = DisplayWidth(cell.text);
    }
    const size_t padding = widths[c] - width;
    if (columns_[c].align == Align::kRight) spaces += padding;
    if (!cell.text.empty()) {
      line.append(spaces, ' ');
      spaces = 0;
      line.append(out->Styled(cell.style, cell.text));
    }
    spaces += kGap + (columns_[c].align == Align::kRight ? 0 : padding);
  }
  line.push_back('\n');
  out->Write(line);
}

void Table::Print(size_t rows, const RowFn& row, Output* out) const {
  std::vector<size_t> widths = Measure(rows, row);
  FitInto(out->width(), &widths);
  std::vector<Cell> cells;
  for (const Column& column : columns_) cells.push_back({column.title, Style::kBold});
  PrintLine(widths, &cells, out);
  for (size_t i = 0; i < rows && out->ok(); ++i) {
    Clear(&cells);
    row(i, &cells);
    PrintLine(widths, &cells, out);
  }
}

}  // namespace leafstore::tools
