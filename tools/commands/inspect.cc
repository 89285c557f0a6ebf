#include <set>

#include "absl/strings/str_format.h"

#include "leafstore/tools/commands/commands.h"
#include "leafstore/tools/source/branches.h"
#include "leafstore/tools/source/item_summary.h"

namespace leafstore::tools {
namespace {

struct InspectOptions : InputOptions {
  bool stats = false;
  bool verbose = false;
};

constexpr char kInspectHelp[] = R"(Examples:
  leafstore inspect run/step-100.leaf                       every leaf of every item
  leafstore inspect run                                     the newest checkpoint of a run
  leafstore inspect run --step best=accuracy --depth 2      a large model, subtrees as one row
  leafstore inspect model.safetensors --match 'layers.0.**' --stats
  leafstore inspect run/step-100.leaf --group 'bias=**.bias' --group 'large=tensor and bytes:>1M'
  leafstore inspect run/step-100.leaf --json | jq '.items[].rows[] | select(.bytes > 1000000)'

For a directory of checkpoints, the branches of the run are drawn if training has ever continued from
an earlier checkpoint.

The JSON is one object with the fields schema, file, format, file_bytes, format_version, verified,
metadata, metrics, bases, notes, checkpoints (of a directory) and items. docs/tool.md describes the
rest; names do not change within one value of schema.

Exit codes: 0 success; 1 the file cannot be read, or the output cannot be written; 2 usage (an
unknown option or item, an invalid filter).)";

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
    out->Write("  ", out->Styled(Style::kDim, CutEnd(Printable(key), kMaxValue)), ": ",
               CutEnd(Printable(value), kMaxValue), "\n");
  }
}

// Returns a colour for each group, in rotation.
Style GroupStyle(uint32_t group) {
  constexpr Style kStyles[] = {Style::kGreen, Style::kYellow, Style::kBlue, Style::kMagenta,
                               Style::kCyan};
  return kStyles[group % 5];
}

