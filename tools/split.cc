#include "leafstore/tools/split.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"

#include "leafstore/core/status_macros.h"
#include "leafstore/tools/item_groups.h"
#include "leafstore/tools/model.h"
#include "leafstore/tools/options.h"
#include "leafstore/tools/output_files.h"
#include "leafstore/tools/source.h"

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
takes goes to the group `rest`, if there is something. Parts of a .leaf keep the structure of the
whole, so that `merge` can say what is missing. All files come at once, or none does.

Examples:
  leafstore split model.leaf --group 'bias=**.bias' --group 'first=layers.0' --out 'parts/{}.leaf'
  leafstore split model.safetensors --group 'attention=**.attention.**' --out '{}.safetensors'
  leafstore merge parts/*.leaf --out again.leaf

Exit codes: 0 all is well; 1 something is wrong with a file, or one could not be written; 2 usage (a
filter that cannot be read, or that takes nothing).)";

// The files of the groups, in their order, the rest last.
absl::StatusOr<std::vector<std::string>> OutputNames(const std::string& pattern,
                                                     const GroupFilters& groups) {
  if (!absl::StrContains(pattern, "{}")) {
    return UsageError(
        absl::StrCat("--out: expected a name with {} for the group's, found '", pattern, "'"));
  }
  std::vector<std::string> names = groups.names;
  names.emplace_back(kRestName);
  for (std::string& name : names) {
    if (absl::StrContains(name, "/")) {
      return UsageError(absl::StrCat("--group '", name,
                                     "': expected a name without a slash, as a "
                                     "file is called by it"));
    }
    name = absl::StrReplaceAll(pattern, {{"{}", name}});
  }
  return names;
}

// A model for each group, of the items in which it has leaves.
absl::StatusOr<std::vector<Model>> SplitModel(const std::vector<const SourceItem*>& items,
                                              const GroupFilters& groups, Model model) {
  std::vector<Model> parts(groups.names.size() + 1);
  for (Model& part : parts) {
    part.metadata = model.metadata;
    part.metrics = model.metrics;
  }
  for (size_t i = 0; i < items.size(); ++i) {
    ModelItem& item = model.items[i];
    LEAFSTORE_ASSIGN_OR_RETURN(const PartitionPlan plan, items[i]->CompilePlan(groups.filters));
    LEAFSTORE_ASSIGN_OR_RETURN(std::vector<ParamStore> stores, plan.Split(std::move(item.store)));
    for (size_t group = 0; group < stores.size(); ++group) {
      if (stores[group].empty()) continue;
      parts[group].items.push_back({item.name, std::move(stores[group]), item.options});
    }
  }
  return parts;
}

absl::Status CheckNoneIsEmpty(const std::vector<Model>& parts, const GroupFilters& groups) {
  std::vector<std::string> empty;
  for (size_t group = 0; group < groups.names.size(); ++group) {
    if (!parts[group].items.empty()) continue;
    empty.push_back(absl::StrCat(groups.names[group], "=", groups.filters[group].ToString()));
  }
  if (empty.empty()) return absl::OkStatus();
  return UsageError(absl::StrCat("--group takes no leaf: ", absl::StrJoin(empty, ", "),
                                 "; --allow-empty writes no file for it"));
}

absl::Status Split(const SplitArguments& arguments) {
  LEAFSTORE_ASSIGN_OR_RETURN(const GroupFilters groups,
                             GroupFilters::Parse(arguments.choice.groups));
  LEAFSTORE_ASSIGN_OR_RETURN(const std::vector<std::string> names,
                             OutputNames(arguments.out, groups));
  LEAFSTORE_RETURN_IF_ERROR(FormatOfOutput(arguments.out, arguments.writing).status());
  OutputFiles files(arguments.writing.force);
  LEAFSTORE_ASSIGN_OR_RETURN(const SourcePtr source, Open(arguments.source));
  LEAFSTORE_ASSIGN_OR_RETURN(const auto items, ChooseItems(*source, arguments.choice));
  LEAFSTORE_ASSIGN_OR_RETURN(Model model, LoadModel(*source, items));
  absl::StatusOr<std::vector<Model>> parts = SplitModel(items, groups, std::move(model));
  if (!parts.ok()) return FileError(source->file(), parts.status());
  if (!arguments.allow_empty) LEAFSTORE_RETURN_IF_ERROR(CheckNoneIsEmpty(*parts, groups));
  if (arguments.no_rest) parts->pop_back();
  for (size_t i = 0; i < parts->size(); ++i) {
    if (!(*parts)[i].items.empty()) LEAFSTORE_RETURN_IF_ERROR(files.CheckFree(names[i]));
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
           "a group of the leaves that a filter takes; may be repeated")
      ->required();
  command->add_option("--out,-o", arguments->out, "the files; {} stands for the group's name")
      ->required()
      ->type_name("TEMPLATE");
  command->add_flag("--no-rest", arguments->no_rest, "no file for what no filter takes");
  command->add_flag("--allow-empty", arguments->allow_empty,
                    "a filter that takes no leaf is no error");
  AddWriting(command, &arguments->writing);
  AddReading(command, &arguments->source);
  AddForm(command, &arguments->form);
  command->callback([=] { *run = [arguments] { return Split(*arguments); }; });
}

}  // namespace leafstore::tools
