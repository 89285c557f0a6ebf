#include "leafstore/tools/commands/tree.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "leafstore/core/dtype.h"
#include "leafstore/core/shape.h"
#include "leafstore/core/status_macros.h"
#include "leafstore/tools/commands/match_check.h"
#include "leafstore/tools/commands/options.h"
#include "leafstore/tools/present/json.h"
#include "leafstore/tools/present/output.h"
#include "leafstore/tools/present/table.h"
#include "leafstore/tools/present/text.h"
#include "leafstore/tools/source/item_rows.h"
#include "leafstore/tools/source/source.h"

namespace leafstore::tools {
namespace {

struct TreeOptions {
  SourceArguments source;
  ChoiceArguments choice;
  std::optional<uint32_t> depth;
  FormArguments form;
};

constexpr char kTreeFooter[] = R"(Examples:
  leafstore tree run                                         all of the newest checkpoint
  leafstore tree model.safetensors --depth 3                 its upper levels
  leafstore tree run --item params --match 'blocks.0'        one subtree
  leafstore tree run --json | jq '.items[0].nodes[].dotted'

JSON has one object with the fields schema, file, format, ..., items; of an item: name, nodes; of a
node: path, dotted, depth, kind, and what its kind has (docs/tool.md).

Exit codes: 0 all is well; 1 something is wrong with the file, or the output could not be written;
2 usage.)";

// Deeper lines are indented no further, and begin with their depth.
constexpr uint32_t kMostIndent = 40;
constexpr size_t kMostValue = 120;

// One line: a node of the structure.
struct Line {
  NodeId node = kRootNode;
  uint32_t depth = 0;
  // Of ItemRows::places(): the leaves at and below it.
  uint32_t begin = 0;
  uint32_t end = 0;
  bool rolled_up = false;  // there are nodes below it that are not shown
};

// The nodes of an item that are shown. Those with a leaf that is listed, or an alias that is, at or
// below them.
class TreeLines {
 public:
  static absl::StatusOr<TreeLines> Create(const SourceItem& item, RowOptions options,
                                          std::optional<uint32_t> depth) {
    options.depth = std::nullopt;
    LEAFSTORE_ASSIGN_OR_RETURN(ItemRows rows, ItemRows::Create(item, options));
    if (!rows.def()) {
      return absl::InvalidArgumentError(
          absl::StrCat("item '", item.name(),
                       "' has paths that are no tree: ", item.layout().def().status().message()));
    }
    const bool all = options.match.empty();
    TreeLines lines(std::move(rows));
    lines.List(all, depth.value_or(0xffffffff));
    return lines;
  }

  const std::vector<Line>& lines() const { return lines_; }
  const ItemRows& rows() const { return rows_; }
  const TreeDef& def() const { return *rows_.def(); }
  Totals TotalsOf(const Line& line) const {
    Totals totals;
    for (uint32_t i = line.begin; i < line.end; ++i) {
      totals.Add(rows_.item().entry(rows_.places()[i]));
    }
    return totals;
  }
  // Of a leaf that is listed; the root is a line even where it is one that is not.
  std::optional<EntryInfo> EntryOf(const Line& line) const {
    if (def().kind(line.node) != NodeKind::kLeaf || line.begin == line.end) return std::nullopt;
    return rows_.item().entry(rows_.places()[line.begin]);
  }

 private:
  explicit TreeLines(ItemRows rows) : rows_(std::move(rows)) {}

  void List(bool all, uint32_t depth) {
    const TreeDef& def = *rows_.def();
    // Which nodes are shown: those that are listed, and all above them.
    std::vector<bool> shown(def.node_count(), false);
    for (const Row& row : rows_.rows()) {
      for (NodeId node = row.node; node != kNoNode && !shown[node]; node = def.parent(node)) {
        shown[node] = true;
      }
    }
    // Without a choice, empty containers and None are part of the picture.
    const bool complete = all && rows_.item().slots().size() == rows_.item().layout().size();
    std::vector<uint32_t> depths(def.node_count(), 0);
    size_t row = 0;
    for (NodeId node = kRootNode; node < def.node_count(); ++node) {
      if (node != kRootNode) depths[node] = depths[def.parent(node)] + 1;
      const uint32_t begin = BeginOf(node, &row);
      if (depths[node] > depth || (!shown[node] && !complete && node != kRootNode)) continue;
      Line line{node, depths[node], begin, EndOf(node, begin), false};
      line.rolled_up = depths[node] == depth && def.child_count(node) > 0;
      lines_.push_back(line);
    }
  }