Cell GroupCell(const ItemSummary& summary, uint32_t group) {
  const std::optional<std::string>& name = summary.groups[group].name;
  if (!name) return {"(none)", Style::kDim};
  return {Printable(*name), GroupStyle(group)};
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
  const auto add = [&](const char* title, Fit fit, auto cell_of) {
    table.Add(title, fit,
              [&rows, cell_of](size_t row) -> Cell { return cell_of(rows, rows.rows()[row]); });
  };
  add("PATH", Fit::kCutMiddle, PathCell);
  if (subtrees) {
    add("LEAVES", Fit::kRight, [](const ItemRows&, const Row& row) -> Cell {
      if (row.kind == Row::kAlias) return {};
      return {WithCommas(row.end - row.begin)};
    });
  }
  add("DTYPE", Fit::kLeft, DTypeCell);
  add("SHAPE", Fit::kLeft, ShapeCell);
  add("BYTES", Fit::kRight, BytesCell);
  if (compressed) {
    add("STORED", Fit::kRight, [](const ItemRows& r, const Row& row) -> Cell {
      const std::optional<EntryInfo> entry = r.EntryOf(row);
      if (!entry || entry->codec == 0) return {};
      return {StoredText(entry->stored_size, entry->spec.byte_size())};
    });
  }
  if (summary.grouping) {
    add("GROUP", Fit::kLeft, [&summary](const ItemRows&, const Row& row) -> Cell {
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
  if (notes) add("NOTE", Fit::kCutEnd, NoteCell);
  table.Print(rows.rows().size(), out);
}

void PrintGroups(const ItemSummary& summary, Output* out) {
  const std::vector<GroupSummary>& groups = summary.groups;
  Table table;
  table.Add(summary.groups_saved ? "GROUP (saved)" : "GROUP", Fit::kLeft,
            [&](size_t row) { return GroupCell(summary, static_cast<uint32_t>(row)); });
  table.Add("LEAVES", Fit::kRight,
            [&](size_t row) { return Cell{WithCommas(groups[row].totals.leaves)}; });
  table.Add("PARAMETERS", Fit::kRight,
            [&](size_t row) { return Cell{WithCommas(groups[row].totals.parameters)}; });
  table.Add("BYTES", Fit::kRight,
            [&](size_t row) { return Cell{HumanBytes(groups[row].totals.bytes)}; });
  if (summary.row_stats) {
    AddStatsColumns(
        StatsDetail::kBrief, [&](size_t row) -> const TensorStats& { return groups[row].stats; },
        &table);
  }
  out->Write("\n");
  table.Print(groups.size(), out);
  if (const std::optional<std::string> group = summary.root_group()) NoteRootGroup(*group, out);
}

void PrintItem(const ItemSummary& summary, bool verified, Output* out) {
  const SourceItem& item = summary.item();
  out->Write("\n", out->Styled(Style::kBold, Printable(item.name)), ": ",
             TotalsText(ItemRows(item).ListedTotals()));
  if (!item.slots.is_all()) {
    out->Write("; part of a structure of ", CountOf(item.layout.size(), "leaf", "leaves"));
  }
  const Totals listed = summary.rows.ListedTotals();
  const absl::string_view checked =
      verified && listed.tensors > 0 ? "; checksums verified\n" : "\n";
  out->Write(summary.partly_listed ? "\n" : checked);
  PrintMetadata(item.metadata, out);
  if (summary.partly_listed) out->Write("  listed: ", TotalsText(listed), checked);
  if (!summary.rows.rows().empty()) PrintRows(summary, out);
  for (const UnreadableLeaf& one : item.unreadable) {
    out->Write("  not readable: ", CutEnd(Printable(one.name), kMaxValue), ": ",
               CutEnd(Printable(one.what), kMaxValue), ", ", HumanBytes(one.byte_size), "\n");
  }
  if (summary.grouping) PrintGroups(summary, out);
}

void PrintHead(const Source& source, bool verbose, Output* out) {
  out->Write(out->Styled(Style::kBold, Printable(source.file)), ": ", HumanBytes(source.file_size),
             ", ", source.description, ", ",
             CountOf(static_cast<int64_t>(source.items.size()), "item", "items"), "\n");
  if (verbose && source.read_mode) {
    out->Write("  read mode: ", ReadModeName(source.read_mode()), "\n");
  }
  PrintMetadata(source.metadata, out);
  for (const auto& [name, value] : source.metrics) {
    out->Write("  ", Printable(name), ": ", value, "\n");
  }
  for (const std::string& name : source.other_files) {
    out->Write("  ", source.format == SourceFormat::kLeaf ? "base: " : "shard: ", Printable(name),
               ", which holds some of the tensors\n");
  }
}

void AddEntry(const EntryInfo& entry, const ItemRows& rows, const Totals& totals, Json* json) {
  (*json)["kind"] = entry.value == nullptr ? "tensor" : "static";
  AddLeafFields(entry, json);
  if (entry.value != nullptr) return;
  (*json)["parameters"] = totals.parameters;
  (*json)["bytes"] = entry.spec.byte_size();
  (*json)["stored_bytes"] = entry.stored_size;
  (*json)["offset"] = entry.offset;
  (*json)["checksum"] = nullptr;
  if (rows.item().has_checksums) {
    (*json)["checksum"] = absl::StrCat(absl::Hex(entry.checksum, absl::kZeroPad16));
  }
  (*json)["codec"] = entry.codec;
  (*json)["base"] = entry.base;
}

// Adds the name of the group of a leaf, or the names of the groups of a subtree.
void AddGroups(const ItemSummary& summary, const Row& row, Json* json) {
  if (!summary.grouping) return;
  if (row.kind == Row::kLeaf) {
    (*json)["group"] = ToJson(summary.groups[*summary.GroupOf(row)].name);
    return;
  }
  std::set<uint32_t> present;
  for (const uint32_t place : summary.rows.PlacesOf(row)) present.insert(summary.GroupOf(place));
  Json& names = (*json)["groups"] = Json::array();
  for (const uint32_t group : present) names.push_back(ToJson(summary.groups[group].name));
}

absl::StatusOr<Json> RowToJson(const ItemSummary& summary, size_t index) {
  const ItemRows& rows = summary.rows;
  const Row& row = rows.rows()[index];
  Json json;
  LEAFSTORE_ASSIGN_OR_RETURN(json["path"], rows.PathText(row));
  LEAFSTORE_ASSIGN_OR_RETURN(json["dotted"], rows.Dotted(row));
  if (row.kind == Row::kAlias) {
    json["kind"] = "alias";
    const NodeId target = rows.def()->alias_target(row.node);
    LEAFSTORE_ASSIGN_OR_RETURN(json["target"], rows.def()->PathText(target));
    LEAFSTORE_ASSIGN_OR_RETURN(json["target_dotted"], rows.def()->Dotted(target));
  } else if (row.kind == Row::kLeaf) {
    AddEntry(*rows.EntryOf(row), rows, rows.TotalsOf(row), &json);
  } else {
    json["kind"] = "subtree";
    json.update(ToJson(rows.TotalsOf(row)));
  }
  if (row.kind != Row::kAlias) AddGroups(summary, row, &json);
  if (rows.def() && rows.def()->has_tags()) {
    for (const absl::string_view tag : rows.def()->tags(row.node)) json["tags"].push_back(tag);
  }
  if (summary.row_stats && (*summary.row_stats)[index].tensors > 0) {
    json["stats"] = ToJson((*summary.row_stats)[index]);
  }
  return json;
}

// Returns all fields of an item except its rows.
Json HeadOf(const ItemSummary& summary) {
  const SourceItem& item = summary.item();
  Json json = {{"name", item.name},
               {"metadata", ToJson(item.metadata)},
               {"structure_leaves", item.layout.size()},
               {"totals", ToJson(ItemRows(item).ListedTotals())},
               {"listed", ToJson(summary.rows.ListedTotals())},
               {"unreadable", ToJson(item.unreadable)}};
  if (!summary.grouping) return json;
  json["groups_saved"] = summary.groups_saved;
  json["root_group"] = ToJson(summary.root_group());
  json["groups"] = Json::array();
  for (const GroupSummary& group : summary.groups) {
    Json fields = {{"name", ToJson(group.name)}};
    fields.update(ToJson(group.totals));
    if (summary.row_stats) fields["stats"] = ToJson(group.stats);
    json["groups"].push_back(std::move(fields));
  }
  return json;
}

absl::Status Inspect(const InspectOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(const Input input, OpenInput(options));
  const Source& source = *input.source;
  const OutputForm& form = options.form;
  const bool verified = options.stats && options.verify && source.format == SourceFormat::kLeaf;
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<RunCheckpoint> run,
                             FileError(source.name, ListRunOf(source)));
  // Everything is summarized before the first line is printed: an error leaves no partial output.
  LEAFSTORE_ASSIGN_OR_RETURN(
      const std::vector<ItemSummary> items,
      Summarize(source, input.items,
                {.rows = {input.match, options.depth, /*containers=*/false, options.order},
                 .groups = input.groups,
                 .path_text = form.json,
                 .stats = options.stats}));
  const auto print_text = [&](Output* out) {
    PrintHead(source, options.verbose, out);
    PrintBranches(run, out);
    for (const ItemSummary& item : items) PrintItem(item, verified, out);
  };
  const auto print_item = [&](const ItemSummary& item, JsonList* list) -> absl::Status {
    JsonList rows(HeadOf(item), "rows", list);
    for (size_t row = 0; row < item.rows.rows().size(); ++row) {
      LEAFSTORE_ASSIGN_OR_RETURN(const Json json, FileError(source.file, RowToJson(item, row)));
      if (!rows.Add(json)) break;
    }
    return absl::OkStatus();
  };
  Json head = SourceHead(source);
  head["verified"] = verified;
  if (options.verbose && source.read_mode) head["read_mode"] = ReadModeName(source.read_mode());
  if (source.step) head["checkpoints"] = RunToJson(run);
  return PrintAnswer(form, head, items, print_text, print_item);
}

}  // namespace

void AddInspectCommand(CLI::App* program, CommandRun* run) {
  const auto [command, options] =
      AddCommand(program, run, "inspect",
                 "Lists the leaves: paths, dtypes, shapes, bytes, groups, statistics.",
                 kHelpFile | kHelpGlob | kHelpFilter, kInspectHelp, Inspect);
  AddFile(command, "FILE", &options->name);
  AddInput(command, {kStep, kItem, kMatch, kGroup, kDepth}, options);
  command->add_flag("--stats", options->stats,
                    "min, max, mean, std, L2, NaN and infinity counts; reads the tensors");
  command->add_flag(
      "--verbose", options->verbose,
      "for .leaf: also print how the file is read: map, read, or direct (bypassing the page "
      "cache)");
  AddInput(command, {kOrder, kReading, kForm}, options);
}

}  // namespace leafstore::tools
