#include "leafstore/tools/commands/inspect_text.h"

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

#include "leafstore/core/dtype.h"
#include "leafstore/core/shape.h"
#include "leafstore/core/value.h"
#include "leafstore/tools/present/table.h"
#include "leafstore/tools/present/text.h"

namespace leafstore::tools {
namespace {

// Longer values and metadata are cut to this many columns, on every output: --json has them whole.
constexpr size_t kMaxValue = 120;

// "1.2 MiB (31%)": what compressed bytes take, and the part that this is of them all.
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

// The colours of groups, in turn.
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

const std::vector<std::string>& StatsTitles() {
  static const auto* const titles =
      new std::vector<std::string>{"MIN", "MAX", "MEAN", "STD", "L2", "NAN", "INF"};
  return *titles;
}

void FillStats(const TensorStats& stats, Cell* cells) {
  if (stats.tensors == 0) return;
  const bool any = stats.finite_count() > 0;
  const double numbers[] = {stats.min, stats.max, stats.mean, stats.stddev(), stats.l2()};
  for (size_t i = 0; i < 5; ++i) cells[i].text = any ? ShortNumber(numbers[i]) : "-";
  const int64_t counts[] = {stats.nan_count, stats.inf_count};
  for (size_t i = 0; i < 2; ++i) {
    cells[5 + i] = {absl::StrCat(counts[i]), counts[i] > 0 ? Style::kRed : Style::kPlain};
  }
}

// The table of an item's rows. Which columns it has depends on what there is to show.
class RowsTable {
 public:
  explicit RowsTable(const ItemSummary& summary) : summary_(summary), rows_(summary.rows) {
    path_ = Add({"PATH", Align::kLeft, Shrink::kMiddle});
    for (const Row& row : rows_.rows()) {
      if (row.kind == Row::kSubtree) has_leaves_ = true;
      if (HasNote(row)) has_note_ = true;
      if (row.kind == Row::kLeaf && EntryOf(row).codec != 0) has_stored_ = true;
    }
    if (has_leaves_) leaves_ = Add({"LEAVES", Align::kRight});
    dtype_ = Add({"DTYPE"});
    shape_ = Add({"SHAPE"});
    bytes_ = Add({"BYTES", Align::kRight});
    if (has_stored_) stored_ = Add({"STORED", Align::kRight});
    if (summary.groups) group_ = Add({"GROUP"});
    if (summary.stats) {
      stats_ = columns_.size();
      for (const std::string& title : StatsTitles()) Add({title, Align::kRight});
    }
    if (has_note_) note_ = Add({"NOTE", Align::kLeft, Shrink::kEnd});
  }

  void Print(Output* out) const {
    Table(columns_).Print(
        rows_.rows().size(),
        [this](size_t row, std::vector<Cell>* cells) { Fill(rows_.rows()[row], cells->data()); },
        out);
  }

 private:
  size_t Add(Column column) {
    columns_.push_back(std::move(column));
    return columns_.size() - 1;
  }

  EntryInfo EntryOf(const Row& row) const { return rows_.item().entry(rows_.places()[row.begin]); }
  std::vector<absl::string_view> TagsOf(const Row& row) const {
    if (!rows_.def() || !rows_.def()->has_tags()) return {};
    return rows_.def()->tags(row.node);
  }
  bool HasNote(const Row& row) const {
    return row.kind == Row::kAlias || (row.kind == Row::kLeaf && EntryOf(row).value != nullptr) ||
           !TagsOf(row).empty();
  }

  void Fill(const Row& row, Cell* cells) const {
    cells[path_].text = rows_.PrintablePath(row);
    switch (row.kind) {
      case Row::kAlias:
        cells[path_].style = Style::kDim;
        cells[dtype_] = {"alias", Style::kDim};
        break;
      case Row::kSubtree:
        cells[path_].style = Style::kBold;
        cells[bytes_].text = HumanBytes(rows_.TotalsOf(row).bytes);
        break;
      case Row::kLeaf:
        FillLeaf(EntryOf(row), cells);
        break;
    }
    if (has_leaves_ && row.kind != Row::kAlias)
      cells[leaves_].text = WithCommas(row.end - row.begin);
    if (summary_.groups && row.kind != Row::kAlias) {
      const std::optional<uint32_t> group = summary_.GroupOf(row);
      cells[group_] = group ? GroupCell(summary_, *group) : Cell{"(several)", Style::kDim};
    }
    if (summary_.stats) FillStats(summary_.StatsOf(row), cells + stats_);
    if (has_note_) cells[note_].text = NoteOf(row);
  }