  // The number among places of the first leaf at or behind a node. Nodes must grow.
  uint32_t BeginOf(NodeId node, size_t* row) const {
    const std::vector<uint32_t>& places = rows_.places();
    const uint32_t leaf = def().leaf_begin(node);
    while (*row < places.size() && rows_.item().slots().SlotAt(places[*row]) < leaf) ++*row;
    return static_cast<uint32_t>(*row);
  }
  uint32_t EndOf(NodeId node, uint32_t begin) const {
    const SlotSet& slots = rows_.item().slots();
    const auto& places = rows_.places();
    const uint32_t end = def().leaf_begin(def().end(node));
    return static_cast<uint32_t>(
        std::partition_point(places.begin() + begin, places.end(),
                             [&](uint32_t place) { return slots.SlotAt(place) < end; }) -
        places.begin());
  }

  ItemRows rows_;
  std::vector<Line> lines_;
};

std::string KeyText(const TreeLines& tree, const Line& line) {
  if (line.node == kRootNode) return "(root)";
  const std::string key = PrintableKey(tree.def().key(line.node));
  if (line.depth <= kMostIndent) return std::string(2 * line.depth, ' ') + key;
  return absl::StrCat(std::string(2 * kMostIndent, ' '), "[level ", line.depth, "] ", key);
}

// "dict of 3", "struct Linear".
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

std::string NoteOf(const TreeLines& tree, const Line& line) {
  const TreeDef& def = tree.def();
  std::vector<std::string> notes;
  if (def.kind(line.node) == NodeKind::kAlias) {
    notes.push_back(
        absl::StrCat("tied to ", tree.rows().PrintablePath(def.alias_target(line.node))));
  }
  if (const std::optional<EntryInfo> entry = tree.EntryOf(line); entry && entry->value != nullptr) {
    notes.push_back(CutEnd(Printable(entry->value->ToString()), kMostValue));
  }
  const std::vector<absl::string_view> tags = def.tags(line.node);
  if (!tags.empty()) {
    notes.push_back(
        absl::StrCat(tags.size() == 1 ? "tag " : "tags ", Printable(absl::StrJoin(tags, ", "))));
  }
  return absl::StrJoin(notes, "; ");
}

void FillLine(const TreeLines& tree, const Line& line, std::vector<Cell>* cells) {
  const NodeKind kind = tree.def().kind(line.node);
  (*cells)[0] = {KeyText(tree, line), IsContainer(kind) ? Style::kBold : Style::kPlain};
  (*cells)[4] = {NoteOf(tree, line), Style::kDim};
  if (kind == NodeKind::kAlias || kind == NodeKind::kNone) {
    (*cells)[1] = {std::string(NodeKindName(kind)), Style::kDim};
    return;
  }
  if (IsContainer(kind)) {
    const Totals totals = tree.TotalsOf(line);
    (*cells)[1].text = ContainerText(tree.def(), line.node);
    (*cells)[2].text = CountOf(totals.leaves, "leaf", "leaves");
    (*cells)[3].text = HumanBytes(totals.bytes);
    return;
  }
  const std::optional<EntryInfo> entry = tree.EntryOf(line);
  if (!entry) return;
  if (entry->value != nullptr) {
    (*cells)[1] = {std::string(ValueKindName(entry->value->kind())), Style::kDim};
    return;
  }
  (*cells)[1] = {std::string(DTypeName(entry->spec.dtype())), Style::kCyan};
  (*cells)[2].text = ShapeToString(entry->spec.shape());
  (*cells)[3].text = HumanBytes(entry->spec.byte_size());
}

void PrintTree(const TreeLines& tree, Output* out) {
  out->Write(
      absl::StrCat("\n", out->Styled(Style::kBold, Printable(tree.rows().item().name())), "\n"));
  Table({{"NODE", Align::kLeft, Shrink::kMiddle},
         {"KIND"},
         {"SHAPE"},
         {"BYTES", Align::kRight},
         {"NOTE", Align::kLeft, Shrink::kEnd}})
      .Print(
          tree.lines().size(),
          [&tree](size_t row, std::vector<Cell>* cells) {
            FillLine(tree, tree.lines()[row], cells);
          },
          out);
}

absl::StatusOr<Json> LineToJson(const TreeLines& tree, const Line& line) {
  const TreeDef& def = tree.def();
  const NodeKind kind = def.kind(line.node);
  Json json;
  LEAFSTORE_ASSIGN_OR_RETURN(json["path"], def.PathText(line.node));
  LEAFSTORE_ASSIGN_OR_RETURN(json["dotted"], def.Dotted(line.node));
  json["depth"] = line.depth;
  json["kind"] = std::string(NodeKindName(kind));
  if (const absl::string_view type = def.type_name(line.node); !type.empty()) {
    json["type"] = std::string(type);
  }
  if (kind == NodeKind::kAlias) {
    LEAFSTORE_ASSIGN_OR_RETURN(json["target"], def.PathText(def.alias_target(line.node)));
  } else if (IsContainer(kind)) {
    json["children"] = def.child_count(line.node);
    json.update(ToJson(tree.TotalsOf(line)));
  } else if (const std::optional<EntryInfo> entry = tree.EntryOf(line)) {
    if (entry->value != nullptr) {
      json["value_kind"] = std::string(ValueKindName(entry->value->kind()));
      json["value"] = ToJson(*entry->value);
    } else {
      json["dtype"] = std::string(DTypeName(entry->spec.dtype()));
      json["shape"] = ShapeToJson(entry->spec.shape());
      json["bytes"] = entry->spec.byte_size();
    }
  }
  for (const absl::string_view tag : def.tags(line.node)) json["tags"].push_back(std::string(tag));
  return json;
}

absl::Status CheckPathText(const TreeLines& tree) {
  std::vector<NodeId> nodes;
  for (const Line& line : tree.lines()) nodes.push_back(line.node);
  return tools::CheckPathText(tree.def(), nodes);
}

absl::Status PrintTreesAsJson(const Source& source, const std::vector<TreeLines>& trees,
                              Output* out) {
  JsonList items(SourceHead(source), "items", out);
  for (const TreeLines& tree : trees) {
    items.Next();
    JsonList nodes({{"name", tree.rows().item().name()}}, "nodes", out);
    for (const Line& line : tree.lines()) {
      if (!out->ok()) break;
      LEAFSTORE_ASSIGN_OR_RETURN(const Json json, LineToJson(tree, line));
      nodes.Add(json);
    }
    nodes.Close();
  }
  items.Close();
  out->Write("\n");
  return absl::OkStatus();
}

absl::Status Tree(const TreeOptions& options) {
  RowOptions rows;
  LEAFSTORE_ASSIGN_OR_RETURN(rows.match, ParseMatch(options.choice.match));
  LEAFSTORE_ASSIGN_OR_RETURN(const SourcePtr source, Open(options.source));
  LEAFSTORE_ASSIGN_OR_RETURN(const auto items, ChooseItems(*source, options.choice));
  LEAFSTORE_RETURN_IF_ERROR(CheckMatch(items, rows.match));
  std::vector<TreeLines> trees;
  for (const SourceItem* item : items) {
    absl::StatusOr<TreeLines> tree = TreeLines::Create(*item, rows, options.depth);
    if (!tree.ok()) return FileError(source->file(), tree.status());
    trees.push_back(*std::move(tree));
  }
  for (const TreeLines& tree : trees) {
    if (options.form.json) {
      LEAFSTORE_RETURN_IF_ERROR(FileError(source->file(), CheckPathText(tree)));
    }
  }
  Output out(stdout, options.form.color);
  if (options.form.json) {
    LEAFSTORE_RETURN_IF_ERROR(FileError(source->file(), PrintTreesAsJson(*source, trees, &out)));
  } else {
    out.Write(absl::StrCat(out.Styled(Style::kBold, Printable(source->file())), ": ",
                           source->description(), "\n"));
    for (const TreeLines& tree : trees) PrintTree(tree, &out);
  }
  return out.Finish();
}

}  // namespace

void AddTreeCommand(CLI::App* program, CommandRun* run) {
  auto options = std::make_shared<TreeOptions>();
  CLI::App* command = program->add_subcommand(
      "tree", "Shows the structure as a tree: kinds, dtypes, shapes, bytes, ties.");
  command->footer(absl::StrCat(kSourceHelp, "\n\n", kGlobHelp, "\n\n", kTreeFooter));
  AddSource(command, &options->source);
  AddItem(command, &options->choice);
  AddMatch(command, &options->choice);
  AddDepth(command, &options->depth, "no deeper than N keys");
  AddReading(command, &options->source);
  AddForm(command, &options->form);
  command->callback([=] { run->function = [options] { return Tree(*options); }; });
}

}  // namespace leafstore::tools
