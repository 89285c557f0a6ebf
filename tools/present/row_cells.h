// Cells that describe a row of ItemRows, for the tables of `inspect` and `tree`.
#ifndef LEAFSTORE_TOOLS_PRESENT_ROW_CELLS_H_
#define LEAFSTORE_TOOLS_PRESENT_ROW_CELLS_H_

#include <cstddef>

#include "leafstore/tools/present/table.h"
#include "leafstore/tools/source/item_rows.h"

namespace leafstore::tools {

// Values and metadata are cut to this many columns, on every output; --json has the full text.
inline constexpr size_t kMaxValue = 120;

// Returns the dtype of a tensor, the kind of value of a static leaf, or "alias".
Cell DTypeCell(const ItemRows& rows, const Row& row);
// Returns the shape of a tensor.
Cell ShapeCell(const ItemRows& rows, const Row& row);
// Returns the bytes of a tensor or a container.
Cell BytesCell(const ItemRows& rows, const Row& row);
// Returns the owner of an alias, the value of a static leaf, and tags.
Cell NoteCell(const ItemRows& rows, const Row& row);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_PRESENT_ROW_CELLS_H_