  void FillLeaf(const EntryInfo& entry, Cell* cells) const {
    if (entry.value != nullptr) {
      const absl::string_view kind = ValueKindName(entry.value->kind());
      cells[dtype_] = {std::string(kind), Style::kDim};
      return;
    }
    cells[dtype_] = {std::string(DTypeName(entry.spec.dtype())), Style::kCyan};
    cells[shape_].text = ShapeToString(entry.spec.shape());
    cells[bytes_].text = HumanBytes(entry.spec.byte_size());
    if (entry.codec != 0)
      cells[stored_].text = StoredText(entry.stored_size, entry.spec.byte_size());
  }

  std::string NoteOf(const Row& row) const {
    std::string note;
    if (row.kind == Row::kAlias) {
      note = absl::StrCat("tied to ", rows_.PrintablePath(rows_.def()->alias_target(row.node)));
    } else if (row.kind == Row::kLeaf) {
      const EntryInfo entry = EntryOf(row);
      if (entry.value != nullptr) note = CutEnd(Printable(entry.value->ToString()), kMaxValue);
    }
    const std::vector<absl::string_view> tags = TagsOf(row);
    if (tags.empty()) return note;
    const std::string text = Printable(absl::StrJoin(tags, ", "));
    return absl::StrCat(note, note.empty() ? "" : "; ", tags.size() == 1 ? "tag " : "tags ",
                        CutEnd(text, kMaxValue));
  }

  const ItemSummary& summary_;
  const ItemRows& rows_;
  std::vector<Column> columns_;
  bool has_leaves_ = false;
  bool has_note_ = false;
  bool has_stored_ = false;
  size_t path_ = 0, leaves_ = 0, dtype_ = 0, shape_ = 0, bytes_ = 0, stored_ = 0, group_ = 0,
         stats_ = 0, note_ = 0;
};

void PrintGroups(const ItemSummary& summary, Output* out) {
  std::vector<Column> columns = {{summary.groups->saved ? "GROUP (saved)" : "GROUP"},
                                 {"LEAVES", Align::kRight},
                                 {"PARAMETERS", Align::kRight},
                                 {"BYTES", Align::kRight}};
  if (summary.stats) {
    for (const std::string& title : StatsTitles()) columns.push_back({title, Align::kRight});
  }
  out->Write("\n");
  Table(columns).Print(
      summary.group_summaries.size(),
      [&summary](size_t row, std::vector<Cell>* cells) {
        const GroupSummary& group = summary.group_summaries[row];
        (*cells)[0] = GroupCell(summary, static_cast<uint32_t>(row));
        (*cells)[1].text = WithCommas(group.totals.leaves);
        (*cells)[2].text = WithCommas(group.totals.parameters);
        (*cells)[3].text = HumanBytes(group.totals.bytes);
        if (summary.stats) FillStats(group.stats, cells->data() + 4);
      },
      out);
  if (const std::optional<size_t> group = summary.groups->took_root) {
    PrintTookRoot(summary.groups->labels.name(static_cast<uint32_t>(*group)), out);
  }
}

void PrintItem(const ItemSummary& summary, bool verified, Output* out) {
  const SourceItem& item = summary.item();
  out->Write(absl::StrCat("\n", out->Styled(Style::kBold, Printable(item.name())), ": ",
                          TotalsText(summary.rows.ItemTotals())));
  if (!item.slots().is_all()) {
    out->Write(absl::StrCat("; a part of a structure of ",
                            CountOf(item.layout().size(), "leaf", "leaves")));
  }
  // Of what is listed, the tensors were read.
  const Totals listed = summary.rows.ListedTotals();
  const absl::string_view checked =
      verified && listed.tensors > 0 ? "; checksums verified\n" : "\n";
  out->Write(summary.partly_listed ? "\n" : checked);
  PrintMetadata(item.metadata(), out);
  if (summary.partly_listed) {
    out->Write(absl::StrCat("  listed: ", TotalsText(listed), checked));
  }
  if (!summary.rows.rows().empty()) RowsTable(summary).Print(out);
  if (summary.groups) PrintGroups(summary, out);
}

}  // namespace

void PrintText(const Source& source, const std::vector<ItemSummary>& items, bool verified,
               Output* out) {
  out->Write(absl::StrCat(out->Styled(Style::kBold, Printable(source.file())), ": ",
                          HumanBytes(source.file_size()), ", ", source.description(), ", ",
                          CountOf(static_cast<int64_t>(source.items().size()), "item", "items"),
                          "\n"));
  PrintMetadata(source.metadata(), out);
  for (const auto& [name, value] : source.metrics()) {
    out->Write(absl::StrCat("  ", Printable(name), ": ", value, "\n"));
  }
  for (const std::string& name : source.other_files()) {
    out->Write(absl::StrCat("  ", source.format() == SourceFormat::kLeaf ? "base: " : "shard: ",
                            Printable(name), ", which has some of the tensors\n"));
  }
  for (const ItemSummary& item : items) PrintItem(item, verified, out);
}

}  // namespace leafstore::tools
