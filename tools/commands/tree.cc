#include "leafstore/tools/commands/commands.h"

namespace leafstore::tools {
namespace {

constexpr char kTreeHelp[] = R"(Examples:
  leafstore tree run                                         all of the newest checkpoint
  leafstore tree model.safetensors --depth 3                 its upper levels
  leafstore tree run --item params --match 'blocks.0'        one subtree
  leafstore tree run --json | jq '.items[0].nodes[].dotted'

The JSON is one object with the fields schema, file, format, ..., items; an item has name, nodes; a
node has path, dotted, depth, kind, and the fields of its kind (docs/tool.md).

Exit codes: 0 success; 1 the file cannot be read, or the output cannot be written; 2 usage.)";

// Deeper rows are not indented further; their text begins with their depth.
constexpr uint32_t kMaxIndent = 40;

std::string KeyText(const TreeDef& def, const Row& row) {
  if (row.node == kRootNode) return "(root)";
  const std::string key = PrintableKey(def.key(row.node));
  if (row.depth <= kMaxIndent) return std::string(2 * row.depth, ' ') + key;
  return absl::StrCat(std::string(2 * kMaxIndent, ' '), "[level ", row.depth, "] ", key);
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
  out->Write("\n", out->Styled(Style::kBold, Printable(rows.item().name)), "\n");
  Table table;
  const auto add = [&](const char* title, Fit fit, Cell (*cell_of)(const ItemRows&, const Row&)) {
    table.Add(title, fit, [&rows, cell_of](size_t row) { return cell_of(rows, rows.rows()[row]); });
  };
  add("NODE", Fit::kCutMiddle, [](const ItemRows& r, const Row& row) -> Cell {
    return {KeyText(*r.def(), row),
            IsContainer(r.def()->kind(row.node)) ? Style::kBold : Style::kPlain};
  });
  add("KIND", Fit::kLeft, KindCell);
  add("SHAPE", Fit::kLeft, SizeCell);
  add("BYTES", Fit::kRight, BytesCell);
  add("NOTE", Fit::kCutEnd, [](const ItemRows& r, const Row& row) {
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
  json["kind"] = NodeKindName(kind);
  if (!def.type_name(row.node).empty()) json["type"] = def.type_name(row.node);
  if (kind == NodeKind::kAlias) {
    LEAFSTORE_ASSIGN_OR_RETURN(json["target"], def.PathText(def.alias_target(row.node)));
  } else if (IsContainer(kind)) {
    json["children"] = def.child_count(row.node);
    json.update(ToJson(rows.TotalsOf(row)));
  } else if (const std::optional<EntryInfo> entry = rows.EntryOf(row)) {
    AddLeafFields(*entry, &json);
    if (entry->value == nullptr) json["bytes"] = entry->spec.byte_size();
  }
  for (const absl::string_view tag : def.tags(row.node)) json["tags"].push_back(tag);
  return json;
}

absl::Status Tree(const InputOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(const Input input, OpenInput(options));
  const Source& source = *input.source;
  const OutputForm& form = options.form;
  std::vector<ItemRows> items;
  for (const SourceItem* item : input.items) {
    const RowOptions listed = {input.match, options.depth, /*containers=*/true, options.order};
    LEAFSTORE_ASSIGN_OR_RETURN(auto rows, FileError(source.file, ItemRows::Create(*item, listed)));
    if (form.json) LEAFSTORE_RETURN_IF_ERROR(FileError(source.file, rows.CheckPathText()));
    items.push_back(std::move(rows));
  }
  const auto print_text = [&](Output* out) {
    PrintTitle(source, out);
    for (const ItemRows& rows : items) PrintTree(rows, out);
  };
  const auto print_item = [&](const ItemRows& rows, JsonList* list) -> absl::Status {
    JsonList nodes({{"name", rows.item().name}}, "nodes", list);
    for (const Row& row : rows.rows()) {
      LEAFSTORE_ASSIGN_OR_RETURN(const Json json, FileError(source.file, RowToJson(rows, row)));
      if (!nodes.Add(json)) break;
    }
    return absl::OkStatus();
  };
  return PrintAnswer(form, SourceHead(source), items, print_text, print_item);
}

}  // namespace

void AddTreeCommand(CLI::App* program, CommandRun* run) {
  const auto [command, options] = AddCommand(
      program, run, "tree", "Shows the structure as a tree: kinds, dtypes, shapes, bytes, ties.",
      kHelpFile | kHelpGlob, kTreeHelp, Tree);
  AddFile(command, "FILE", &options->name);
  AddInput(command, {kStep, kItem, kMatch}, options);
  AddValue(command, "--depth", &options->depth, "N", "print at most N levels of keys")
      ->check(WholeNumber(0));
  AddInput(command, {kOrder, kReading, kForm}, options);
}

}  // namespace leafstore::tools
