// Table: rows of cells in columns that are as wide as their content.
//
//   Table table;
//   table.Add({"PATH", Justify::kLeft, Shrink::kMiddle}, [&](size_t row) { return Cell{...}; });
//   table.Add({"BYTES", Justify::kRight}, ...);
//   table.Print(rows.size(), &out);
//
// Each cell is computed twice, to measure and to print, so that a long table needs no memory. In a
// pipe or a file each column has its full width. On a narrow terminal, columns that may shrink do
// so, the last first; a table that is still too wide is printed unchanged.
//
// The text of cells must be as Printable (text.h) returns it. No line ends in spaces.
#ifndef LEAFSTORE_TOOLS_PRESENT_TABLE_H_
#define LEAFSTORE_TOOLS_PRESENT_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "leafstore/numeric/stats.h"
#include "leafstore/tools/present/output.h"

namespace leafstore::tools {

enum class Justify : uint8_t { kLeft, kRight };

// Where a cell may be cut when the terminal is too narrow.
enum class Shrink : uint8_t { kNever, kMiddle, kEnd };

struct Column {
  std::string title;
  Justify justify = Justify::kLeft;
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

  // Returns the cell of a row. Must return an equal cell at each call.
  using CellFn = std::function<Cell(size_t row)>;

  void Add(Column column, CellFn cell) {
    columns_.push_back(std::move(column));
    cells_.push_back(std::move(cell));
  }

  // Prints the titles and `rows` rows.
  void Print(size_t rows, Output* out) const;

 private:
  std::vector<size_t> Measure(size_t rows) const;
  void FitInto(size_t width, std::vector<size_t>* widths) const;
  template <typename CellOf>
  void PrintLine(const std::vector<size_t>& widths, const CellOf& cell_of, Output* out) const;

  std::vector<Column> columns_;
  std::vector<CellFn> cells_;
};

// The statistics that AddStatsColumns shows. kBrief omits the counts of elements and of zeros, and
// shows nothing for a row without tensors.
enum class StatsDetail : uint8_t { kBrief, kFull, kHistogram };

// Adds columns for the statistics of each row.
void AddStatsColumns(StatsDetail detail, std::function<const TensorStats&(size_t row)> stats_of,
                     Table* table);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_PRESENT_TABLE_H_
