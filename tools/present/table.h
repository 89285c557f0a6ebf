// Table: rows of cells in columns that are as wide as they need to be.
//
//   Table table({{"PATH"}, {"BYTES", Align::kRight}, {"NOTE", Align::kLeft, Shrink::kEnd}});
//   table.Print(rows.size(), [&](size_t row, std::vector<Cell>* cells) {
//     (*cells)[0].text = PathOf(row);
//     ...
//   }, &out);
//
// Rows are asked for twice, to measure and to print, so that a long table takes no memory. In a
// pipe or a file each column has its full width. On a terminal that is too narrow, columns that may
// be cut are, the last first; a table that does not fit even so is left to the terminal.
//
// Text of cells must be as Printable (text.h) returns it. No line ends in spaces.
#ifndef LEAFSTORE_TOOLS_PRESENT_TABLE_H_
#define LEAFSTORE_TOOLS_PRESENT_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "leafstore/tools/present/output.h"

namespace leafstore::tools {

enum class Align : uint8_t { kLeft, kRight };

// Where a cell may be cut when the terminal is too narrow.
enum class Shrink : uint8_t { kNever, kMiddle, kEnd };

struct Column {
  std::string title;
  Align align = Align::kLeft;
  Shrink shrink = Shrink::kNever;
};

struct Cell {
  std::string text;
  Style style = Style::kPlain;
};

class Table {
 public:
  // Spaces before each line, and between columns.
  static constexpr size_t kIndent = 2;
  static constexpr size_t kGap = 2;

  // Fills the cells, which are empty and plain, one a column; the same at each call for a row.
  using RowFn = std::function<void(size_t row, std::vector<Cell>* cells)>;

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // The titles and `rows` rows. O(rows * columns), twice.
  void Print(size_t rows, const RowFn& row, Output* out) const;

 private:
  std::vector<size_t> Measure(size_t rows, const RowFn& row) const;
  void FitInto(size_t width, std::vector<size_t>* widths) const;
  void PrintLine(const std::vector<size_t>& widths, std::vector<Cell>* cells, Output* out) const;

  std::vector<Column> columns_;
};

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_PRESENT_TABLE_H_
