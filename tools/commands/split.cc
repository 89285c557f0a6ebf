#include "leafstore/tools/commands/split.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/tools/commands/match_check.h"
#include "leafstore/tools/commands/options.h"
#include "leafstore/tools/files/output_files.h"
#include "leafstore/tools/source/item_groups.h"
#include "leafstore/tools/source/model.h"
#include "leafstore/tools/source/source.h"

namespace leafstore::tools {
namespace {

struct SplitArguments {
  SourceArguments source;
  ChoiceArguments choice;
  std::string out;
  bool no_rest = false;
  bool allow_empty = false;
  WriteArguments writing;
  FormArguments form;
};

constexpr char kSplitFooter[] =
    R"(Each group becomes a file, of which the name is --out with the group's name for `{}`; what no filter
takes goes to the group `rest`, if there is something. Without --group, the groups are taken that were
saved with the file. Parts of a .leaf keep the structure of the whole, so that `merge` can say what is
missing. All files come at once, or none does.

Examples:
  leafstore split model.leaf --group 'bias=**.bias' --group 'first=layers.0' --out 'parts/{}.leaf'
  leafstore split run --item params --out '{}.leaf'                the groups that were saved
  leafstore split model.safetensors --group 'attention=**.attention.**' --out '{}.safetensors'
  leafstore merge parts/*.leaf --out again.leaf

Exit codes: 0 all is well; 1 something is wrong with a file, or one could not be written; 2 usage (a
filter that cannot be read, or that takes nothing).)";

// The groups, in their order, the rest last: those of filters, or without any those that were saved
// with one of the items.
std::vector<std::string> GroupNames(const std::vector<const SourceItem*>& items,
                                    const GroupFilters& groups) {
  std::vector<std::string> names = groups.names;
  for (const SourceItem* item : items) {
    if (!groups.filters.empty() || !item->labels()) continue;
    for (const std::string& name : item->labels()->names()) {
      if (name != kRestName && std::find(names.begin(), names.end(), name) == names.end()) {
        names.push_back(name);
      }
    }
  }
  names.emplace_back(kRestName);
  return names;
}

absl::Status CheckPattern(const std::string& pattern) {
  if (absl::StrContains(pattern, "{}")) return absl::OkStatus();
  return UsageError(
      absl::StrCat("--out: expected a name with {} for the group's, found '", pattern, "'"));
}

// The files of the groups.
absl::StatusOr<std::vector<std::string>> OutputNames(const std::string& pattern,
                                                     std::vector<std::string> names) {
  for (std::string& name : names) {
    if (absl::StrContains(name, "/")) {
      return UsageError(absl::StrCat(
          "group '", name, "': expected a name without a slash, as a file is called by it"));
    }
    name = absl::StrReplaceAll(pattern, {{"{}", name}});
  }
  return names;
}

// The leaves of an item by the groups that were saved with it, under `names`; those in none with
// the last.
absl::StatusOr<std::vector<ParamStore>> SplitAsSaved(const SourceItem& item,
                                                     const std::vector<std::string>& names,
                                                     const ParamStore& store) {
  std::vector<std::vector<Slot>> slots(names.size());
  std::vector<size_t> number_of;  // of the item's own groups
  if (item.labels()) {
    for (const std::string& name : item.labels()->names()) {
      number_of.push_back(
          static_cast<size_t>(std::find(names.begin(), names.end(), name) - names.begin()));
    }
  }
  for (uint32_t place = 0; place < store.size(); ++place) {
    const uint32_t own = item.labels() ? item.labels()->GroupOf(store.slot(place)) : kNoGroup;
    const size_t group = own == kNoGroup ? names.size() - 1 : number_of[own];
    slots[group].push_back(store.slot(place));
  }
  std::vector<ParamStore> parts;
  for (size_t group = 0; group < names.size(); ++group) {
    LEAFSTORE_ASSIGN_OR_RETURN(
        ParamStore part,
        store.Select(SlotSet::FromSorted(store.layout().size(), std::move(slots[group]))));
    parts.push_back(std::move(part));
  }
  return parts;
}

absl::StatusOr<std::vector<ParamStore>> SplitItem(const SourceItem& item,
                                                  const GroupFilters& groups,
                                                  const std::vector<std::string>& names,
                                                  ParamStore store) {
  if (groups.filters.empty()) return SplitAsSaved(item, names, store);
  LEAFSTORE_ASSIGN_OR_RETURN(const PartitionPlan plan, item.CompilePlan(groups.filters));
  return plan.Split(std::move(store));
}

// A model for each group, of the items in which it has leaves.
absl::StatusOr<std::vector<Model>> SplitModel(const std::vector<const SourceItem*>& items,
                                              const GroupFilters& groups,
                                              const std::vector<std::string>& names, Model model) {
  std::vector<Model> parts(names.size());
  for (Model& part : parts) {
    part.metadata = model.metadata;
    part.metrics = model.metrics;
  }
  for (size_t i = 0; i < items.size(); ++i) {
    ModelItem& item = model.items[i];
    LEAFSTORE_ASSIGN_OR_RETURN(std::vector<ParamStore> stores,
                               SplitItem(*items[i], groups, names, std::move(item.store)));
    for (size_t group = 0; group < stores.size(); ++group) {
      if (stores[group].empty()) continue;
      parts[group].items.push_back({item.name, std::move(stores[group]), item.options});
    }
  }
  return parts;
}

// Of what was asked for: filters take something each, or groups were saved.
absl::Status CheckAsked(const Source& source, const std::vector<const SourceItem*>& items,
                        const GroupFilters& groups, const SplitArguments& arguments) {
  if (groups.filters.empty()) {
    if (GroupNames(items, groups).size() > 1) return absl::OkStatus();
    return UsageError(absl::StrCat(
        source.name(), ": expected --group NAME=FILTER, as no groups were saved with it"));
  }
  if (arguments.allow_empty) return absl::OkStatus();
  return FileError(source.file(), CheckGroups(items, groups, /*must_take=*/true));
}

