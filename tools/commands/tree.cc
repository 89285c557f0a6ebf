#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "leafstore/core/dtype.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/tools/commands/commands.h"
#include "leafstore/tools/commands/input.h"
#include "leafstore/tools/commands/options.h"
#include "leafstore/tools/present/errors.h"
#include "leafstore/tools/present/json.h"
#include "leafstore/tools/present/output.h"
#include "leafstore/tools/present/row_cells.h"
#include "leafstore/tools/present/table.h"
#include "leafstore/tools/present/text.h"
#include "leafstore/tools/source/item_rows.h"
#include "leafstore/tools/source/source.h"

namespace leafstore::tools {
namespace {

struct TreeOptions {
  InputOptions input;
  std::optional<uint32_t> depth;
};

constexpr char kTreeHelp[] = R"(Examples:
  leafstore tree run                                         all of the newest checkpoint
  leafstore tree model.safetensors --depth 3                 its upper levels
  leafstore tree run --item params --match 'blocks.0'        one subtree
  leafstore tree run --json | jq '.items[0].nodes[].dotted'

The JSON is one object with the fields schema, file, format, ..., items; an item has name, nodes; a
node has path, dotted, depth, kind, and the fields of its kind (docs/tool.md).

Exit codes: 0 success; 1 the file cannot be read, or the output cannot be written; 2 usage.)";

// Deeper rows are not indented further; their text begins with their depth.
constexpr uint32_t kMostIndent = 40;

std::string KeyText(const TreeDef& def, const Row& row) {
  if (row.node == kRootNode) return "(root)";
  const std::string key = PrintableKey(def.key(row.node));
  if (row.depth <= kMostIndent) return std::string(2 * row.depth, ' ') + key;
  return absl::StrCat(std::string(2 * kMostIndent, ' '), "[level ", row.depth, "] ", key);
}

// Returns "dict of 3" or "struct Linear".
std::string ContainerText(const TreeDef& def, NodeId node) {
  const absl::string_view type = def.type_name(node);
  std::string text(NodeKindName(def.kind(node)));
  if (!type.empty()) absl::StrAppend(&text, " ", Printable(type));
  const NodeKind kind = def.kind(node);
  if (kind == NodeKind::kDict || kind == NodeKind::kList || kind == NodeKind::kTuple) {
    absl::StrAppend(&text, " of ", WithCommas(def.child_count(node)));
  }
  return text;
}

Cell KindCell(const ItemRows& rows, const Row& row) {
  const NodeKind kind = rows.def()->kind(row.node);
  if (IsContainer(kind)) return {ContainerText(*rows.def(), row.node)};
  if (kind == NodeKind::kNone) return {std::string(NodeKindName(kind)), Style::kDim};
  return DTypeCell(rows, row);
}

Cell SizeCell(const ItemRows& rows, const Row& row) {
  if (!IsContainer(rows.def()->kind(row.node))) return ShapeCell(rows, row);
  return {CountOf(rows.TotalsOf(row).leaves, "leaf", "leaves")};
}

void PrintTree(const ItemRows& rows, Output* out) {
  out->Write(absl::StrCat("\n", out->Styled(Style::kBold, Printable(rows.item().name())), "\n"));
  Table table;
  const auto add = [&](Column column, Cell (*cell_of)(const ItemRows&, const Row&)) {
    table.Add(std::move(column),
              [&rows, cell_of](size_t row) { return cell_of(rows, rows.rows()[row]); });
  };
  add({"NODE", Justify::kLeft, Shrink::kMiddle}, [](const ItemRows& r, const Row& row) -> Cell {
    return {KeyText(*r.def(), row),
            IsContainer(r.def()->kind(row.node)) ? Style::kBold : Style::kPlain};
  });
  add({"KIND"}, KindCell);
  add({"SHAPE"}, SizeCell);
  add({"BYTES", Justify::kRight}, BytesCell);
  add({"NOTE", Justify::kLeft, Shrink::kEnd}, [](const ItemRows& r, const Row& row) {
    return Cell{NoteCell(r, row).text, Style::kDim};
  });
  table.Print(rows.rows().size(), out);
}

absl::StatusOr<Json> RowToJson(const ItemRows& rows, const Row& row) {
  const TreeDef& def = *rows.def();
  const NodeKind kind = def.kind(row.node);
  Json json;
  LEAFSTORE_ASSIGN_OR_RETURN(json["path"], def.PathText(row.node));
  LEAFSTORE_ASSIGN_OR_RETURN(json["dotted"], def.Dotted(row.node));
  json["depth"] = row.depth;
  json["kind"] = std::string(NodeKindName(kind));
  if (const absl::string_view type = def.type_name(row.node); !type.empty()) {
    json["type"] = std::string(type);
  }
  if (kind == NodeKind::kAlias) {
    LEAFSTORE_ASSIGN_OR_RETURN(json["target"], def.PathText(def.alias_target(row.node)));
  } else if (IsContainer(kind)) {
    json["children"] = def.child_count(row.node);
    json.update(ToJson(rows.TotalsOf(row)));
  } else if (const std::optional<EntryInfo> entry = rows.EntryOf(row)) {
    if (entry->value != nullptr) {
      json["value_kind"] = std::string(ValueKindName(entry->value->kind()));
      json["value"] = ToJson(*entry->value);
    } else {
      json["dtype"] = std::string(DTypeName(entry->spec.dtype()));
      json["shape"] = ShapeToJson(entry->spec.shape());
      json["bytes"] = entry->spec.byte_size();
    }
  }
  for (const absl::string_view tag : def.tags(row.node)) json["tags"].push_back(std::string(tag));
  return json;
}

absl::Status PrintAsJson(const Source& source, const std::vector<ItemRows>& items, Output* out) {
  JsonList list(SourceHead(source), "items", out);
  for (const ItemRows& rows : items) {
    JsonList nodes({{"name", rows.item().name()}}, "nodes", &list);
    for (const Row& row : rows.rows()) {
      if (!out->ok()) break;
      LEAFSTORE_ASSIGN_OR_RETURN(const Json json, RowToJson(rows, row));
      nodes.Add(json);
    }
    nodes.Close();
  }
  list.Close();
  return absl::OkStatus();
}

absl::Status Tree(const TreeOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(const Input input, OpenInput(options.input));
  const Source& source = *input.source;
  const OutputForm& form = options.input.form;
  std::vector<ItemRows> items;
  for (const SourceItem* item : input.items) {
    absl::StatusOr<ItemRows> rows =
        ItemRows::Create(*item, {input.match, options.depth, /*containers=*/true});
    if (!rows.ok()) return FileError(source.file, rows.status());
    if (form.json) LEAFSTORE_RETURN_IF_ERROR(FileError(source.file, rows->CheckPathText()));
    items.push_back(*std::move(rows));
  }
  Output out(stdout, form.color);
  if (form.json) {
    LEAFSTORE_RETURN_IF_ERROR(FileError(source.file, PrintAsJson(source, items, &out)));
  } else {
    PrintTitle(source, &out);
    for (const ItemRows& rows : items) PrintTree(rows, &out);
  }
  return out.Finish();
}

}  // namespace

void AddTreeCommand(CLI::App* program, CommandRun* run) {
  auto options = std::make_shared<TreeOptions>();
  CLI::App* command = program->add_subcommand(
      "tree", "Shows the structure as a tree: kinds, dtypes, shapes, bytes, ties.");
  command->footer(HelpText(kHelpFile | kHelpGlob, kTreeHelp));
  AddFile(command, "FILE", &options->input.name);
  AddInput(command, {kStep, kItem, kMatch}, &options->input);
  AddDepth(command, &options->depth, "print at most N levels of keys");
  AddInput(command, {kReading, kForm}, &options->input);
  command->callback([=] { run->function = [options] { return Tree(*options); }; });
}

}  // namespace leafstore::tools
