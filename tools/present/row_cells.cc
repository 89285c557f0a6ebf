#include "leafstore/tools/present/row_cells.h"

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"

#include "leafstore/core/dtype.h"
#include "leafstore/core/shape.h"
#include "leafstore/core/value.h"
#include "leafstore/tools/present/text.h"

namespace leafstore::tools {

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

}  // namespace leafstore::tools
