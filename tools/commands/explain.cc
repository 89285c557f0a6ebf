#include "leafstore/tools/commands/explain.h"

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
#include "leafstore/tools/commands/leaf_choice.h"
#include "leafstore/tools/commands/match_check.h"
#include "leafstore/tools/commands/options.h"
#include "leafstore/tools/present/json.h"
#include "leafstore/tools/present/output.h"
#include "leafstore/tools/present/table.h"
#include "leafstore/tools/present/text.h"
#include "leafstore/tools/source/item_groups.h"
#include "leafstore/tools/source/source.h"

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

Without --group the groups are shown that were saved with the file; no filter is known of them.

JSON has one object with the fields schema, file, format, ..., items; of an item: name, groups_saved,
took_root (the group whose filter matched the root, or null), leaves; of a leaf: path, dotted, group
(null: in none of those saved), filter, at (the node that the filter matched), at_dotted. Of the rest,
and of groups that were saved, the last three are null.

Exit codes: 0 all is well; 1 something is wrong with the file, or the output could not be written;
2 usage (no --group and none saved, a filter that cannot be read or takes nothing, an unknown path).)";

struct ExplainedLeaf {
  uint32_t place = 0;
  Explanation why;
};

struct ExplainedItem {
  const SourceItem* item = nullptr;
  std::vector<ExplainedLeaf> leaves;
  std::optional<size_t> took_root;
};

// The places to explain, of all items or of those where a path is.
absl::StatusOr<std::vector<ExplainedItem>> Choose(const std::vector<const SourceItem*>& items,
                                                  const ExplainOptions& options) {
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<GlobPattern> match,
                             ParseMatch(options.choice.match));
  LEAFSTORE_RETURN_IF_ERROR(CheckMatchLeaves(items, match));
  std::vector<ChosenLeaf> leaves;
  for (const SourceItem* item : items) {
    if (!options.paths.empty()) break;
    for (uint32_t place = 0; place < item->size(); ++place) leaves.push_back({item, place, {}});
  }
  for (const std::string& path : options.paths) {
    LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<ChosenLeaf> found, FindLeaves(items, path));
    if (found[0].slice) {
      return UsageError(absl::StrCat("'", path, "': expected a path, found one with a slice"));
    }
    leaves.insert(leaves.end(), found.begin(), found.end());
  }
  LEAFSTORE_RETURN_IF_ERROR(KeepMatched(match, &leaves));
  std::vector<ExplainedItem> chosen;
  for (const SourceItem* item : items) {
    chosen.push_back({item, {}, {}});
    for (const ChosenLeaf& leaf : leaves) {
      if (leaf.item == item) chosen.back().leaves.push_back({leaf.place, {}});
    }
  }
  return chosen;
}

// Groups that were saved say which leaves they have, not why.
absl::Status CheckSaved(const Source& source, const std::vector<const SourceItem*>& items) {
  if (std::any_of(items.begin(), items.end(),
                  [](const SourceItem* item) { return item->labels().has_value(); })) {
    return absl::OkStatus();
  }
  return UsageError(absl::StrCat(
      source.name(), ": expected --group NAME=FILTER, as no groups were saved with it"));
}

// Of a group that was saved; none where the leaf is in none.
std::optional<std::string> SavedGroup(const SourceItem& item, uint32_t place) {
  if (!item.labels()) return std::nullopt;
  const uint32_t group = item.labels()->GroupOf(item.slots().SlotAt(place));
  if (group == kNoGroup) return std::nullopt;
  return item.labels()->name(group);
}

absl::Status ExplainItem(const GroupFilters& groups, ExplainedItem* one) {
  if (one->leaves.empty() || groups.filters.empty()) return absl::OkStatus();
  LEAFSTORE_ASSIGN_OR_RETURN(const PartitionPlan plan, one->item->CompilePlan(groups.filters));
  for (ExplainedLeaf& leaf : one->leaves) {
    LEAFSTORE_ASSIGN_OR_RETURN(leaf.why, plan.Explain(one->item->PathText(leaf.place)));
  }
  one->took_root = plan.root_filter();
  return absl::OkStatus();
}

std::string PathCell(const ExplainedItem& one, const ExplainedLeaf& leaf) {
  return PrintablePath(one.item->layout().PathOf(one.item->slots().SlotAt(leaf.place)));
}

void PrintSaved(const ExplainedItem& one, Output* out) {
  Table({{"PATH", Align::kLeft, Shrink::kMiddle}, {"GROUP (saved)"}})
      .Print(
          one.leaves.size(),
          [&](size_t row, std::vector<Cell>* cells) {
            (*cells)[0].text = PathCell(one, one.leaves[row]);
            const std::optional<std::string> group = SavedGroup(*one.item, one.leaves[row].place);
            (*cells)[1] = group ? Cell{Printable(*group)} : Cell{"(none)", Style::kDim};
          },
          out);
}

void PrintItem(const ExplainedItem& one, const GroupFilters& groups, Output* out) {
  out->Write(absl::StrCat("\n", out->Styled(Style::kBold, Printable(one.item->name())), "\n"));
  if (groups.filters.empty()) return PrintSaved(one, out);
  Table({{"PATH", Align::kLeft, Shrink::kMiddle},
         {"GROUP"},
         {"FILTER"},
         {"MATCHED AT", Align::kLeft, Shrink::kMiddle}})
      .Print(
          one.leaves.size(),
          [&](size_t row, std::vector<Cell>* cells) {
            const ExplainedLeaf& leaf = one.leaves[row];
            (*cells)[0].text = PathCell(one, leaf);
            if (!leaf.why.filter) {
              (*cells)[1] = {std::string(kRestName), Style::kDim};
              return;
            }
            (*cells)[1].text = Printable(groups.names[*leaf.why.filter]);
            (*cells)[2] = {Printable(groups.filters[*leaf.why.filter].ToString()), Style::kDim};
            (*cells)[3].text = PrintableCanonical(leaf.why.matched_path);
          },
          out);
  if (one.took_root) PrintTookRoot(groups.names[*one.took_root], out);
}

Json LeafToJson(const ExplainedItem& one, const ExplainedLeaf& leaf, const GroupFilters& groups) {
  const SourceItem& item = *one.item;
  Json json = {{"path", item.PathText(leaf.place)},
               {"dotted", item.layout().Dotted(item.slots().SlotAt(leaf.place))}};
  if (!leaf.why.filter) {
    json["group"] = std::string(kRestName);
    if (groups.filters.empty()) {
      const std::optional<std::string> group = SavedGroup(item, leaf.place);
      json["group"] = group ? Json(*group) : Json(nullptr);
    }
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
    const bool saved = groups.filters.empty();
    JsonList leaves({{"name", one.item->name()},
                     {"groups_saved", saved && one.item->labels().has_value()},
                     {"took_root", one.took_root ? Json(groups.names[*one.took_root]) : Json()}},
                    "leaves", out);
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
  if (groups.filters.empty()) LEAFSTORE_RETURN_IF_ERROR(CheckSaved(*source, chosen));
  LEAFSTORE_RETURN_IF_ERROR(FileError(source->file(), CheckGroups(chosen, groups)));
  LEAFSTORE_ASSIGN_OR_RETURN(std::vector<ExplainedItem> items, Choose(chosen, options));
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
  AddMatch(command, &options->choice);
  AddGroup(command, &options->choice);
  AddReading(command, &options->source);
  AddForm(command, &options->form);
  command->callback([=] { run->function = [options] { return Explain(*options); }; });
}

}  // namespace leafstore::tools
