#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/tools/commands/commands.h"
#include "leafstore/tools/commands/input.h"
#include "leafstore/tools/commands/options.h"
#include "leafstore/tools/present/errors.h"
#include "leafstore/tools/present/json.h"
#include "leafstore/tools/present/output.h"
#include "leafstore/tools/present/table.h"
#include "leafstore/tools/present/text.h"
#include "leafstore/tools/source/item_groups.h"
#include "leafstore/tools/source/source.h"

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
  std::optional<uint32_t> took_root;
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
    if (!input.groups.filters.empty()) {
      LEAFSTORE_ASSIGN_OR_RETURN(const Grouping grouping,
                                 item->CompileGrouping(input.groups.WithRest()));
      for (ExplainedLeaf& leaf : one.leaves) {
        LEAFSTORE_ASSIGN_OR_RETURN(leaf.why, grouping.Explain(item->PathText(leaf.leaf.place)));
      }
      one.took_root = grouping.root_group();
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

void PrintItem(const ExplainedItem& one, const GroupFilters& groups, Output* out) {
  const std::vector<ExplainedLeaf>& leaves = one.leaves;
  out->Write(absl::StrCat("\n", out->Styled(Style::kBold, Printable(one.item->name())), "\n"));
  Table table;
  table.Add({"PATH", Justify::kLeft, Shrink::kMiddle},
            [&](size_t row) { return Cell{PrintableName(leaves[row].leaf)}; });
  if (groups.filters.empty()) {
    table.Add({"GROUP (saved)"}, [&](size_t row) -> Cell {
      const std::optional<std::string> group = SavedGroup(leaves[row].leaf);
      return group ? Cell{Printable(*group)} : Cell{"(none)", Style::kDim};
    });
    return table.Print(leaves.size(), out);
  }
  table.Add({"GROUP"}, [&](size_t row) -> Cell {
    const std::optional<size_t> filter = leaves[row].why.filter;
    return filter ? Cell{Printable(groups.names[*filter])}
                  : Cell{std::string(kRestName), Style::kDim};
  });
  table.Add({"FILTER"}, [&](size_t row) -> Cell {
    const std::optional<size_t> filter = leaves[row].why.filter;
    return filter ? Cell{Printable(groups.filters[*filter].ToString()), Style::kDim} : Cell();
  });
  table.Add({"MATCHED AT", Justify::kLeft, Shrink::kMiddle}, [&](size_t row) -> Cell {
    const Explanation& why = leaves[row].why;
    return why.filter ? Cell{PrintableCanonical(why.matched_path)} : Cell();
  });
  table.Print(leaves.size(), out);
  if (one.took_root) PrintTookRoot(groups.names[*one.took_root], out);
}

Json LeafToJson(const ExplainedLeaf& explained, const GroupFilters& groups) {
  const ChosenLeaf& leaf = explained.leaf;
  const Explanation& why = explained.why;
  Json json = {{"path", leaf.item->PathText(leaf.place)},
               {"dotted", leaf.item->layout().Dotted(leaf.slot())}};
  if (!why.filter) {
    json["group"] = std::string(kRestName);
    if (groups.filters.empty()) {
      const std::optional<std::string> group = SavedGroup(leaf);
      json["group"] = group ? Json(*group) : Json(nullptr);
    }
    for (const char* field : {"filter", "at", "at_dotted"}) json[field] = nullptr;
    return json;
  }
  json["group"] = groups.names[*why.filter];
  json["filter"] = groups.filters[*why.filter].ToString();
  json["at"] = why.matched_path;
  json["at_dotted"] = DottedOfCanonical(why.matched_path);
  return json;
}

void PrintAsJson(const Input& input, const std::vector<ExplainedItem>& items, Output* out) {
  const GroupFilters& groups = input.groups;
  JsonList list(SourceHead(*input.source), "items", out);
  for (const ExplainedItem& one : items) {
    const bool saved = groups.filters.empty();
    JsonList leaves({{"name", one.item->name()},
                     {"groups_saved", saved && one.item->grouping().has_value()},
                     {"took_root", one.took_root ? Json(groups.names[*one.took_root]) : Json()}},
                    "leaves", &list);
    for (const ExplainedLeaf& leaf : one.leaves) leaves.Add(LeafToJson(leaf, groups));
    leaves.Close();
  }
  list.Close();
}

absl::Status Explain(const ExplainOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(const Input input,
                             OpenInput(options.input, {.match_leaves = true, .groups = true}));
  LEAFSTORE_ASSIGN_OR_RETURN(
      const std::vector<ChosenLeaf> leaves,
      ChooseLeaves(input, options.paths, "expected a path, found one with a slice"));
  absl::StatusOr<std::vector<ExplainedItem>> items = ExplainItems(input, leaves);
  if (!items.ok()) return FileError(input.source->file, items.status());
  Output out(stdout, options.input.form.color);
  if (options.input.form.json) {
    PrintAsJson(input, *items, &out);
  } else {
    PrintTitle(*input.source, &out);
    for (const ExplainedItem& one : *items) PrintItem(one, input.groups, &out);
  }
  return out.Finish();
}

}  // namespace

void AddExplainCommand(CLI::App* program, CommandRun* run) {
  auto options = std::make_shared<ExplainOptions>();
  CLI::App* command = program->add_subcommand(
      "explain", "Shows which filter matches which leaf, and at which node.");
  command->footer(HelpText(kHelpFile | kHelpFilter, kExplainHelp));
  AddFile(command, "FILE", &options->input.name, "the file to read");
  command->add_option("PATH", options->paths, "only these leaves; paths or globs")->type_name("");
  AddInput(command, {kStep, kItem, kMatch, kGroup, kReading, kForm}, &options->input);
  command->callback([=] { run->function = [options] { return Explain(*options); }; });
}

}  // namespace leafstore::tools
