#include "leafstore/tools/explain.h"

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
#include "leafstore/tools/item_groups.h"
#include "leafstore/tools/json.h"
#include "leafstore/tools/leaf_choice.h"
#include "leafstore/tools/options.h"
#include "leafstore/tools/output.h"
#include "leafstore/tools/source.h"
#include "leafstore/tools/table.h"
#include "leafstore/tools/text.h"

namespace leafstore::tools {
namespace {

struct ExplainOptions {
  SourceArguments source;
  std::vector<std::string> paths;
  ChoiceArguments choice;
  FormArguments form;
};

constexpr char kExplainFooter[] = R"(Examples:
  leafstore explain model.safetensors --group 'attention=**.attention.**' --group 'bias=**.bias'
  leafstore explain run 'layers.0.bias' --item params --group 'first=layers.0' --group 'b=**.bias'
  leafstore explain run --group 'odd=not dtype:f32' --json | jq '.items[].leaves[].at'

JSON has one object with the fields schema, file, format, ..., items; of an item: name, leaves; of a
leaf: path, dotted, group, filter, at (the node that the filter matched), at_dotted. Of the rest the
last three are null.

Exit codes: 0 all is well; 1 something is wrong with the file, or the output could not be written;
2 usage (no --group, a filter that cannot be read, an unknown path).)";

struct ExplainedLeaf {
  uint32_t place = 0;
  Explanation why;
};

struct ExplainedItem {
  const SourceItem* item = nullptr;
  std::vector<ExplainedLeaf> leaves;
};

// The places to explain, of all items or of those where a path is.
absl::StatusOr<std::vector<ExplainedItem>> Choose(const std::vector<const SourceItem*>& items,
                                                  const std::vector<std::string>& paths) {
  std::vector<ExplainedItem> chosen;
  for (const SourceItem* item : items) chosen.push_back({item, {}});
  for (ExplainedItem& one : chosen) {
    if (!paths.empty()) continue;
    for (uint32_t place = 0; place < one.item->size(); ++place) one.leaves.push_back({place, {}});
  }
  for (const std::string& path : paths) {
    LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<ChosenLeaf> found, FindLeaves(items, path));
    for (const ChosenLeaf& leaf : found) {
      for (ExplainedItem& one : chosen) {
        if (one.item == leaf.item) one.leaves.push_back({leaf.place, {}});
      }
    }
  }
  return chosen;
}

absl::Status ExplainItem(const GroupFilters& groups, ExplainedItem* one) {
  if (one->leaves.empty()) return absl::OkStatus();
  LEAFSTORE_ASSIGN_OR_RETURN(const PartitionPlan plan, one->item->CompilePlan(groups.filters));
  for (ExplainedLeaf& leaf : one->leaves) {
    LEAFSTORE_ASSIGN_OR_RETURN(leaf.why, plan.Explain(one->item->PathText(leaf.place)));
  }
  return absl::OkStatus();
}

// Of the node that a filter matched.
std::string NodeText(const std::string& canonical) {
  return canonical.empty() ? "(root)" : DottedOfCanonical(canonical);
}

void PrintItem(const ExplainedItem& one, const GroupFilters& groups, Output* out) {
  out->Write(absl::StrCat("\n", out->Styled(Style::kBold, Printable(one.item->name())), "\n"));
  Table({{"PATH", Align::kLeft, Shrink::kMiddle},
         {"GROUP"},
         {"FILTER"},
         {"MATCHED AT", Align::kLeft, Shrink::kMiddle}})
      .Print(
          one.leaves.size(),
          [&](size_t row, std::vector<Cell>* cells) {
            const ExplainedLeaf& leaf = one.leaves[row];
            const SourceItem& item = *one.item;
            (*cells)[0].text = Printable(item.layout().Dotted(item.slots().SlotAt(leaf.place)));
            if (!leaf.why.filter) {
              (*cells)[1] = {std::string(kRestName), Style::kDim};
              return;
            }
            (*cells)[1].text = Printable(groups.names[*leaf.why.filter]);
            (*cells)[2] = {Printable(groups.filters[*leaf.why.filter].ToString()), Style::kDim};
            (*cells)[3].text = Printable(NodeText(leaf.why.matched_path));
          },
          out);
}

Json LeafToJson(const ExplainedItem& one, const ExplainedLeaf& leaf, const GroupFilters& groups) {
  const SourceItem& item = *one.item;
  Json json = {{"path", item.PathText(leaf.place)},
               {"dotted", item.layout().Dotted(item.slots().SlotAt(leaf.place))}};
  if (!leaf.why.filter) {
    json["group"] = std::string(kRestName);
    for (const char* field : {"filter", "at", "at_dotted"}) json[field] = nullptr;
    return json;
  }
  json["group"] = groups.names[*leaf.why.filter];
  json["filter"] = groups.filters[*leaf.why.filter].ToString();
  json["at"] = leaf.why.matched_path;
  json["at_dotted"] = DottedOfCanonical(leaf.why.matched_path);
  return json;
}

void PrintAsJson(const Source& source, const std::vector<ExplainedItem>& items,
                 const GroupFilters& groups, Output* out) {
  JsonList list(SourceHead(source), "items", out);
  for (const ExplainedItem& one : items) {
    if (one.leaves.empty()) continue;
    list.Next();
    JsonList leaves({{"name", one.item->name()}}, "leaves", out);
    for (const ExplainedLeaf& leaf : one.leaves) leaves.Add(LeafToJson(one, leaf, groups));
    leaves.Close();
  }
  list.Close();
  out->Write("\n");
}

absl::Status Explain(const ExplainOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(const GroupFilters groups, GroupFilters::Parse(options.choice.groups));
  LEAFSTORE_ASSIGN_OR_RETURN(const SourcePtr source, Open(options.source));
  LEAFSTORE_ASSIGN_OR_RETURN(const auto chosen, ChooseItems(*source, options.choice));
  LEAFSTORE_ASSIGN_OR_RETURN(std::vector<ExplainedItem> items, Choose(chosen, options.paths));
  for (ExplainedItem& one : items) {
    LEAFSTORE_RETURN_IF_ERROR(FileError(source->file(), ExplainItem(groups, &one)));
  }
  Output out(stdout, options.form.color);
  if (options.form.json) {
    PrintAsJson(*source, items, groups, &out);
  } else {
    out.Write(absl::StrCat(out.Styled(Style::kBold, Printable(source->file())), ": ",
                           source->description(), "\n"));
    for (const ExplainedItem& one : items) {
      if (!one.leaves.empty()) PrintItem(one, groups, &out);
    }
  }
  return out.Finish();
}

}  // namespace

void AddExplainCommand(CLI::App* program, CommandRun* run) {
  auto options = std::make_shared<ExplainOptions>();
  CLI::App* command = program->add_subcommand(
      "explain", "Says which filter takes which leaf, and at which node it matched.");
  command->footer(absl::StrCat(kSourceHelp, "\n\n", kFilterHelp, "\n\n", kExplainFooter));
  command->add_option("FILE", options->source.name, "what to read")->required()->type_name("");
  command->add_option("PATH", options->paths, "only these leaves; paths or globs")->type_name("");
  AddStep(command, &options->source);
  AddItem(command, &options->choice);
  AddGroup(command, &options->choice, "a group of the leaves that a filter takes; may be repeated")
      ->required();
  AddReading(command, &options->source);
  AddForm(command, &options->form);
  command->callback([=] { *run = [options] { return Explain(*options); }; });
}

}  // namespace leafstore::tools
