#include <map>
#include <set>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_replace.h"

#include "leafstore/proto/manifest_codec.h"
#include "leafstore/select/groups.h"
#include "leafstore/tools/commands/commands.h"
#include "leafstore/tools/commands/load_model.h"

namespace leafstore::tools {
namespace {

struct SplitArguments : WriteInput {
  bool no_rest = false;
  bool allow_empty = false;
};

constexpr char kSplitHelp[] =
    R"(Each group becomes a file, whose name is --out with the group's name in place of `{}`; leaves that no
filter matches become the group `rest`, if there are any. Without --group, the groups are those that
were saved with the file. Parts of a .leaf file keep the full structure, so that `merge` can
report what is missing. Either all files are written, or none.

Examples:
  leafstore split model.leaf --group 'bias=**.bias' --group 'first=layers.0' --out 'parts/{}.leaf'
  leafstore split run --item params --out '{}.leaf'                the groups that were saved
  leafstore split model.safetensors --group 'attention=**.attention.**' --out '{}.safetensors'
  leafstore merge parts/*.leaf --out again.leaf

Exit codes: 0 success; 1 a file cannot be read or written; 2 usage (an invalid filter, or one that
matches nothing).)";

// Returns the names of the groups, in order, the rest last: those of filters, otherwise those saved
// with any of the items.
std::vector<std::string> GroupNames(const SourceItems& items,
                                    const std::vector<NamedFilter>& groups) {
  std::vector<std::string> names;
  for (const NamedFilter& group : groups) names.push_back(group.name);
  std::set<absl::string_view> known = {kRestName};
  for (const SourceItem* item : items) {
    if (!groups.empty() || !item->grouping) continue;
    for (const std::string& name : item->grouping->names()) {
      if (known.insert(name).second) names.push_back(name);
    }
  }
  names.emplace_back(kRestName);
  return names;
}

// Returns the file of each group.
absl::StatusOr<std::vector<std::string>> OutputNames(const std::string& pattern,
                                                     std::vector<std::string> names) {
  for (std::string& name : names) {
    if (!IsPlainFileName(name)) {
      return UsageError("group '", absl::CHexEscape(name), "': expected a name without a slash, ",
                        "because it becomes part of a file's name, nor '.', '..' or a NUL");
    }
    name = absl::StrReplaceAll(pattern, {{"{}", name}});
  }
  return names;
}

// Returns the saved grouping of an item, with the rest as its last group. It has only the groups of
// this item, because all items together may have many.
absl::StatusOr<Grouping> SavedGrouping(const SourceItem& item) {
  std::vector<std::string> names;
  std::vector<uint32_t> index_of;  // by its index in the saved grouping; none for a group `rest`
  if (item.grouping) {
    for (const std::string& name : item.grouping->names()) {
      index_of.push_back(name == kRestName ? kNoGroup : static_cast<uint32_t>(names.size()));
      if (name != kRestName) names.push_back(name);
    }
  }
  const auto rest = static_cast<uint32_t>(names.size());
  names.emplace_back(kRestName);
  std::vector<uint32_t> groups(item.layout.size(), kNoGroup);
  for (uint32_t place = 0; place < item.slots.size(); ++place) {
    const Slot slot = item.slots.SlotAt(place);
    const uint32_t saved = item.grouping ? item.grouping->GroupOf(slot) : kNoGroup;
    const uint32_t own = saved == kNoGroup ? kNoGroup : index_of[saved];
    groups[slot] = own == kNoGroup ? rest : own;
  }
  return Grouping::Create(item.layout, std::move(groups), std::move(names));
}

// Returns a model for each group, of the items in which the group has leaves.
absl::StatusOr<std::vector<Model>> SplitModel(const Input& input,
                                              const std::vector<std::string>& names, Model model) {
  std::vector<Model> parts(names.size());
  std::map<absl::string_view, Model*> part_of;
  for (size_t i = 0; i < names.size(); ++i) part_of.emplace(names[i], &parts[i]);
  for (size_t i = 0; i < input.items.size(); ++i) {
    ModelItem& item = model.items[i];
    LEAFSTORE_ASSIGN_OR_RETURN(const Grouping grouping,
                               input.groups.empty()
                                   ? SavedGrouping(*input.items[i])
                                   : input.items[i]->CompileGrouping(input.groups));
    LEAFSTORE_ASSIGN_OR_RETURN(Groups split, grouping.Split(std::move(item.store)));
    std::vector<ParamStore> stores = std::move(split).TakeStores();
    for (uint32_t group = 0; group < stores.size(); ++group) {
      if (stores[group].empty()) continue;
      Model& part = *part_of.at(grouping.name(group));
      part.metadata = model.metadata;
      part.metrics = model.metrics;
      part.items.push_back({item.name, std::move(stores[group]), item.options});
    }
  }
  return parts;
}

absl::Status Split(const SplitArguments& arguments) {
  if (!absl::StrContains(arguments.out, "{}")) {
    return UsageError("--out: expected a name with {} for the group's name, found '", arguments.out,
                      "'");
  }
  LEAFSTORE_ASSIGN_OR_RETURN(const auto given, ParseGroups(arguments.groups));
  LEAFSTORE_RETURN_IF_ERROR(OutputNames(arguments.out, GroupNames({}, given)).status());
  ModelWriter writer(arguments.Writing());
  LEAFSTORE_RETURN_IF_ERROR(writer.CheckFormat(arguments.out));
  LEAFSTORE_ASSIGN_OR_RETURN(
      const Input input,
      OpenInput(arguments,
                {.groups = true, .own_leaves = true, .allow_no_leaves = arguments.allow_empty}));
  const std::vector<std::string> groups = GroupNames(input.items, input.groups);
  LEAFSTORE_ASSIGN_OR_RETURN(const auto files, OutputNames(arguments.out, groups));
  LEAFSTORE_ASSIGN_OR_RETURN(
      Model model, LoadModel(*input.source, input.items, arguments.writing.skip_unreadable));
  LEAFSTORE_ASSIGN_OR_RETURN(
      std::vector<Model> parts,
      FileError(input.source->file, SplitModel(input, groups, std::move(model))));
  for (Model& part : parts) {
    if (part.items.empty()) continue;
    part.notes = input.source->notes;
    for (const SourceItem* item : input.items) {
      part.left_out.insert(part.left_out.end(), item->unreadable.begin(), item->unreadable.end());
    }
  }
  if (arguments.no_rest) parts.pop_back();
  for (size_t i = 0; i < parts.size(); ++i) {
    if (!parts[i].items.empty()) LEAFSTORE_RETURN_IF_ERROR(writer.Check(files[i]));
  }
  for (size_t i = 0; i < parts.size(); ++i) {
    if (parts[i].items.empty()) continue;
    LEAFSTORE_RETURN_IF_ERROR(writer.Write(std::move(parts[i]), files[i]));
  }
  return writer.CommitAndPrint(arguments.form);
}

}  // namespace

void AddSplitCommand(CLI::App* program, CommandRun* run) {
  const auto [command, arguments] = AddCommand(
      program, run, "split", "Writes the leaves that filters match into files, one per group.",
      kHelpFile | kHelpFilter, kSplitHelp, Split);
  AddFile(command, "FILE", &arguments->name);
  AddInput(command, {kStep, kItem, kGroup}, arguments);
  AddValue(command, "--out,-o", &arguments->out, "TEMPLATE",
           "the files to write; {} is replaced by the group's name")
      ->required();
  command->add_flag("--no-rest", arguments->no_rest,
                    "do not write the leaves that no filter matches");
  command->add_flag("--allow-empty", arguments->allow_empty, "allow filters that match no leaf");
  AddWriting(command, &arguments->writing);
  AddInput(command, {kReading, kForm}, arguments);
}

}  // namespace leafstore::tools
