// Table: rows of cells in columns that are as wide as their content.
//
//   Table table;
//   table.Add("PATH", Fit::kCutMiddle, [&](size_t row) { return Cell{...}; });
//   table.Add("BYTES", Fit::kRight, ...);
//   table.Print(rows.size(), &out);
//
// Each cell is computed twice, to measure and to print, so that a long table needs no memory. In a
// pipe or a file each column has its full width. On a narrow terminal, columns that may be cut
// shrink, the last first; a table that is still too wide is printed unchanged.
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
#include "leafstore/tools/source/item_rows.h"

namespace leafstore::tools {

// How cells are aligned, and where they may be cut when the terminal is too narrow; those that may
// be cut are on the left.
enum class Fit : uint8_t { kLeft, kRight, kCutMiddle, kCutEnd };

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
  void Add(std::string title, Fit fit, CellFn cell) {
    columns_.push_back({std::move(title), fit, std::move(cell)});
  }
  // Prints the titles and `rows` rows.
  void Print(size_t rows, Output* out) const;

 private:
  struct Column {
    std::string title;
    Fit fit;
    CellFn cell;
  };

  std::vector<size_t> Measure(size_t rows, size_t width) const;
  template <typename CellOf>
  void PrintLine(const std::vector<size_t>& widths, const CellOf& cell_of, Output* out) const;

  std::vector<Column> columns_;
};

// Values and metadata are cut to this many columns, on every output; --json has the full text.
inline constexpr size_t kMaxValue = 120;

// Describe a row of ItemRows: the dtype of a tensor, the kind of value of a static leaf, or
// "alias"; the shape of a tensor; the bytes of a tensor or a container; the owner of an alias, the
// value of a static leaf, and tags.
Cell DTypeCell(const ItemRows& rows, const Row& row);
Cell ShapeCell(const ItemRows& rows, const Row& row);
Cell BytesCell(const ItemRows& rows, const Row& row);
Cell NoteCell(const ItemRows& rows, const Row& row);

// The statistics that AddStatsColumns shows. kBrief omits the counts of elements and of zeros, and
// shows nothing for a row without tensors.
enum class StatsDetail : uint8_t { kBrief, kFull, kHistogram };
// Adds columns for the statistics of each row.
void AddStatsColumns(StatsDetail detail, std::function<const TensorStats&(size_t row)> stats_of,
                     Table* table);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_PRESENT_TABLE_H_
