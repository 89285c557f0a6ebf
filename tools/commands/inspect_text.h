// A checkpoint for people: a header, and a table for each item.
#ifndef LEAFSTORE_TOOLS_COMMANDS_INSPECT_TEXT_H_
#define LEAFSTORE_TOOLS_COMMANDS_INSPECT_TEXT_H_

#include <vector>

#include "leafstore/tools/present/output.h"
#include "leafstore/tools/source/item_summary.h"
#include "leafstore/tools/source/source.h"

namespace leafstore::tools {

// `verified`: the tensors' checksums were checked.
void PrintText(const Source& source, const std::vector<ItemSummary>& items, bool verified,
               Output* out);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_COMMANDS_INSPECT_TEXT_H_
