// The two outputs of `leafstore inspect`: text for people, JSON for programs (docs/tool.md).
#ifndef LEAFSTORE_TOOLS_COMMANDS_INSPECT_H_
#define LEAFSTORE_TOOLS_COMMANDS_INSPECT_H_

#include <vector>

#include "absl/status/status.h"

#include "leafstore/tools/present/output.h"
#include "leafstore/tools/source/item_summary.h"
#include "leafstore/tools/source/source.h"

namespace leafstore::tools {

// Prints a header, and a table for each item. `verified`: the checksums of tensors were verified.
void PrintText(const Source& source, const std::vector<ItemSummary>& items, bool verified,
               Output* out);

// Prints one object, with one row per line. error: as TreeDef::PathText.
absl::Status PrintJson(const Source& source, const std::vector<ItemSummary>& items, bool verified,
                       Output* out);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_COMMANDS_INSPECT_H_
