#include <map>

#include "leafstore/tools/commands/choose_leaves.h"
#include "leafstore/tools/commands/commands.h"

namespace leafstore::tools {
namespace {

struct ExplainOptions : InputOptions {
  std::vector<std::string> paths;
};

constexpr char kExplainHelp[] = R"(Examples:
  leafstore explain model.safetensors --group 'attention=**.attention.**' --group 'bias=**.bias'
  leafstore explain run 'layers.0.bias' --item params --group 'first=layers.0' --group 'b=**.bias'
  leafstore explain run --group 'odd=not dtype:f32' --json | jq '.items[].leaves[].at'

Without --group the groups that were saved with the file are shown; their filters are not known.

The JSON is one object with the fields schema, file, format, ..., items; an item has name,
groups_saved, root_group (the group whose filter matched the root, or null), leaves; a leaf has path,
dotted, group (null: in no saved group), filter, at (the node that the filter matched), at_dotted. The
last three are null for the rest and for saved groups.

Exit codes: 0 success; 1 the file cannot be read, or the output cannot be written; 2 usage (no --group
and no saved groups, an invalid filter or one that matches nothing, an unknown path).)";

struct ExplainedLeaf {
  ChosenLeaf leaf;
  std::optional<std::string> group;  // none: in no saved group
  Explanation why;
};

struct ExplainedItem {
  const SourceItem* item = nullptr;
  std::vector<ExplainedLeaf> leaves;
  std::optional<std::string> root_group;
};

absl::StatusOr<std::vector<ExplainedItem>> ExplainItems(const Input& input,
                                                        const std::vector<ChosenLeaf>& leaves) {
  std::map<const SourceItem*, std::vector<ExplainedLeaf>> leaves_of;
  for (const ChosenLeaf& leaf : leaves) leaves_of[leaf.item].push_back({leaf, {}, {}});
  std::vector<ExplainedItem> items;
  for (const SourceItem* item : input.items) {
    ExplainedItem one{item, std::move(leaves_of[item]), {}};
    if (one.leaves.empty()) continue;
    LEAFSTORE_ASSIGN_OR_RETURN(const auto grouping, item->GroupBy(input.groups));
    for (ExplainedLeaf& leaf : one.leaves) {
      if (!grouping) break;
      LEAFSTORE_ASSIGN_OR_RETURN(leaf.why, grouping->Explain(item->PathText(leaf.leaf.place)));
      leaf.why.text = std::string();  // not shown
      if (leaf.why.group != kNoGroup) leaf.group = grouping->name(leaf.why.group);
    }
    const std::optional<uint32_t> root = grouping ? grouping->root_group() : std::nullopt;
    if (root) one.root_group = grouping->name(*root);
    items.push_back(std::move(one));
  }
  return items;
}

void PrintItem(const ExplainedItem& one, const std::vector<NamedFilter>& groups, Output* out) {
  const std::vector<ExplainedLeaf>& leaves = one.leaves;
  out->Write("\n", out->Styled(Style::kBold, Printable(one.item->name)), "\n");
  Table table;
  table.Add("PATH", Fit::kCutMiddle,
            [&](size_t row) { return Cell{PrintableName(leaves[row].leaf)}; });
  table.Add(groups.empty() ? "GROUP (saved)" : "GROUP", Fit::kLeft, [&](size_t row) {
    const auto& [leaf, group, why] = leaves[row];
    const bool plain = groups.empty() ? group.has_value() : why.filter.has_value();
    return Cell{Printable(group.value_or("(none)")), plain ? Style::kPlain : Style::kDim};
  });
  if (groups.empty()) return table.Print(leaves.size(), out);
  table.Add("FILTER", Fit::kLeft, [&](size_t row) -> Cell {
    const std::optional<size_t> filter = leaves[row].why.filter;
    return filter ? Cell{Printable(groups[*filter].filter->ToString()), Style::kDim} : Cell();
  });
  table.Add("MATCHED AT", Fit::kCutMiddle, [&](size_t row) -> Cell {
    const Explanation& why = leaves[row].why;
    return why.filter ? Cell{PrintableCanonical(why.matched_path)} : Cell();
  });
  table.Print(leaves.size(), out);
  if (one.root_group) NoteRootGroup(*one.root_group, out);
}

Json LeafToJson(const ExplainedLeaf& explained, const std::vector<NamedFilter>& groups) {
  const auto& [leaf, group, why] = explained;
  Json json = {{"path", leaf.item->PathText(leaf.place)},
               {"dotted", leaf.item->layout.Dotted(leaf.slot())},
               {"group", ToJson(group)},
               {"filter", nullptr},
               {"at", nullptr},
               {"at_dotted", nullptr}};
  if (!why.filter) return json;
  json["filter"] = groups[*why.filter].filter->ToString();
  json["at"] = why.matched_path;
  const absl::StatusOr<Path> at = Path::Parse(why.matched_path);
  json["at_dotted"] = at.ok() ? at->Dotted() : why.matched_path;
  return json;
}

absl::Status Explain(const ExplainOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(const Input input,
                             OpenInput(options, {.match_leaves = true, .groups = true}));
  const Source& source = *input.source;
  LEAFSTORE_ASSIGN_OR_RETURN(
      const std::vector<ChosenLeaf> leaves,
      ChooseLeaves(input, options.paths, "expected a path, found one with a slice"));
  LEAFSTORE_RETURN_IF_ERROR(CheckPathText(leaves));
  LEAFSTORE_ASSIGN_OR_RETURN(const auto items, FileError(source.file, ExplainItems(input, leaves)));
  const auto print_text = [&](Output* out) {
    PrintTitle(source, out);
    for (const ExplainedItem& one : items) PrintItem(one, input.groups, out);
  };
  const auto print_item = [&](const ExplainedItem& one, JsonList* list) {
    JsonList list_of_leaves(
        {{"name", one.item->name},
         {"groups_saved", input.groups.empty() && one.item->grouping.has_value()},
         {"root_group", ToJson(one.root_group)}},
        "leaves", list);
    for (const ExplainedLeaf& leaf : one.leaves) {
      list_of_leaves.Add(LeafToJson(leaf, input.groups));
    }
    return absl::OkStatus();
  };
  return PrintAnswer(options.form, SourceHead(source), items, print_text, print_item);
}

}  // namespace

void AddExplainCommand(CLI::App* program, CommandRun* run) {
  const auto [command, options] = AddCommand(
      program, run, "explain", "Shows which filter matches which leaf, and at which node.",
      kHelpFile | kHelpFilter, kExplainHelp, Explain);
  AddFile(command, "FILE", &options->name, "the file to read");
  command->add_option("PATH", options->paths, "only these leaves; paths or globs")->type_name("");
  AddInput(command, {kStep, kItem, kMatch, kGroup, kOrder, kReading, kForm}, options);
}

}  // namespace leafstore::tools
