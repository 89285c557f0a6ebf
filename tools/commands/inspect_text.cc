#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "leafstore/tools/commands/inspect.h"
#include "leafstore/tools/present/row_cells.h"
#include "leafstore/tools/present/table.h"
#include "leafstore/tools/present/text.h"

namespace leafstore::tools {
namespace {

// Returns "1.2 MiB (31%)": the compressed size, and its share of the uncompressed size.
std::string StoredText(int64_t stored, int64_t bytes) {
  const double percent = 100 * static_cast<double>(stored) / static_cast<double>(bytes);
  return absl::StrFormat("%s (%.*f%%)", HumanBytes(stored), percent < 10 ? 1 : 0, percent);
}

std::string TotalsText(const Totals& totals) {
  const int64_t statics = totals.leaves - totals.tensors;
  return absl::StrCat(CountOf(totals.leaves, "leaf", "leaves"),
                      statics > 0 ? absl::StrCat(" (", CountOf(totals.tensors, "tensor", "tensors"),
                                                 ", ", WithCommas(statics), " static)")
                                  : "",
                      ", ", CountOf(totals.parameters, "parameter", "parameters"), ", ",
                      HumanBytes(totals.bytes),
                      totals.stored == totals.bytes
                          ? ""
                          : absl::StrCat(" stored in ", StoredText(totals.stored, totals.bytes)));
}

void PrintMetadata(const Metadata& metadata, Output* out) {
  for (const auto& [key, value] : metadata) {
    out->Write(absl::StrCat("  ", out->Styled(Style::kDim, CutEnd(Printable(key), kMaxValue)), ": ",
                            CutEnd(Printable(value), kMaxValue), "\n"));
  }
}

// Returns a colour for each group, in rotation.
Style GroupStyle(uint32_t group) {
  constexpr Style kStyles[] = {Style::kGreen, Style::kYellow, Style::kBlue, Style::kMagenta,
                               Style::kCyan};
  return kStyles[group % 5];
}

Cell GroupCell(const ItemSummary& summary, uint32_t group) {
  const GroupSummary& found = summary.group_summaries[group];
  if (found.in_no_group) return {"(none)", Style::kDim};
  return {Printable(found.name), GroupStyle(group)};
}

Cell PathCell(const ItemRows& rows, const Row& row) {
  return {rows.PrintablePath(row), row.kind == Row::kAlias     ? Style::kDim
                                   : row.kind == Row::kSubtree ? Style::kBold
                                                               : Style::kPlain};
}

// Prints the rows of an item, without columns that would be empty.
void PrintRows(const ItemSummary& summary, Output* out) {
  const ItemRows& rows = summary.rows;
  bool subtrees = false, notes = false, compressed = false;
  for (const Row& row : rows.rows()) {
    const std::optional<EntryInfo> entry = rows.EntryOf(row);
    subtrees = subtrees || row.kind == Row::kSubtree;
    notes = notes || !NoteCell(rows, row).text.empty();
    compressed = compressed || (entry && entry->codec != 0);
  }
  Table table;
  const auto add = [&](Column column, auto cell_of) {
    table.Add(std::move(column),
              [&rows, cell_of](size_t row) -> Cell { return cell_of(rows, rows.rows()[row]); });
  };
  add({"PATH", Justify::kLeft, Shrink::kMiddle}, PathCell);
  if (subtrees) {
    add({"LEAVES", Justify::kRight}, [](const ItemRows&, const Row& row) -> Cell {
      if (row.kind == Row::kAlias) return {};
      return {WithCommas(row.end - row.begin)};
    });
  }
  add({"DTYPE"}, DTypeCell);
  add({"SHAPE"}, ShapeCell);
  add({"BYTES", Justify::kRight}, BytesCell);
  if (compressed) {
    add({"STORED", Justify::kRight}, [](const ItemRows& r, const Row& row) -> Cell {
      const std::optional<EntryInfo> entry = r.EntryOf(row);
      if (!entry || entry->codec == 0) return {};
      return {StoredText(entry->stored_size, entry->spec.byte_size())};
    });
  }
  if (summary.groups) {
    add({"GROUP"}, [&summary](const ItemRows&, const Row& row) -> Cell {
      if (row.kind == Row::kAlias) return {};
      const std::optional<uint32_t> group = summary.GroupOf(row);
      return group ? GroupCell(summary, *group) : Cell{"(several)", Style::kDim};
    });
  }
  if (summary.row_stats) {
    AddStatsColumns(
        StatsDetail::kBrief,
        [&summary](size_t row) -> const TensorStats& { return (*summary.row_stats)[row]; }, &table);
  }
  if (notes) {
    add({"NOTE", Justify::kLeft, Shrink::kEnd}, NoteCell);
  }
  table.Print(rows.rows().size(), out);
}

void PrintGroups(const ItemSummary& summary, Output* out) {
  const std::vector<GroupSummary>& groups = summary.group_summaries;
  Table table;
  table.Add({summary.groups->saved ? "GROUP (saved)" : "GROUP"},
            [&](size_t row) { return GroupCell(summary, static_cast<uint32_t>(row)); });
  table.Add({"LEAVES", Justify::kRight},
            [&](size_t row) { return Cell{WithCommas(groups[row].totals.leaves)}; });
  table.Add({"PARAMETERS", Justify::kRight},
            [&](size_t row) { return Cell{WithCommas(groups[row].totals.parameters)}; });
  table.Add({"BYTES", Justify::kRight},
            [&](size_t row) { return Cell{HumanBytes(groups[row].totals.bytes)}; });
  if (summary.row_stats) {
    AddStatsColumns(
        StatsDetail::kBrief, [&](size_t row) -> const TensorStats& { return groups[row].stats; },
        &table);
  }
  out->Write("\n");
  table.Print(groups.size(), out);
  if (const std::optional<uint32_t> group = summary.groups->took_root) {
    PrintTookRoot(summary.groups->grouping.name(*group), out);
  }
}

void PrintItem(const ItemSummary& summary, bool verified, Output* out) {
  const SourceItem& item = summary.item();
  out->Write(absl::StrCat("\n", out->Styled(Style::kBold, Printable(item.name())), ": ",
                          TotalsText(summary.rows.ItemTotals())));
  if (!item.slots().is_all()) {
    out->Write(
        absl::StrCat("; part of a structure of ", CountOf(item.layout().size(), "leaf", "leaves")));
  }
  const Totals listed = summary.rows.ListedTotals();
  const absl::string_view checked =
      verified && listed.tensors > 0 ? "; checksums verified\n" : "\n";
  out->Write(summary.partly_listed ? "\n" : checked);
  PrintMetadata(item.metadata(), out);
  if (summary.partly_listed) {
    out->Write(absl::StrCat("  listed: ", TotalsText(listed), checked));
  }
  if (!summary.rows.rows().empty()) PrintRows(summary, out);
  if (summary.groups) PrintGroups(summary, out);
}

}  // namespace

void PrintText(const Source& source, const std::vector<ItemSummary>& items, bool verified,
               Output* out) {
  out->Write(absl::StrCat(out->Styled(Style::kBold, Printable(source.file)), ": ",
                          HumanBytes(source.file_size), ", ", source.description, ", ",
                          CountOf(static_cast<int64_t>(source.items.size()), "item", "items"),
                          "\n"));
  PrintMetadata(source.metadata, out);
  for (const auto& [name, value] : source.metrics) {
    out->Write(absl::StrCat("  ", Printable(name), ": ", value, "\n"));
  }
  for (const std::string& name : source.other_files) {
    out->Write(absl::StrCat("  ", source.format == SourceFormat::kLeaf ? "base: " : "shard: ",
                            Printable(name), ", which holds some of the tensors\n"));
  }
  for (const ItemSummary& item : items) PrintItem(item, verified, out);
}

}  // namespace leafstore::tools