absl::Status Split(const SplitArguments& arguments) {
  LEAFSTORE_ASSIGN_OR_RETURN(const GroupFilters groups,
                             GroupFilters::Parse(arguments.choice.groups));
  LEAFSTORE_RETURN_IF_ERROR(CheckPattern(arguments.out));
  LEAFSTORE_RETURN_IF_ERROR(OutputNames(arguments.out, groups.names).status());
  LEAFSTORE_RETURN_IF_ERROR(FormatOfOutput(arguments.out, arguments.writing).status());
  OutputFiles files(arguments.writing.force);
  LEAFSTORE_ASSIGN_OR_RETURN(const SourcePtr source, Open(arguments.source));
  LEAFSTORE_ASSIGN_OR_RETURN(const auto items, ChooseItems(*source, arguments.choice));
  LEAFSTORE_RETURN_IF_ERROR(CheckAsked(*source, items, groups, arguments));
  const std::vector<std::string> group_names = GroupNames(items, groups);
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<std::string> names,
                             OutputNames(arguments.out, group_names));
  LEAFSTORE_ASSIGN_OR_RETURN(Model model, LoadModel(*source, items));
  absl::StatusOr<std::vector<Model>> parts =
      SplitModel(items, groups, group_names, std::move(model));
  if (!parts.ok()) return FileError(source->file(), parts.status());
  if (arguments.no_rest) parts->pop_back();
  for (size_t i = 0; i < parts->size(); ++i) {
    if ((*parts)[i].items.empty()) continue;
    LEAFSTORE_RETURN_IF_ERROR(CheckOutputFree(names[i], arguments.writing, files));
  }
  std::vector<std::string> written;
  for (size_t i = 0; i < parts->size(); ++i) {
    if ((*parts)[i].items.empty()) continue;
    LEAFSTORE_ASSIGN_OR_RETURN(
        const std::vector<std::string> some,
        WriteModel(std::move((*parts)[i]), names[i], arguments.writing, &files));
    written.insert(written.end(), some.begin(), some.end());
  }
  LEAFSTORE_RETURN_IF_ERROR(files.Commit());
  return PrintWritten(written, arguments.form);
}

}  // namespace

void AddSplitCommand(CLI::App* program, CommandRun* run) {
  auto arguments = std::make_shared<SplitArguments>();
  CLI::App* command = program->add_subcommand(
      "split", "Writes the leaves that filters take into files, one a group.");
  command->footer(absl::StrCat(kSourceHelp, "\n\n", kFilterHelp, "\n\n", kSplitFooter));
  AddSource(command, &arguments->source);
  AddItem(command, &arguments->choice);
  AddGroup(command, &arguments->choice,
           "a group of the leaves that a filter takes; may be repeated. Without: the groups that "
           "were saved");
  command->add_option("--out,-o", arguments->out, "the files; {} stands for the group's name")
      ->required()
      ->type_name("TEMPLATE");
  command->add_flag("--no-rest", arguments->no_rest, "no file for what no filter takes");
  command->add_flag("--allow-empty", arguments->allow_empty,
                    "a filter that takes no leaf is no error");
  AddWriting(command, &arguments->writing);
  AddReading(command, &arguments->source);
  AddForm(command, &arguments->form);
  command->callback([=] { run->function = [arguments] { return Split(*arguments); }; });
}

}  // namespace leafstore::tools
