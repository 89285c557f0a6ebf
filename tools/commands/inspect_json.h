// A checkpoint for programs: one JSON object, described in docs/tool.md.
//
// It is written a row at a time, one to a line, so that a large checkpoint takes no more memory
// than a small one. Everything outside ASCII is escaped.
#ifndef LEAFSTORE_TOOLS_COMMANDS_INSPECT_JSON_H_
#define LEAFSTORE_TOOLS_COMMANDS_INSPECT_JSON_H_

#include <vector>

#include "absl/status/status.h"

#include "leafstore/tools/present/output.h"
#include "leafstore/tools/source/item_summary.h"
#include "leafstore/tools/source/source.h"

namespace leafstore::tools {

// `verified`: the tensors' checksums were checked. error: as TreeDef::PathText.
absl::Status PrintJson(const Source& source, const std::vector<ItemSummary>& items, bool verified,
                       Output* out);

}  // namespace leafstore::tools

#endif  // LEAFSTORE_TOOLS_COMMANDS_INSPECT_JSON_H_
