#include "leafstore/tools/commands/commands.h"

namespace leafstore::tools {
namespace {

struct ExplainOptions {
  InputOptions input;
  std::vector<std::string> paths;
};

constexpr char kExplainHelp[] = R"(Examples:
  leafstore explain model.safetensors --group 'attention=**.attention.**' --group 'bias=**.bias'
  leafstore explain run 'layers.0.bias' --item params --group 'first=layers.0' --group 'b=**.bias'
  leafstore explain run --group 'odd=not dtype:f32' --json | jq '.items[].leaves[].at'

Without --group the groups that were saved with the file are shown; their filters are not known.

The JSON is one object with the fields schema, file, format, ..., items; an item has name,
groups_saved, took_root (the group whose filter matched the root, or null), leaves; a leaf has path,
dotted, group (null: in no saved group), filter, at (the node that the filter matched), at_dotted. The
last three are null for the rest and for saved groups.

Exit codes: 0 success; 1 the file cannot be read, or the output cannot be written; 2 usage (no --group
and no saved groups, an invalid filter or one that matches nothing, an unknown path).)";

struct ExplainedLeaf {
  ChosenLeaf leaf;
  Explanation why;
};

struct ExplainedItem {
  const SourceItem* item = nullptr;
  std::vector<ExplainedLeaf> leaves;
  std::optional<std::string> took_root;
};

absl::StatusOr<std::vector<ExplainedItem>> ExplainItems(const Input& input,
                                                        const std::vector<ChosenLeaf>& leaves) {
  std::vector<ExplainedItem> items;
  for (const SourceItem* item : input.items) {
    ExplainedItem one{item, {}, {}};
    for (const ChosenLeaf& leaf : leaves) {
      if (leaf.item == item) one.leaves.push_back({leaf, {}});
    }
    if (one.leaves.empty()) continue;
    if (!input.groups.empty()) {
      LEAFSTORE_ASSIGN_OR_RETURN(const Grouping grouping, item->CompileGrouping(input.groups));
      for (ExplainedLeaf& leaf : one.leaves) {
        LEAFSTORE_ASSIGN_OR_RETURN(leaf.why, grouping.Explain(item->PathText(leaf.leaf.place)));
      }
      if (const std::optional<uint32_t> group = grouping.root_group()) {
        one.took_root = grouping.name(*group);
      }
    }
    items.push_back(std::move(one));
  }
  return items;
}

// Returns the saved group of a leaf, if any.
std::optional<std::string> SavedGroup(const ChosenLeaf& leaf) {
  const std::optional<Grouping>& grouping = leaf.item->grouping();
  const uint32_t group = grouping ? grouping->GroupOf(leaf.slot()) : kNoGroup;
  if (group == kNoGroup) return std::nullopt;
  return grouping->name(group);
}

void PrintItem(const ExplainedItem& one, const std::vector<NamedFilter>& groups, Output* out) {
  const std::vector<ExplainedLeaf>& leaves = one.leaves;
  out->Write("\n", out->Styled(Style::kBold, Printable(one.item->name())), "\n");
  Table table;
  table.Add("PATH", Fit::kCutMiddle,
            [&](size_t row) { return Cell{PrintableName(leaves[row].leaf)}; });
  if (groups.empty()) {
    table.Add("GROUP (saved)", Fit::kLeft, [&](size_t row) -> Cell {
      const std::optional<std::string> group = SavedGroup(leaves[row].leaf);
      return group ? Cell{Printable(*group)} : Cell{"(none)", Style::kDim};
    });
    return table.Print(leaves.size(), out);
  }
  table.Add("GROUP", Fit::kLeft, [&](size_t row) -> Cell {
    const std::optional<size_t> filter = leaves[row].why.filter;
    return filter ? Cell{Printable(groups[*filter].name)}
                  : Cell{std::string(kRestName), Style::kDim};
  });
  table.Add("FILTER", Fit::kLeft, [&](size_t row) -> Cell {
    const std::optional<size_t> filter = leaves[row].why.filter;
    return filter ? Cell{Printable(groups[*filter].filter->ToString()), Style::kDim} : Cell();
  });
  table.Add("MATCHED AT", Fit::kCutMiddle, [&](size_t row) -> Cell {
    const Explanation& why = leaves[row].why;
    return why.filter ? Cell{PrintableCanonical(why.matched_path)} : Cell();
  });
  table.Print(leaves.size(), out);
  if (one.took_root) PrintTookRoot(*one.took_root, out);
}

Json LeafToJson(const ExplainedLeaf& explained, const std::vector<NamedFilter>& groups) {
  const ChosenLeaf& leaf = explained.leaf;
  const Explanation& why = explained.why;
  Json json = {{"path", leaf.item->PathText(leaf.place)},
               {"dotted", leaf.item->layout().Dotted(leaf.slot())}};
  if (why.filter) {
    json["group"] = groups[*why.filter].name;
    json["filter"] = groups[*why.filter].filter->ToString();
    json["at"] = why.matched_path;
    const absl::StatusOr<Path> at = Path::Parse(why.matched_path);
    json["at_dotted"] = at.ok() ? at->Dotted() : why.matched_path;
    return json;
  }
  json["group"] = groups.empty() ? ToJson(SavedGroup(leaf)) : Json(kRestName);
  for (const char* field : {"filter", "at", "at_dotted"}) json[field] = nullptr;
  return json;
}

absl::Status Explain(const ExplainOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(const Input input,
                             OpenInput(options.input, {.match_leaves = true, .groups = true}));
  const Source& source = *input.source;
  LEAFSTORE_ASSIGN_OR_RETURN(
      const std::vector<ChosenLeaf> leaves,
      ChooseLeaves(input, options.paths, "expected a path, found one with a slice"));
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<ExplainedItem> items,
                             FileError(source.file, ExplainItems(input, leaves)));
  const auto print_text = [&](Output* out) {
    PrintTitle(source, out);
    for (const ExplainedItem& one : items) PrintItem(one, input.groups, out);
  };
  const auto print_item = [&](const ExplainedItem& one, JsonList* list) {
    JsonList list_of_leaves(
        {{"name", one.item->name()},
         {"groups_saved", input.groups.empty() && one.item->grouping().has_value()},
         {"took_root", ToJson(one.took_root)}},
        "leaves", list);
    for (const ExplainedLeaf& leaf : one.leaves) {
      list_of_leaves.Add(LeafToJson(leaf, input.groups));
    }
    return absl::OkStatus();
  };
  return PrintAnswer(options.input.form, SourceHead(source), items, print_text, print_item);
}

}  // namespace

void AddExplainCommand(CLI::App* program, CommandRun* run) {
  const auto [command, options] = AddCommand(
      program, run, "explain", "Shows which filter matches which leaf, and at which node.",
      kHelpFile | kHelpFilter, kExplainHelp, Explain);
  AddFile(command, "FILE", &options->input.name, "the file to read");
  command->add_option("PATH", options->paths, "only these leaves; paths or globs")->type_name("");
  AddInput(command, {kStep, kItem, kMatch, kGroup, kReading, kForm}, &options->input);
}

}  // namespace leafstore::tools
